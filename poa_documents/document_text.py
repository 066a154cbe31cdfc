"""The customer, site and limits of one POA, as values for the wording."""

from core.company_rules import current_rules
from poa_documents.limits import format_date, limit_lines
from poa_documents.models import PoaDocument, PoaTemplate
from poa_documents.wording_rendering import Case, DocumentText, render


def case_of(poa: PoaDocument, language: str) -> Case:
    envelope, site = poa.envelope, poa.site
    street = ", ".join(part for part in (site.address_1, site.address_2, site.city) if part)
    return Case(
        customer_name=str(poa.customer),
        service_address=f"{street}, {site.state} {site.postal_code}",
        esi_id=envelope.esi_id,
        organization_name=current_rules().name,
        organization_contact=current_rules().contact,
        broker_number=current_rules().broker_number,
        plan_name=envelope.plan_name,
        plan_summary=poa.promise.summary_in(language),
        limits=tuple(limit_lines(envelope, language)),
        earliest_start=format_date(envelope.earliest_start_date, language),
        latest_start=format_date(envelope.latest_start_date, language),
        sunset=format_date(envelope.sunset_date, language),
        uses=str(envelope.uses),
    )


def text_of(poa: PoaDocument, template: PoaTemplate | None = None) -> DocumentText:
    """Return the current text of a POA. What the customer agreed to is stored in the consents."""
    template = template or poa.template
    return render(template, case_of(poa, template.language))
