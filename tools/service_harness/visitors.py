"""A customer and a technician as visitors of the real pages, played by the demo's own people."""

from datetime import date

from accounts.models import User
from demo import demo_data
from poa_documents.models import PoaDocument
from tests.factories import installations as made


def character_of(poa: PoaDocument) -> demo_data.CustomerProfile:
    """The demo's visitor, with the name and mail address of the customer whom the POA is for."""
    customer = poa.customer
    return demo_data.CustomerProfile(
        key=customer.email.removesuffix("@example.com"),
        first_name=customer.first_name,
        last_name=customer.last_name,
        tag="",
        born=customer.date_of_birth or date.min,
        esi_id=poa.site.esi_id,
        address_1=poa.site.address_1,
        city=poa.site.city,
        postal_code=poa.site.postal_code,
        summary="",
        expected=demo_data.ExpectedOutcome.ACTIVE,
    )


def the_technician() -> User:
    known = User.objects.filter(username=demo_data.TECHNICIAN_NAME).first()
    return known or made.technician(username=demo_data.TECHNICIAN_NAME, password=demo_data.TECHNICIAN_PASSWORD)
