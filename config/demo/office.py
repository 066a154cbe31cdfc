"""What the installer's office does in the story."""

from datetime import date, timedelta
from uuid import UUID

from config.demo.cast import Character, Crew, Promise
from core.actors import Actor
from core.clock import now
from core.dates import chicago_day
from enrollments.actions import stopping
from installations import actions as installing
from poa_documents import actions as authorizing
from poa_documents.models import PlanPromise

CONTRACT_AGE = timedelta(days=14)


class Office:
    """Opens cases, sends powers of attorney, books the work, pauses and resumes acceptances."""

    def __init__(self, crew: Crew, promises: dict[Promise, PlanPromise]) -> None:
        self._crew = crew
        self._promises = promises
        self._by = Actor.staff(crew.staff_id)

    def open_case(self, character: Character) -> int:
        """Put customer, site and job on file and send the power of attorney; gives the installation's id."""
        at = now()
        customer = installing.register_customer(
            first_name=character.first_name,
            last_name=character.last_name,
            email=character.email,
            phone="+15124745171",
            date_of_birth=character.born,
            language=character.language,
            by=self._by,
            at=at,
        )
        site = installing.register_site(
            address_1=character.address_1,
            address_2=character.address_2,
            city=character.city,
            postal_code=character.postal_code,
            esi_id=character.esi_id,
            by=self._by,
            at=at,
        )
        job = installing.register_installation(
            customer_id=customer.pk,
            site_id=site.pk,
            kind=character.hardware,
            size_kw=character.size_kw,
            contract_signed_date=chicago_day(at) - CONTRACT_AGE,
            technician_id=self._crew.technician_id,
            by=self._by,
            at=at,
        )
        poa = authorizing.draft_poa(
            customer_id=customer.pk,
            site_id=site.pk,
            promise_id=self._promises[character.promise].pk,
            by=self._by,
            at=at,
        )
        authorizing.send_poa(poa_id=poa.pk, by=self._by, at=at)
        return job.pk

    def book_work(self, installation_id: int, day: date) -> None:
        installing.move_installation(
            installation_id=installation_id, move="schedule", scheduled_date=day, by=self._by, at=now()
        )

    def note_installed(self, installation_id: int) -> None:
        installing.move_installation(installation_id=installation_id, move="install", by=self._by, at=now())

    def pause(self, promise: Promise, reason: str) -> int:
        group: UUID = self._promises[promise].light_plan_group
        return stopping.pause(reason=reason, light_plan_group=group, by=self._by, at=now()).pk

    def resume(self, pause_id: int) -> None:
        stopping.resume(pause_id=pause_id, by=self._by, at=now())
