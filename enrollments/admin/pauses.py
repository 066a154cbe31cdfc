from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin

from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.records import AddableRecordAdmin
from core.admin.tables import display
from enrollments.actions.pauses import pause, resume
from enrollments.models import Pause
from poa_documents.models import PlanPromise


def plan_groups() -> list[tuple[str, str]]:
    """Return the plan groups that are sold, each with the names of its products."""
    names: dict[UUID, list[str]] = {}
    for group, name in PlanPromise.objects.order_by("name").values_list("light_plan_group", "name"):
        names.setdefault(group, []).append(name)
    return [("", "All acceptances"), *((str(group), f"Only {', '.join(found)}") for group, found in names.items())]


class PauseForm(ButtonForm):
    light_plan_group = forms.ChoiceField(choices=plan_groups, required=False, label="What to pause")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Shown to all staff until the pause ends."
    )

    def clean_light_plan_group(self) -> UUID | None:
        chosen: str = self.cleaned_data["light_plan_group"]
        return UUID(chosen) if chosen else None


def _resume(context: ButtonContext) -> str:
    resume(pause_id=context.record.pk, by=context.by, at=context.at)
    return "Acceptances are resumed; waiting cases are being decided again."


@admin.register(Pause)
class PauseAdmin(AddableRecordAdmin):
    list_display = ("__str__", "reason", "started_at", "started_by", "state_label")
    list_filter = ("started_at",)
    search_fields = ("reason", "light_plan_group")
    fieldsets = (
        (None, {"fields": ("light_plan_group", "reason", ("started_at", "started_by"))}),
        ("How it ended", {"fields": (("ended_at", "ended_by"),)}),
    )
    new_record_form = PauseForm
    new_record_intro = (
        "While a pause is in force, no plan is accepted. Everything else continues: signing, reading accounts, "
        "requesting plans. A call in progress is not interrupted."
    )
    buttons = (
        Button(
            name="resume",
            label="Resume acceptances",
            run=_resume,
            explanation="Ends the pause. Plans are then accepted for cases with all gates open.",
            is_offered=lambda found: found.ended_at is None,
            is_grave=True,
        ),
    )

    @display(description="State", label={"In force": "warning", "Ended": "success"})
    def state_label(self, found: Pause) -> str:
        return self.state_of(found)

    def state_of(self, record: Pause) -> str:
        return "Ended" if record.ended_at else "In force"

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Pause:
        return pause(**answers, by=by, at=at)
