"""The only writer of a POA's status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import log_context
from core.actors import Actor
from core.case_changes import announce_case_change
from core.moves import find_move
from poa_documents.journal import chain
from poa_documents.models import PoaDocument
from poa_documents.states import MOVES, PoaStatus

_MADE_BY_ITS_CASE = frozenset({"exhaust"})
"""Moves made by the case itself, which does not need to be told about them."""


def take_move(
    poa: PoaDocument, name: str, *, by: Actor, at: datetime, reason: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """
    Move a locked POA, save it with everything else the action set, and record the evidence.

    Its case is decided again.

    :raises core.moves.MoveNotAllowed: the POA's status does not allow it
    """
    move = find_move(MOVES, name, subject="This power of attorney", status=poa.status)
    old_status, poa.status = poa.status, PoaStatus(move.target)
    poa.save()
    chain.record(
        poa,
        kind=name,
        by=by,
        at=at,
        details={"old_status": old_status, "new_status": move.target, "reason": reason, **(details or {})},
        is_locked=True,
    )
    if name not in _MADE_BY_ITS_CASE:
        announce_case_change(site_id=poa.site_id, at=at)
    log_context.log_for_site(f"POA {poa.pk}: {name}, {old_status} → {poa.status}, by {by}", site_id=poa.site_id)


def lock(poa_id: int) -> PoaDocument:
    """Return the POA with its row locked until the transaction ends."""
    return (
        PoaDocument.objects.select_for_update(of=("self",))
        .select_related("customer", "site", "envelope")
        .get(pk=poa_id)
    )
