"""Forms of the technicians' pages."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.files.uploadedfile import UploadedFile

from accounts.models import User
from installations.go_live import granted_date_problems, reference_problems
from installations.guards import can_report_from_field
from installations.models import GoLiveSource, Installation
from installations.proofs import MAX_PROOF_BYTES, CheckedProof, InvalidProof, check_proof, too_large_message

PROOF_TYPES = "image/jpeg,image/png,application/pdf"


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "Wrong username or password. Check capital letters, or ask the office for a new password.",
        "inactive": "This account is closed. Contact the office.",
    }

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not can_report_from_field(user):
            raise forms.ValidationError(
                "This is not a technician account. Ask the office to add you to the technicians.",
                code="no_technician",
            )


class GoLiveForm(forms.Form):
    submission_id = forms.CharField(widget=forms.HiddenInput, required=False)
    device_at = forms.CharField(widget=forms.HiddenInput, required=False)
    granted_date = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": "Choose the date.",
            "invalid": "This is not a date. Enter it like 2026-11-19.",
        },
    )
    source = forms.ChoiceField(
        label="How do you know?",
        error_messages={"required": "Choose how you know.", "invalid_choice": "Choose one from the list."},
    )
    utility_reference = forms.CharField(
        label="Utility's reference",
        required=False,
        max_length=60,
        help_text="The application or case number in the letter, portal or e-mail.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "enterkeyhint": "next"}),
    )
    proof = forms.FileField(
        label="Proof (photo or PDF)",
        required=False,
        help_text=f"Take a photo of the letter or screen, or choose a file. JPEG, PNG or PDF, up to "
        f"{MAX_PROOF_BYTES // 1024 // 1024} MB.",
        widget=forms.FileInput(attrs={"accept": PROOF_TYPES}),
        error_messages={"empty": "The file is empty. Choose it again, or take the photo again."},
    )
    note = forms.CharField(
        label="Note for the office",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(
        self, *args: Any, installation: Installation, today: date, files_too_large: dict[str, str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.checked_proof: CheckedProof | None = None
        self._files_too_large = files_too_large
        self._installation, self._today = installation, today
        self.fields["granted_date"].label = (
            "Date on the utility's permission" if installation.goes_live_by_pto else "Commissioning date"
        )
        self.fields["granted_date"].widget.attrs |= {
            "min": installation.contract_signed_date.isoformat(),
            "max": today.isoformat(),
        }
        self.fields["source"].choices = source_choices(installation)  # type: ignore[attr-defined]  # a ChoiceField
        for name, field in self.fields.items():
            field.widget.attrs.setdefault("aria-describedby", f"{name}-help {name}-error")

    @property
    def submission_id_to_use(self) -> UUID:
        """The form's own ID, or a new one if it has no valid one."""
        given = self.cleaned_data.get("submission_id") if self.is_bound else self.initial.get("submission_id")
        return given if isinstance(given, UUID) else uuid4()

    def clean_submission_id(self) -> UUID | None:
        try:
            return UUID(self.cleaned_data["submission_id"])
        except ValueError:
            return None

    def clean_device_at(self) -> datetime | None:
        """Ignore an invalid device time: it must never prevent a report."""
        try:
            device_at = datetime.fromisoformat(self.cleaned_data["device_at"])
        except ValueError:
            return None
        return device_at if device_at.tzinfo else None

    def clean_granted_date(self) -> date:
        """Report an invalid date together with the other errors. The action checks it again."""
        granted_date: date = self.cleaned_data["granted_date"]
        problems = granted_date_problems(
            granted_date, today=self._today, contract_signed_date=self._installation.contract_signed_date
        )
        if problems:
            raise forms.ValidationError(list(problems))
        return granted_date

    def clean_utility_reference(self) -> str:
        utility_reference: str = self.cleaned_data["utility_reference"]
        problems = reference_problems(utility_reference, source=self.cleaned_data.get("source", ""))
        if problems:
            raise forms.ValidationError(list(problems))
        return utility_reference

    def clean_proof(self) -> CheckedProof | None:
        if name := self._files_too_large.get("proof"):
            raise forms.ValidationError(too_large_message(name))
        upload: UploadedFile[Any] | None = self.cleaned_data["proof"]
        if upload is None:
            return None
        try:
            self.checked_proof = check_proof(upload, name=upload.name or "", size_bytes=upload.size or 0)
        except InvalidProof as problem:
            raise forms.ValidationError(str(problem)) from problem
        return self.checked_proof


def source_choices(installation: Installation) -> list[tuple[str, str]]:
    """Chargers offer commissioning on site first. Solar and batteries need the utility's permission."""
    choices = [(source.value, str(source.label)) for source in GoLiveSource if source != GoLiveSource.ON_SITE]
    if installation.goes_live_by_pto:
        return [("", "Choose…"), *choices]
    return [(GoLiveSource.ON_SITE.value, str(GoLiveSource.ON_SITE.label)), *choices]
