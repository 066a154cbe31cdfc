"""Stop signals: withdrawn consent to electronic records, and reports of death or incapacity."""

from datetime import datetime

from django.db import IntegrityError, transaction

from core.actors import Actor
from core.case_changes import announce_case_change
from core.errors import Conflict
from core.moves import MoveNotAllowed
from core.transactions import repeatable
from installations.models import Customer
from poa_documents.actions.drafts import schedule_mail, void_poa
from poa_documents.actions.lifecycle import check_not_ahead, check_received_at, suspend_poa
from poa_documents.journal import chain
from poa_documents.models import MailKind, PoaDocument, RevocationChannel, StopKind, StopSignal
from poa_documents.moves import lock, take_move
from poa_documents.states import ELECTRONIC_STATUSES, MOVES, PoaStatus


class StopAlreadyRecorded(Conflict):
    """The same report is already open."""


class StopAlreadyEnded(Conflict):
    """The stop signal has already been ended."""


@repeatable
def withdraw_econsent(
    *,
    poa_id: int,
    by: Actor,
    at: datetime,
    channel: RevocationChannel | str = RevocationChannel.PORTAL,
    received_at: datetime | None = None,
) -> PoaDocument:
    """
    Withdraw the consent to electronic records, whichever way the customer said so. A repeat changes nothing.

    It affects only the future: what was signed stays valid. What is not signed yet can be signed only on paper.

    :raises ImpossibleReceivedTime: it cannot have been received then
    :raises MoveNotAllowed: no more electronic records are expected

    Source: 15 USC 7001(c)(4); domain notes, section 5.
    """
    poa = lock(poa_id)
    if poa.paper_wanted_at is not None:
        return poa
    if poa.status not in ELECTRONIC_STATUSES:
        raise MoveNotAllowed(subject=str(poa), move="withdraw electronic records", status=poa.status)
    poa.paper_wanted_at = check_received_at(poa, received_at, at=at)
    poa.paper_wanted_channel = RevocationChannel(channel)
    poa.save(update_fields=["paper_wanted_at", "paper_wanted_channel"])
    details = {"channel": poa.paper_wanted_channel, "received_at": poa.paper_wanted_at, "status": poa.status}
    chain.record(poa, kind="econsent_withdrawn", by=by, at=at, details=details)
    schedule_mail(poa, MailKind.PAPER_RECEIPT, at=at)
    announce_case_change(site_id=poa.site_id, at=at)
    return poa


@repeatable
def record_stop_signal(
    *, customer_id: int, kind: StopKind | str, source: str, by: Actor, at: datetime, received_at: datetime | None = None
) -> StopSignal:
    """
    Stop everything done in a customer's name, because they were reported dead or unable to decide.

    This includes queued work, because each write is checked again before it is sent. Death permanently ends every
    signed power of attorney. Incapacity suspends them until the office decides. Unsigned ones are voided.

    :raises ImpossibleReceivedTime: it cannot have been received then
    :raises StopAlreadyRecorded: the same report is already open
    """
    check_not_ahead(received_at or at, at=at)
    Customer.objects.select_for_update().get(pk=customer_id)
    signal = StopSignal(
        customer_id=customer_id,
        kind=StopKind(kind),
        source=source,
        received_at=received_at or at,
        recorded_at=at,
        recorded_by=str(by),
    )
    try:
        with transaction.atomic():
            signal.save()
    except IntegrityError as problem:
        raise StopAlreadyRecorded(
            "This has already been reported. Nothing is being done in the customer's name."
        ) from problem
    for poa_id in PoaDocument.objects.filter(customer_id=customer_id).order_by("pk").values_list("pk", flat=True):
        _stop(lock(poa_id), signal, by=by, at=at)
    return signal


def _stop(poa: PoaDocument, signal: StopSignal, *, by: Actor, at: datetime) -> None:
    reason = f"{signal.get_kind_display()}, as was reported."
    details = {"stop_signal": signal.public_id, "stop": signal.kind, "received_at": signal.received_at}
    if poa.status in MOVES["void"].sources:
        void_poa(poa_id=poa.pk, reason=reason, by=by, at=at)
    elif signal.kind == StopKind.DECEASED and poa.status in MOVES["cease"].sources:
        poa.ended_at, poa.ended_because, poa.due_at = at, reason, None
        take_move(poa, "cease", by=by, at=at, reason=reason, details=details)
    elif poa.status == PoaStatus.SIGNED:
        suspend_poa(poa_id=poa.pk, reason=reason, by=by, at=at)
    else:  # there is no move that announces it
        announce_case_change(site_id=poa.site_id, at=at)
    chain.record(poa, kind="stop_signal", by=by, at=at, details={**details, "source": signal.source})


@repeatable
def end_stop_signal(*, signal_id: int, decision: str, by: Actor, at: datetime) -> StopSignal:
    """
    Record the office's decision. What ended stays ended. What was suspended is resumed with a separate button.

    :raises StopAlreadyEnded: it has already been ended
    """
    signal = StopSignal.objects.select_for_update().get(pk=signal_id)
    if signal.ended_at is not None:
        raise StopAlreadyEnded("This stop signal has already been ended. Reload the page to see the decision.")
    signal.ended_at, signal.ended_by, signal.decision = at, str(by), decision
    signal.save(update_fields=["ended_at", "ended_by", "decision"])
    for poa in PoaDocument.objects.filter(customer_id=signal.customer_id):
        details = {"stop_signal": signal.public_id, "stop": signal.kind, "decision": decision}
        chain.record(poa, kind="stop_signal_ended", by=by, at=at, details=details)
        announce_case_change(site_id=poa.site_id, at=at)
    return signal
