"""The button by which a second person records having called the customer back, for every page that needs it."""

from typing import Any

from django import forms

from core.admin.buttons import Button, ButtonContext, ButtonForm
from poa_documents import signer_doubts
from poa_documents.actions import record_call_back

_OTHER = "OTHER"


class CallBackForm(ButtonForm):
    called = forms.ChoiceField(
        label="Which number you called",
        widget=forms.RadioSelect,
        help_text="Never one that the customer, or a colleague, gave you for this call.",
    )
    number = forms.CharField(
        label="The other number", required=False, max_length=40, widget=forms.TextInput(attrs={"type": "tel"})
    )
    number_from = forms.CharField(
        label="Where you found it", required=False, max_length=200, help_text="Such as the signed hardware contract."
    )
    confirmed = forms.CharField(
        label="Who answered, and what they confirmed",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Ask for name and address of the site, then whether the e-mail address is theirs and whether they "
        "signed. Kept with the evidence.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        trusted = signer_doubts.trusted_phone(customer_of(self.record)) if self.record is not None else ""
        choices = [(trusted, f"{trusted}, on file from before the invitation")] if trusted else []
        self.fields["called"].choices = [*choices, (_OTHER, "Another number")]  # type: ignore[attr-defined]
        if not choices:
            self.fields["called"].initial = _OTHER

    def clean(self) -> dict[str, Any]:
        """Hand on one number: the chosen one, or the one that was typed."""
        answers = super().clean() or {}
        called = answers.pop("called", "")
        if called != _OTHER:
            answers["number"], answers["number_from"] = called, ""
        return answers


def customer_of(record: Any) -> Any:
    """Return the customer of a power of attorney or a case, and a customer as they are."""
    return getattr(record, "customer", record)


def _record(context: ButtonContext) -> str:
    record_call_back(customer_id=customer_of(context.record).pk, by=context.by, at=context.at, **context.answers)
    return "The call-back is on file; the case goes on."


CALL_BACK = Button(
    name="call-back",
    label="Record a call-back",
    run=_record,
    explanation=(
        "You called the customer yourself, and they confirmed that the e-mail address is theirs and, where something "
        "is signed, that they signed it. The person who put the address or number on file cannot record this. If the "
        "customer did not sign, do not record it: suspend the power of attorney instead."
    ),
    is_offered=lambda record: signer_doubts.is_in_question(customer_of(record).pk),
    form=CallBackForm,
)
