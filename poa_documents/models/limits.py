"""The limits a customer signs: as set by the office for a product, and as copied into one document."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from core.public_records import MirroredRecord
from installations.models import Language


class RateKind(models.TextChoices):
    FIXED = "FIXED", "Fixed rate"
    VARIABLE = "VARIABLE", "Variable rate"
    INDEXED = "INDEXED", "Indexed rate"


class Limits(models.Model):
    """
    The limits for a plan's prices, fees and term. A promise and the envelope copied from it have the same fields.

    Every field is required. A missing limit would not mean "no limit".
    """

    light_plan_group = models.UUIDField("Light plan group")
    rate_kind = models.CharField(max_length=10, choices=RateKind.choices, default=RateKind.FIXED)
    max_average_cents_per_kwh_500 = models.DecimalField(
        "highest average price at 500 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    max_average_cents_per_kwh_1000 = models.DecimalField(
        "highest average price at 1,000 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    max_average_cents_per_kwh_2000 = models.DecimalField(
        "highest average price at 2,000 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    max_base_fee_dollars = models.DecimalField("highest monthly base fee, dollars", max_digits=8, decimal_places=2)
    max_term_months = models.PositiveSmallIntegerField("longest term, months")
    max_termination_fee_dollars = models.DecimalField(
        "highest early termination fee, dollars", max_digits=8, decimal_places=2
    )
    min_buyback_cents_per_kwh = models.DecimalField(
        "lowest solar buyback, cents per kWh",
        max_digits=8,
        decimal_places=4,
        help_text="0 means that no buyback is required.",
    )

    class Meta:
        abstract = True


class PlanPromise(MirroredRecord, Limits):
    """A product the installer sells: Light's plan group, its name, a plain summary and the limits."""

    name = models.CharField(max_length=120)
    summary_en = models.TextField("summary, English")
    summary_es = models.TextField("summary, Spanish")
    is_offered = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def summary_in(self, language: str) -> str:
        return self.summary_es if language == Language.SPANISH else self.summary_en


class Envelope(MirroredRecord, Limits):
    """The limits inside one POA, copied at creation and never edited after it was sent."""

    plan_name = models.CharField(max_length=120)
    esi_id = models.CharField("ESI ID", max_length=22)
    earliest_start_date = models.DateField()
    latest_start_date = models.DateField()
    sunset_date = models.DateField(
        help_text="The last day (Chicago) on which anything may be done under this authority."
    )
    uses = models.PositiveSmallIntegerField(default=1, help_text="How many acceptances it grants.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(earliest_start_date__lte=F("latest_start_date")), name="envelope_start_range_in_order"
            ),
            models.CheckConstraint(condition=Q(uses__gte=1), name="envelope_grants_a_use"),
            models.CheckConstraint(
                condition=Q(
                    max_average_cents_per_kwh_500__gt=0,
                    max_average_cents_per_kwh_1000__gt=0,
                    max_average_cents_per_kwh_2000__gt=0,
                    max_base_fee_dollars__gte=0,
                    max_termination_fee_dollars__gte=0,
                    min_buyback_cents_per_kwh__gte=0,
                    max_term_months__gte=1,
                ),
                name="envelope_limits_are_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_name} for {self.esi_id}"
