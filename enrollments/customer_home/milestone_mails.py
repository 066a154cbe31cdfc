"""
Mails to customers about their enrollment, and whether their content is still true when they are sent.

Pure: facts and files are passed in.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from core.dates import chicago_day
from enrollments.decision.facts import Facts
from enrollments.decision.start_dates import earliest_rescission_end
from enrollments.models import PlanOffer
from enrollments.states import EnrollmentStatus
from poa_documents.limits import compared_lines, format_date
from poa_documents.mail.messages import Attachment, CaseMessage, one_line
from poa_documents.models import Envelope, MailKind
from poa_documents.phrases import Phrases, phrases_in
from poa_documents.states import PoaStatus

PHRASES_FILE = Path(__file__).resolve().parent / "milestone_mails.toml"
_AHEAD_OF_SERVICE = frozenset(EnrollmentStatus) - {EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED}
_ACCEPTED = frozenset({EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE})
_IN_FORCE_OR_USED = frozenset({PoaStatus.SIGNED, PoaStatus.EXHAUSTED})


def is_still_true(kind: MailKind | str, facts: Facts) -> bool:
    """
    Whether a mail may still be sent.

    The mail about an accepted plan is sent even after a revocation: the plan is still in force, and customers must know
    until when they can cancel it.
    """
    match kind:
        case MailKind.GO_LIVE_RECEIVED:
            is_authorized = facts.authority is not None and facts.authority.status in _IN_FORCE_OR_USED
            return facts.go_live.counted_date is not None and is_authorized and facts.status in _AHEAD_OF_SERVICE
        case MailKind.ADVANCE_NOTICE:
            is_in_force = facts.authority is not None and facts.authority.status == PoaStatus.SIGNED
            return facts.status == EnrollmentStatus.OPEN and is_in_force and facts.held_by_customer_since is None
        case MailKind.PLAN_ACCEPTED:
            return facts.status in _ACCEPTED
        case MailKind.SERVICE_ACTIVE:
            return facts.status == EnrollmentStatus.ACTIVE
        case MailKind.SERVICE_ENDS:  # the office writes to the family of a customer who died
            is_reachable = facts.authority is not None and not facts.authority.stopped_because
            return is_reachable and (facts.service_end is not None or facts.status == EnrollmentStatus.ENDED)
    return False


def customers_turn_message(
    kind: MailKind,
    *,
    missing: Sequence[str],
    act_by: date | None,
    is_reminder: bool,
    address: str,
    contact: str,
    language: str,
) -> CaseMessage:
    """Write the mail that says what the customer still has to do at Light, and by when."""
    words = phrases_in(language, PHRASES_FILE)
    own, shared = words[kind], words["turn"]
    values = {"address": one_line(address, longest=200), "contact": contact}
    paragraphs = [own["next"].format(**values)]
    if kind == MailKind.DETAILS_MISSING and missing:
        paragraphs.insert(0, own["missing"].format(missing="; ".join(words["missing"][name] for name in missing)))
    if act_by is not None:
        paragraphs.append(shared["act_by"].format(act_by=format_date(act_by, language)))
    paragraphs.append(shared["done"].format(**values))
    return CaseMessage(
        subject=own["reminder_subject" if is_reminder else "subject"],
        intro=own["intro"].format(**values),
        paragraphs=tuple(paragraphs),
        button=shared["button"],
    )


def go_live_message(*, granted: date, by_pto: bool, address: str, language: str) -> CaseMessage:
    words = phrases_in(language, PHRASES_FILE)[MailKind.GO_LIVE_RECEIVED]
    values = {"address": one_line(address, longest=200), "granted": format_date(granted, language)}
    return CaseMessage(
        subject=words["subject"],
        intro=words["intro" if by_pto else "commissioned"].format(**values),
        paragraphs=(words["next"],),
    )


def advance_notice_message(
    *, offer: PlanOffer, envelope: Envelope, start: date, last_day: date, address: str, contact: str, language: str
) -> CaseMessage:
    words = phrases_in(language, PHRASES_FILE)
    own = words[MailKind.ADVANCE_NOTICE]
    values = {
        "address": one_line(address, longest=200),
        "start": format_date(start, language),
        "last_day": format_date(last_day, language),
        "contact": contact,
    }
    rows = (
        *plan_rows(offer, envelope, words, language),
        (words[MailKind.PLAN_ACCEPTED]["start"], values["start"]),
        (own["last_day"], values["last_day"]),
    )
    return CaseMessage(
        subject=own["subject"].format(**values),
        intro=own["intro"].format(**values),
        rows=rows,
        paragraphs=(own["nothing"].format(**values), own["object"].format(**values)),
        button=own["button"],
    )


def acceptance_message(
    *,
    offer: PlanOffer,
    envelope: Envelope,
    start: date,
    accepted_at: datetime,
    documents: Mapping[str, bytes | None],
    address: str,
    contact: str,
    language: str,
    now: datetime,
) -> CaseMessage:
    """`documents` has an entry for each document of the plan: its PDF, or None if it cannot be attached."""
    phrases = phrases_in(language, PHRASES_FILE)
    words = phrases[MailKind.PLAN_ACCEPTED]
    rescind_by = earliest_rescission_end(chicago_day(accepted_at))
    can_rescind = chicago_day(now) <= rescind_by
    values = {
        "address": one_line(address, longest=200),
        "start": format_date(start, language),
        "rescind": format_date(rescind_by, language),
        "contact": contact,
    }
    rows = [*plan_rows(offer, envelope, phrases, language), (words["start"], values["start"])]
    if can_rescind:
        rows.append((words["rescind_by"], values["rescind"]))
    attached = tuple(
        Attachment(f"{words[f'{kind}_file']}.pdf", content, "application/pdf")
        for kind, content in documents.items()
        if content is not None
    )
    paragraphs = [words["rescind" if can_rescind else "rescind_over"].format(**values)]
    for phrase, is_attached in (("attached", True), ("on_page", False)):
        names = [words[kind] for kind, content in documents.items() if (content is not None) is is_attached]
        if names:
            paragraphs.append(words[phrase].format(names=", ".join(names)))
    return CaseMessage(
        subject=words["subject"].format(**values),
        intro=words["intro"].format(**values),
        rows=tuple(rows),
        paragraphs=tuple(paragraphs),
        attachments=attached,
    )


def service_message(
    *, offer: PlanOffer, envelope: Envelope, start: date, address: str, contact: str, language: str
) -> CaseMessage:
    phrases = phrases_in(language, PHRASES_FILE)
    words = phrases[MailKind.SERVICE_ACTIVE]
    return CaseMessage(
        subject=words["subject"],
        intro=words["intro"].format(address=one_line(address, longest=200)),
        rows=(*plan_rows(offer, envelope, phrases, language), (words["started"], format_date(start, language))),
        paragraphs=(words["next"].format(contact=contact),),
    )


def service_end_message(
    *, plan: str, last_day: date | None, has_begun: bool, address: str, contact: str, language: str, now: datetime
) -> CaseMessage:
    """Write the mail about the end of service: the last day, what happens then, and whom to call."""
    words = phrases_in(language, PHRASES_FILE)[MailKind.SERVICE_ENDS]
    is_over = last_day is None or last_day < chicago_day(now)
    values = {
        "plan": one_line(plan, longest=120),
        "address": one_line(address, longest=200),
        "last_day": format_date(last_day, language) if last_day is not None else "",
        "contact": contact,
    }
    if not has_begun:
        kind = "canceled"
    elif last_day is None:
        kind = "over"
    else:
        kind = "ended" if is_over else "ends"
    return CaseMessage(
        subject=words[f"{kind}_subject"].format(**values),
        intro=words[kind].format(**values),
        paragraphs=tuple(
            words[name].format(**values)
            for name in (("stays",) if not has_begun else ("next", "without")) + ("unexpected",)
        ),
    )


def plan_rows(offer: PlanOffer, envelope: Envelope, words: Phrases, language: str) -> list[tuple[str, str]]:
    """Return the plan's name and every limited field with its limit."""
    own = words["plan"]
    return [
        (own["plan"], one_line(offer.name, longest=120)),
        *(
            (line.label, own["beside_limit"].format(offered=one_line(line.offered), limit=line.limit))
            for line in compared_lines(offer, envelope, language)
        ),
    ]
