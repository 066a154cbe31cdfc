from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.records import RecordAdmin
from core.admin.tables import display
from enrollments.actions.holds import release_hold
from enrollments.decision.steps import HOLDS_NOT_RELEASABLE
from enrollments.models import Hold


class OpenFilter(admin.SimpleListFilter):
    title = "open"
    parameter_name = "open"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Released")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Hold]) -> QuerySet[Hold] | None:
        if self.value() in {"yes", "no"}:
            return queryset.filter(released_at__isnull=self.value() == "yes")
        return None


class ReleaseForm(ButtonForm):
    reason = forms.CharField(
        label="What you did about it",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the case, for the next person who opens it.",
    )


def can_release(hold: Any) -> bool:
    """
    Whether a hold can be released with a note.

    A hold for a missing authority ends only with the customer's new signature. One about a customer who left has its
    own button on the case.
    """
    return hold is not None and hold.released_at is None and hold.code not in HOLDS_NOT_RELEASABLE


def _release(context: ButtonContext) -> str:
    release_hold(hold_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The hold is released; the case is being decided again."


@admin.register(Hold)
class HoldAdmin(RecordAdmin):
    list_display = ("code", "enrollment", "customer", "owner", "since", "act_by_date", "state_label")
    list_filter = (OpenFilter, "code", "owner", "since")
    search_fields = (
        "because",
        "release_reason",
        "enrollment__customer__first_name__unaccented",
        "enrollment__customer__last_name__unaccented",
        "enrollment__site__esi_id",
    )
    list_select_related = ("enrollment__customer",)
    ordering = ("released_at", "since", "pk")
    fieldsets = (
        (None, {"fields": (("enrollment", "customer"), ("code", "owner"), "because", ("since", "act_by_date"))}),
        ("How it ended", {"fields": (("released_at", "released_by"), "release_reason")}),
    )
    buttons = (
        Button(
            name="release",
            label="Release with a reason",
            run=_release,
            explanation=(
                "Confirms that the reason was dealt with. The case is decided again at once; if the reason is still "
                "there, it is blocked again."
            ),
            is_offered=can_release,
            form=ReleaseForm,
        ),
    )

    @display(description="Customer")
    def customer(self, hold: Hold) -> str:
        return str(hold.enrollment.customer)

    @display(description="State", label={"Open": "warning", "Released": "success"})
    def state_label(self, hold: Hold) -> str:
        return self.state_of(hold)

    def state_of(self, record: Hold) -> str:
        return "Released" if record.released_at else "Open"
