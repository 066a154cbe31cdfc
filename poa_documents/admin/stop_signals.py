from django import forms
from django.contrib import admin

from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.records import RecordAdmin
from core.admin.tables import display
from poa_documents.actions import end_stop_signal
from poa_documents.models import StopSignal


class DecisionForm(ButtonForm):
    decision = forms.CharField(
        label="What you found out and decided",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Whom you asked, what you saw. Kept with the evidence.",
    )


def _end(context: ButtonContext) -> str:
    end_stop_signal(signal_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The stop signal is ended. What it suspended waits for you: open the power of attorney to resume or end it."


@admin.register(StopSignal)
class StopSignalAdmin(RecordAdmin):
    list_display = ("customer", "kind", "received_at", "recorded_by", "state_label")
    list_filter = ("kind", "received_at", "ended_at")
    search_fields = ("customer__first_name__unaccented", "customer__last_name__unaccented", "source")
    list_select_related = ("customer",)
    fieldsets = (
        (None, {"fields": (("customer", "kind"), "source", ("received_at", "recorded_at", "recorded_by"))}),
        ("How it ended", {"fields": (("ended_at", "ended_by"), "decision")}),
    )
    buttons = (
        Button(
            name="end",
            label="End the stop signal",
            run=_end,
            explanation=(
                "You know what is so: the report was mistaken, or the customer can decide again. A power of attorney "
                "that ended stays ended; one that is suspended is resumed by a button of its own."
            ),
            is_offered=lambda signal: signal.ended_at is None,
            form=DecisionForm,
        ),
    )

    @display(description="State", label={"In force": "danger", "Ended": "success"})
    def state_label(self, signal: StopSignal) -> str:
        return self.state_of(signal)

    def state_of(self, record: StopSignal) -> str:
        return "Ended" if record.ended_at else "In force"
