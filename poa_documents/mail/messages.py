"""Composes mails to customers in their language, as text and HTML."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from core.company_rules import current_rules
from core.dates import chicago_day
from poa_documents.journal.receipt_numbers import REVOKED, reference_of
from poa_documents.limits import format_date, format_moment
from poa_documents.links import CODE_MINUTES
from poa_documents.models import LINK_MAILS, CustomerMail, MailKind, PoaDocument
from poa_documents.phrases import phrases_in

MAX_NAME_CHARACTERS = 80
MAX_SUBJECT_CHARACTERS = 150


@dataclass(frozen=True)
class Attachment:
    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class CaseMessage:
    """The text of a mail about an enrollment, written by `enrollments` in the customer's language."""

    subject: str
    intro: str
    rows: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    button: str = ""


def one_line(text: str, *, longest: int = MAX_NAME_CHARACTERS) -> str:
    """
    Return text from people or other systems as one safe line.

    Line breaks, control characters and text-direction marks could change the meaning of our sentence.
    """
    kept = "".join(
        " " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign
        for sign in text
        if unicodedata.category(sign) not in {"Cf", "Cs", "Co"} or sign == "\N{ZERO WIDTH JOINER}"
    )
    line = re.sub(r"\s+", " ", kept).strip()
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def compose(
    mail: CustomerMail, poa: PoaDocument, *, link: str = "", code: str = "", pdf: bytes | None = None
) -> EmailMultiAlternatives:
    """
    Return the message. `link` or `code` appears only in its body.

    The subject never contains a code, because locked phones show subjects.
    """
    language = poa.customer.language
    phrases = phrases_in(language)
    values = _values(mail, poa)
    is_to_earlier_address = mail.kind == MailKind.CODE and mail.to_address
    own = phrases["mail_EARLIER_CODE" if is_to_earlier_address else f"mail_{mail.kind}"]
    context = {
        "link": link,
        "code": code,
        "code_label": phrases["mail_CODE"]["label"],
        "subject": own["subject"].format(**values),
        "intro": own["intro"].format(**values),
        "button": own["button"],
        "paragraphs": [own["outro"].format(**values)],
        "private_link": phrases["mail"]["private_link"],
    }
    message = _message(mail, poa, context)
    if pdf is not None:
        message.attach(f"{phrases['pdf']['file_name']}-{chicago_day(poa.created_at)}.pdf", pdf, "application/pdf")
    return message


def compose_case_message(
    mail: CustomerMail, poa: PoaDocument, content: CaseMessage, *, link: str = ""
) -> EmailMultiAlternatives:
    """Return a message about an enrollment. With `link` it has a button; without, it says how to reach the page."""
    phrases = phrases_in(poa.customer.language)["mail"]
    context = {
        "link": link,
        "button": content.button,
        "private_link": phrases["private_link"],
        "subject": content.subject,
        "intro": content.intro,
        "rows": content.rows,
        "paragraphs": [*content.paragraphs, phrases["newest_link"] if link else _where_the_page_is(poa)],
    }
    message = _message(mail, poa, context)
    for attachment in content.attachments:
        message.attach(attachment.name, attachment.content, attachment.content_type)
    return message


def _where_the_page_is(poa: PoaDocument) -> str:
    """Refer to the mail whose link still works, because a new link would end it."""
    phrases = phrases_in(poa.customer.language)["mail"]
    newest = poa.mails.filter(kind__in=sorted(LINK_MAILS), sent_at__isnull=False).order_by("-sent_at", "-pk").first()
    if newest is None or newest.sent_at is None or not poa.token_hash:
        return phrases["page_on_request"]
    return phrases["page"].format(sent=format_date(chicago_day(newest.sent_at), poa.customer.language))


def _values(mail: CustomerMail, poa: PoaDocument) -> Mapping[str, Any]:
    language = poa.customer.language
    ended_at = poa.ended_at or mail.created_at
    return {
        "organization": current_rules().name,
        "address": one_line(str(poa.site), longest=200),
        "expires": format_date(chicago_day(poa.token_expires_at), language) if poa.token_expires_at else "",
        "minutes": CODE_MINUTES,
        "made": format_date(chicago_day(mail.created_at), language),
        "ended": format_date(chicago_day(ended_at), language),
        "moment": format_moment(poa.paper_wanted_at if mail.kind == MailKind.PAPER_RECEIPT else ended_at, language),
        "receipt": reference_of(poa, REVOKED) if mail.kind == MailKind.REVOKED_RECEIPT else "",
    }


def _message(mail: CustomerMail, poa: PoaDocument, said: Mapping[str, Any]) -> EmailMultiAlternatives:
    language = poa.customer.language
    phrases = phrases_in(language)["mail"]
    context = {
        "language": language,
        "organization": current_rules().name,
        "greeting": phrases["greeting"].format(name=one_line(poa.customer.first_name)),
        "closing": phrases["closing"].format(contact=current_rules().contact),
        **dict.fromkeys(("link", "code", "rows"), ""),  # a missing name would make the template log its whole context
        **said,
        "subject": one_line(said["subject"], longest=MAX_SUBJECT_CHARACTERS),
    }
    headers = {"X-Switchyard-Mail": mail.kind, "Auto-Submitted": "auto-generated"}
    if mail.message_id:
        headers["Message-ID"] = mail.message_id
    message = EmailMultiAlternatives(
        subject=context["subject"],
        body=render_to_string("emails/customer.txt", context),
        to=[mail.to_address or poa.customer.email],
        headers=headers,
    )
    message.attach_alternative(render_to_string("emails/customer.html", context), "text/html")
    return message
