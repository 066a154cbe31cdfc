"""What the company decides, as a page: the history of its rules, and a form for new ones."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.forms.models import fields_for_model
from django.http import HttpRequest

from core import clock
from core.actors import Actor
from core.admin.buttons import ButtonForm
from core.admin.records import AddableRecordAdmin
from core.admin.tables import display
from core.company_rules import RULE_FIELDS, current_rules, decide_company_rules, rules_at, scheduled_rules
from core.dates import chicago_day, chicago_time
from core.models import CompanyRules


class CompanyRulesForm(ButtonForm):
    effective_from_date = forms.DateField(
        label="In effect from",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Today means at once. Until that day the rules before it apply.",
    )
    reason = forms.CharField(label="Why", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the rules.")


CompanyRulesForm.base_fields = {**fields_for_model(CompanyRules, RULE_FIELDS), **CompanyRulesForm.base_fields}


@admin.register(CompanyRules)
class CompanyRulesAdmin(AddableRecordAdmin):
    list_display = ("__str__", "state", "effective_from", "reason", "decided_by", "decided_at")
    search_fields = ("name", "reason")
    new_record_form = CompanyRulesForm

    @display(description="State", label={"In effect": "success", "Scheduled": "info"})
    def state(self, rules: CompanyRules) -> str:
        now = clock.now()
        if rules.effective_from > now:
            return "Scheduled"
        return "In effect" if rules == rules_at(now) else "Replaced"

    def new_record_start(self, request: HttpRequest) -> dict[str, Any]:
        in_effect = current_rules()
        values = {name: getattr(in_effect, name) for name in RULE_FIELDS}
        return {**values, "effective_from_date": chicago_day(clock.now()), **request.GET.dict()}

    def new_record_text(self) -> str:
        text = (
            "Rules are never changed: new ones take their place, and the old ones stay on record. The form begins with "
            "the rules in effect."
        )
        later = [f"{chicago_time(rules.effective_from)} ({rules.reason})" for rules in _scheduled()]
        if not later:
            return text
        return f"{text} Rules are scheduled already and replace what you decide here on their day: {', '.join(later)}."

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> CompanyRules:
        values = {name: answers.pop(name) for name in RULE_FIELDS}
        return decide_company_rules(values=values, **answers, by=by, at=at)


def _scheduled() -> list[CompanyRules]:
    return scheduled_rules(after=clock.now())
