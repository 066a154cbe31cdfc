"""Registering customers at Light: the account, our attestation, and the link to Light's own pages."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from core.actors import SYSTEM, Actor
from core.dates import chicago_time
from core.errors import Conflict, check_reason
from core.transactions import repeatable, repeatable_alone
from enrollments.actions import account_reading, proven_outcomes
from enrollments.actions.holds import end_holds, place_hold, release
from enrollments.actions.moves import note
from enrollments.actions.wakeups import make_due
from enrollments.actions.writes import (
    Tools,
    call,
    check_authority_for,
    close_done,
    mark_refused,
    open_write,
    record_doubt,
    still_due,
)
from enrollments.decision.steps import Hold, OpenAccount, RecordClientAgent, UpdateAccount
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.light.client import LightClient
from enrollments.light.errors import InDoubt, LightError, Refused
from enrollments.light.payloads import (
    MAX_NAMED,
    Account,
    HostedLink,
    NewAccount,
    Unusable,
    WriteResult,
    name_unusable,
)
from enrollments.models import Enrollment, LightWrite
from enrollments.states import (
    UNSETTLED_WRITE_STATUSES,
    EnrollmentStatus,
    HoldCode,
    HoldOwner,
    WriteKind,
    WriteStatus,
)
from installations.models import Customer
from poa_documents.models import PoaDocument


class WrongAccount(Conflict):
    """The account cannot be the one of this enrollment."""


class NoAccountYet(Conflict):
    """The customer has no account at Light yet, so there is no link to Light's pages."""


def open_account(enrollment: Enrollment, step: OpenAccount, tools: Tools) -> None:
    """
    Create the customer's account at Light.

    Light may already have an account under the customer's address that belongs to no case, for example after a restore
    lost the case. Staff are asked once whose it is before another account is created.
    """
    enrollment_id = enrollment.pk
    found = account_reading.find_accounts_without_case(enrollment, tools)
    passed_over = [str(UUID(one.uuid)) for one in found.accounts]
    if passed_over and hold_for_unlinked_accounts(enrollment_id, passed_over, at=tools.clock.now()):
        return
    if found.unusable and _hold_for_unusable_accounts(enrollment_id, found.unusable, at=tools.clock.now()):
        return

    @repeatable_alone
    def record() -> tuple[LightWrite, NewAccount]:
        at = tools.clock.now()
        case = still_due(enrollment_id, step, at=at, policy=tools.policy)
        check_authority_for(case, at=at)
        new_account = _new_account(case.enrollment.customer)
        request = {
            "fields": sorted(new_account.model_dump(exclude_none=True)),
            "passed_over": passed_over,
            "passed_over_unusable": [entry.identifier for entry in found.unusable],
        }
        return open_write(case, WriteKind.CREATE_ACCOUNT, request, at=at), new_account

    write, new_account = record()

    account = call(
        write, step, lambda before_send: tools.light.create_account(new_account, before_send=before_send), tools=tools
    )
    if account.email is None:
        outcome = "Light's answer has no e-mail address, so the account may be another customer's."
        record_doubt(write.pk, outcome=outcome, answer=account.raw, at=tools.clock.now())
        return

    @repeatable
    def keep() -> None:
        case = lock_case(enrollment_id)
        current = LightWrite.objects.get(pk=write.pk)
        linked = case.enrollment.light_account_uuid
        others = _cases_with(account.uuid).exclude(pk=enrollment_id)
        if (account.email or "").strip().lower() != new_account.email.strip().lower():
            outcome = (
                f"We asked for an account under the customer's e-mail address. Light answered with account "
                f"{account.uuid} under another address. Ask Light which account is this customer's, then link it."
            )
            _refuse_account(case, current, outcome=outcome, at=tools.clock.now())
            return
        if str(UUID(account.uuid)) in passed_over or others.exists():
            outcome = (
                f"Light created no account. For this e-mail address it returned {account.uuid}, which belongs to "
                "another case or to someone else. Correct the customer's address, or ask Light for an account."
            )
            _refuse_account(case, current, outcome=outcome, at=tools.clock.now())
            return
        if linked not in {None, UUID(account.uuid)}:
            because = f"A late answer names account {account.uuid}, but {linked} is linked. Compare both at Light."
            hold = Hold(HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OPERATIONS, because=because)
            place_hold(case, hold, at=tools.clock.now())
        else:
            case.enrollment.light_account_uuid = UUID(account.uuid)
            account_reading.keep_reading(case, account, dialect=tools.light.dialect, at=tools.clock.now())
            case.enrollment.save()
        close_done(case, current, answer=account.raw, outcome=f"Account {account.uuid}.", at=tools.clock.now())

    keep()


def _refuse_account(case: LockedCase, write: LightWrite, *, outcome: str, at: datetime) -> None:
    if write.status in UNSETTLED_WRITE_STATUSES:
        mark_refused(case, write, outcome=outcome, code=HoldCode.ACCOUNT_UNCLEAR, at=at)


def record_client_agent(enrollment_id: int, step: RecordClientAgent, tools: Tools) -> None:
    """Attest to Light that we have acted for the customer since they signed."""

    @repeatable_alone
    def record() -> tuple[LightWrite, PoaDocument, datetime]:
        at = tools.clock.now()
        case = still_due(enrollment_id, step, at=at, policy=tools.policy)
        check_authority_for(case, at=at)
        poa = case.known_poa
        signed_at = poa.signed_at
        assert signed_at is not None  # noqa: S101 - a constraint: signed means dated
        request = {"poa": str(poa.public_id), "client_agent_accepted_at": signed_at.isoformat()}
        return open_write(case, WriteKind.RECORD_CLIENT_AGENT, request, at=at), poa, signed_at

    write, poa, signed_at = record()
    account_uuid = str(write.enrollment.light_account_uuid)

    def send(before_send: Callable[[], None]) -> Account:
        answer = tools.light.record_client_agent(account_uuid, accepted_at=signed_at, before_send=before_send)
        if answer is None:
            return _confirm_earlier_attestation(account_uuid, tools.light)
        return _read_attested_account(account_uuid, answer, signed_at=signed_at, light=tools.light)

    account = call(write, step, send, tools=tools)

    @repeatable
    def keep() -> None:
        case = lock_case(enrollment_id)
        account_reading.keep_reading(case, account, dialect=tools.light.dialect, at=tools.clock.now())
        case.enrollment.save()
        proven_outcomes.attest(case.enrollment, poa, at=tools.clock.now())
        close_done(case, write, answer={}, outcome=f"Attested since {chicago_time(signed_at)}.", at=tools.clock.now())

    keep()


def update_account(enrollment_id: int, step: UpdateAccount, tools: Tools) -> None:
    """Send Light the customer's corrected e-mail address. The record names the change, not the address."""

    @repeatable_alone
    def record() -> tuple[LightWrite, str]:
        at = tools.clock.now()
        case = still_due(enrollment_id, step, at=at, policy=tools.policy)
        check_authority_for(case, at=at, concluding=True)
        change = case.enrollment.customer.contact_changes.exclude(old_email=F("new_email")).latest("changed_at", "pk")
        request = {"fields": ["email"], "change": str(change.public_id)}
        return open_write(case, WriteKind.UPDATE_ACCOUNT, request, at=at), change.new_email

    write, email = record()
    account_uuid = str(write.enrollment.light_account_uuid)

    account = call(
        write,
        step,
        lambda before_send: tools.light.update_email(account_uuid, email=email, before_send=before_send),
        tools=tools,
    )

    @repeatable
    def keep() -> None:
        case = lock_case(enrollment_id)
        account_reading.keep_reading(case, account, dialect=tools.light.dialect, at=tools.clock.now())
        case.enrollment.save()
        close_done(case, write, answer={}, outcome="Light has the corrected e-mail address.", at=tools.clock.now())

    keep()


def _confirm_earlier_attestation(account_uuid: str, light: LightClient) -> Account:
    """
    Read the account after Light answered that the attestation was recorded before.

    An account without the field is accepted as proof.

    :raises Refused: the account says no, so Light meant something else
    """
    account = light.read_account(account_uuid)
    if account.client_agent_accepted is False:
        raise Refused(
            "Light says that our attestation was recorded before, but the account does not show it. Ask Light why it "
            "does not record it."
        )
    return account


def _read_attested_account(
    account_uuid: str, answer: WriteResult, *, signed_at: datetime, light: LightClient
) -> Account:
    """
    Return the account that shows the attestation, from Light's answer or from a reading right after it.

    An account without the field is accepted, because Light may not return attestations, unless the answer has an error
    text. Source: light-api notes, section 8, row 13.

    :raises InDoubt: the account denies it or cannot be read, or the answer has an error text and nothing shows it
    """
    answered = answer.account
    if answered is not None and not answer.error_text and proven_outcomes.shows_attestation(answered, signed_at):
        return answered
    try:
        account = light.read_account(account_uuid)
    except LightError as problem:
        raise InDoubt(f"{answer.summary}, and the account could not be read: {problem}") from problem
    is_shown = proven_outcomes.shows_attestation(account, signed_at)
    if is_shown or (account.client_agent_accepted is None and not answer.error_text):
        return account
    raise InDoubt(f"{answer.summary}, and the account does not show the attestation.")


@repeatable
def hold_for_unlinked_accounts(enrollment_id: int, account_uuids: list[str], *, at: datetime) -> bool:
    """
    Hold a case that accounts may belong to, unless a plan was accepted or staff were asked about all of them before.

    For a case without an account this replaces any other hold: the other hold may end automatically, and then a second
    account would be created. Returns whether the case is now held for this.
    """
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    is_unsettled = enrollment.writes.filter(status__in=UNSETTLED_WRITE_STATUSES).exists()
    unlinked = [str(UUID(each)) for each in account_uuids if not _cases_with(each).exists()]
    asked = enrollment.holds.filter(code=HoldCode.ACCOUNT_UNCLEAR).exclude(released_by=str(SYSTEM))  # no one answered
    is_news = any(not asked.filter(because__contains=account_uuid).exists() for account_uuid in unlinked)
    if enrollment.status != EnrollmentStatus.OPEN or is_unsettled or not is_news:
        return False
    because = (
        f"Light has account {', '.join(unlinked)}, which belongs to no case and may be this customer's. Find out whose "
        "it is. If it is this customer's, link it by hand. If not, release the hold: Switchyard then creates a new "
        "account and does not ask about this one again."
    )
    if enrollment.light_account_uuid is None:
        end_holds(case, because="Staff must first find out whose account Light has.", at=at)
    place_hold(case, Hold(HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OFFICE, because=because), at=at)
    make_due(enrollment_id=enrollment_id, at=at)
    return True


@repeatable
def _hold_for_unusable_accounts(enrollment_id: int, entries: Sequence[Unusable], *, at: datetime) -> bool:
    """
    Hold a case before its account is created if Light lists one under the address that cannot be read or linked.

    Returns whether the case is now held for this. Staff are not asked again about entries they released.
    """
    case = lock_case(enrollment_id)
    asked = case.enrollment.holds.filter(code=HoldCode.ACCOUNT_UNCLEAR).exclude(released_by=str(SYSTEM))
    if all(asked.filter(because__contains=entry.named).exists() for entry in entries[:MAX_NAMED]):
        return False
    because = (
        f"Light lists an account under this customer's address that cannot be used: {name_unusable(entries)}. Ask "
        "Light about it. If it is this customer's, have Light correct it. If not, release the hold: Switchyard then "
        "creates a new account."
    )
    place_hold(case, Hold(HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OFFICE, because=because), at=at)
    return True


def link_account(
    *, enrollment_id: int, account_uuid: str, reason: str, light: LightClient, by: Actor, at: datetime
) -> None:
    """
    Link an account at Light by hand, after an unclear answer or when Light already has the e-mail address.

    The account is read first. It must exist and have a current or former e-mail address of the customer.

    :raises ReasonMissing: no reason given
    :raises WrongAccount: it is linked elsewhere, belongs to another person, or this enrollment has one already
    :raises LightError: the account cannot be read
    """
    reason = check_reason(reason, ask="Say how you know that this account is the right one.")
    account = light.read_account(account_uuid)
    with transaction.atomic():
        case = lock_case(enrollment_id)
        enrollment = case.enrollment
        if enrollment.light_account_uuid is not None:
            raise WrongAccount(f"This enrollment is linked to account {enrollment.light_account_uuid} already.")
        if _cases_with(account.uuid).exists():
            raise WrongAccount("Another enrollment is linked to this account.")
        if not _is_address_of(enrollment.customer, account.email or ""):
            raise WrongAccount("The account's e-mail address is not the customer's.")
        enrollment.light_account_uuid = UUID(account.uuid)
        account_reading.keep_reading(case, account, dialect=light.dialect, at=at)
        enrollment.save()
        for write in enrollment.writes.filter(kind=WriteKind.CREATE_ACCOUNT, status=WriteStatus.IN_DOUBT):
            close_done(case, write, answer={}, outcome=f"Linked by hand to account {account.uuid}.", at=at)
        for hold in enrollment.holds.filter(code=HoldCode.ACCOUNT_UNCLEAR, released_at__isnull=True):
            release(case, hold, reason=reason, by=by, at=at)
        note(case, "link_account", by=by, at=at, reason=reason)


def _cases_with(account_uuid: str) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(light_account_uuid=UUID(account_uuid))


def _is_address_of(customer: Customer, email: str) -> bool:
    is_former = customer.contact_changes.filter(old_email__iexact=email).exists()
    return email.lower() == customer.email.lower() or is_former


def hosted_link(*, enrollment_id: int, light: LightClient, by: Actor, at: datetime) -> HostedLink:
    """
    Fetch the customer's one-time link to Light's pages for identity, credit and card.

    Each click fetches a new one. It is never stored.

    :raises NoAccountYet: the account is created once the customer has signed
    """
    enrollment = Enrollment.objects.get(pk=enrollment_id)
    if enrollment.light_account_uuid is None:
        raise NoAccountYet("Your account is still being prepared. Please try again in a few minutes.")
    link = light.hosted_link(str(enrollment.light_account_uuid))
    _note_hosted_pages(enrollment_id, by=by, at=at)
    return link


@repeatable
def _note_hosted_pages(enrollment_id: int, *, by: Actor, at: datetime) -> None:
    note(lock_case(enrollment_id), "open_hosted_pages", by=by, at=at)


def _new_account(customer: Customer) -> NewAccount:
    return NewAccount(
        email=customer.email,
        first_name=customer.first_name,
        last_name=customer.last_name,
        phone_number=str(customer.phone) or None,
        date_of_birth=customer.date_of_birth,
    )
