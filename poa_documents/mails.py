"""What a mail to a customer says, in the customer's language, as text and as HTML."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from core.dates import chicago_day
from poa_documents.limits import say_date
from poa_documents.models import CustomerMail, MailKind, PoaDocument
from poa_documents.phrases import phrases_in
from poa_documents.presenters import say_moment
from poa_documents.receipts import REVOKED, reference_of


def compose(
    mail: CustomerMail, poa: PoaDocument, *, link: str = "", code: str = "", pdf: bytes | None = None
) -> EmailMultiAlternatives:
    """
    Make the message; `link` or `code` is in its text and nowhere else.

    The subject never holds a code: phones show subjects while they are locked.
    """
    language = poa.customer.language
    phrases = phrases_in(language)
    ended_at = poa.ended_at or mail.created_at
    values = {
        "name": poa.customer.first_name,
        "organization": settings.ORGANIZATION_NAME,
        "contact": settings.ORGANIZATION_CONTACT,
        "address": str(poa.site),
        "expires": say_date(chicago_day(poa.token_expires_at), language) if poa.token_expires_at else "",
        "minutes": settings.POA_CODE_MINUTES,
        "made": say_date(chicago_day(mail.created_at), language),
        "ended": say_date(chicago_day(ended_at), language),
        "moment": say_moment(poa.paper_wanted_at if mail.kind == MailKind.PAPER_RECEIPT else ended_at, language),
        "receipt": reference_of(poa, REVOKED) if mail.kind == MailKind.REVOKED_RECEIPT else "",
    }
    own = phrases[f"mail_{mail.kind}"]
    context = {
        "language": language,
        "organization": settings.ORGANIZATION_NAME,
        "link": link,
        "code": code,
        "code_label": phrases["mail_CODE"]["label"],
        "subject": own["subject"].format(**values),
        "greeting": phrases["mail"]["greeting"].format(**values),
        "intro": own["intro"].format(**values),
        "button": own["button"],
        "outro": own["outro"].format(**values),
        "private_link": phrases["mail"]["private_link"],
        "closing": phrases["mail"]["closing"].format(**values),
    }
    message = EmailMultiAlternatives(
        subject=context["subject"],
        body=render_to_string("emails/customer.txt", context),
        to=[mail.to_address or poa.customer.email],
        headers={"X-Switchyard-Mail": mail.kind, "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("emails/customer.html", context), "text/html")
    if pdf is not None:
        message.attach(f"{phrases['pdf']['file_name']}-{poa.pk}.pdf", pdf, "application/pdf")
    return message
