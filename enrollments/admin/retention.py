from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin

from core.actors import Actor
from core.admin.buttons import ButtonForm
from core.admin.records import AddableRecordAdmin, RecordAdmin
from core.admin.tables import display
from enrollments.actions.retention_rules import decide_retention_rule
from enrollments.models import DestroyedFile, Destruction, LegalHold, RetentionRule
from enrollments.retention_terms import RecordClass, RetentionClock


class RuleForm(ButtonForm):
    record_class = forms.ChoiceField(label="What is kept", choices=RecordClass.choices)
    clock = forms.ChoiceField(label="Counted", choices=RetentionClock.choices)
    months = forms.IntegerField(min_value=0, max_value=1200)
    effective_from_date = forms.DateField(
        label="In effect from",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The previous rule applies until the day before.",
    )
    source = forms.CharField(
        label="Law or legal advice it is based on",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the rule.",
    )


@admin.register(RetentionRule)
class RetentionRuleAdmin(AddableRecordAdmin):
    list_display = ("__str__", "record_class", "clock", "months", "effective_from_date")
    list_filter = ("record_class", "clock")
    search_fields = ("source",)
    new_record_form = RuleForm
    new_record_intro = (
        "How long records are kept. If several rules apply, the longest wins. A rule is never changed; a later one "
        "replaces it. This page destroys nothing: operations run “manage.py purge”."
    )

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> RetentionRule:
        return decide_retention_rule(**answers, by=by, at=at)


@admin.register(LegalHold)
class LegalHoldAdmin(RecordAdmin):
    list_display = ("__str__", "enrollment", "reason", "placed_at", "placed_by", "state_label")
    list_filter = ("kind", "placed_at", "lifted_at")
    search_fields = ("reason", "enrollment__site__esi_id", "enrollment__customer__last_name__unaccented")
    list_select_related = ("enrollment",)

    @display(description="State", label={"In force": "warning", "Lifted": "success"})
    def state_label(self, hold: LegalHold) -> str:
        return "Lifted" if hold.lifted_at else "In force"


@admin.register(Destruction)
class DestructionAdmin(RecordAdmin):
    list_display = ("__str__", "record_class", "kept_until_date", "at", "actor", "sha256")
    list_filter = ("record_class", "at")
    search_fields = ("subject", "sha256")


@admin.register(DestroyedFile)
class DestroyedFileAdmin(RecordAdmin):
    list_display = ("storage_key", "destruction", "destroyed_at", "kept_because")
    list_filter = ("destroyed_at",)
    search_fields = ("storage_key", "sha256")
    list_select_related = ("destruction",)
