"""The enrollment case and its history."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.public_records import MirroredRecord, PublicRecord
from core.staff_formats import describe_event
from enrollments.states import (
    FINAL_STATUSES,
    EnrollmentStatus,
    HoldOwner,
    LeavingReason,
)
from installations.models import Customer, Installation, Site
from poa_documents.models import PoaDocument


class Enrollment(MirroredRecord):
    """One customer's meter on its way to one plan."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="enrollments")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="enrollments")
    installations = models.ManyToManyField(Installation, related_name="enrollments")
    status = models.CharField(
        max_length=12, choices=EnrollmentStatus.choices, default=EnrollmentStatus.OPEN, editable=False
    )
    opened_at = models.DateTimeField()

    attested_poa = models.ForeignKey(
        PoaDocument, on_delete=models.PROTECT, null=True, blank=True, related_name="attested_enrollments"
    )
    attested_at = models.DateTimeField(null=True, blank=True, help_text="When Light confirmed our attestation.")

    light_account_uuid = models.UUIDField("Light account", null=True, blank=True, unique=True)
    light_status = models.CharField("Light's status", max_length=100, blank=True)
    light_status_since = models.DateTimeField(null=True, blank=True)
    light_stage = models.CharField(
        "how far the account has come", max_length=12, blank=True, help_text="Derived when it was last read."
    )
    light_account = models.JSONField("Light's account as last read", default=dict, blank=True)
    last_read_at = models.DateTimeField(null=True, blank=True)
    last_read_in_turn = models.CharField(
        max_length=36, blank=True, editable=False, help_text="The engine turn that last read it."
    )
    readings_asked = models.PositiveIntegerField(
        default=0, help_text="How often an extra reading was requested, usually by a webhook."
    )
    readings_given = models.PositiveIntegerField(
        default=0, help_text="How many of those had been requested when the last reading began."
    )

    held_by_customer_at = models.DateTimeField(
        "on hold by the customer since",
        null=True,
        blank=True,
        help_text="Nothing is accepted until the customer resumes it.",
    )

    accepted_offer = models.ForeignKey(
        "PlanOffer", on_delete=models.PROTECT, null=True, blank=True, related_name="accepted_by"
    )
    service_start_date = models.DateField(null=True, blank=True)
    service_end_date = models.DateField(null=True, blank=True, help_text="The last day of service, if Light shows one.")
    accepted_at = models.DateTimeField(null=True, blank=True)
    finalized_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.TextField(blank=True)

    left_reason = models.CharField(
        "why they left",
        max_length=20,
        choices=LeavingReason.choices,
        blank=True,
        help_text="As the office learned from the customer.",
    )
    win_back_note = models.TextField("what could win them back", blank=True)

    due_at = models.DateTimeField(null=True, blank=True, help_text="When the engine must decide again.")
    leased_by = models.CharField(max_length=36, blank=True, help_text="The engine turn that is working on it.")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="Renewed by the worker. Once it has passed, the worker is presumed dead."
    )
    calls_not_before = models.DateTimeField(
        null=True, blank=True, help_text="Light asked us to wait or could not be reached: no calls before this time."
    )
    failures = models.PositiveSmallIntegerField(default=0, help_text="How often in a row our processing failed.")
    failing_since = models.DateTimeField(null=True, blank=True, help_text="Since when our processing has failed.")
    calls_failed = models.PositiveSmallIntegerField(
        default=0, help_text="How often in a row Light could not be reached, or asked us to wait."
    )
    calls_failing_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when Light could not be reached for this case, or asked us to wait."
    )
    last_error = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When the next step was last decided.")
    next_step = models.CharField(max_length=30, blank=True)
    because = models.TextField(blank=True, help_text="Why this is the next step, in one sentence.")
    act_by_date = models.DateField(null=True, blank=True, help_text="The last day on which acting still helps.")
    whose_turn = models.CharField(max_length=12, choices=HoldOwner.choices, blank=True)
    customer_code = models.CharField(
        "what the customer is told",
        max_length=30,
        blank=True,
        help_text="Decided with the next step. The customer's page and mails follow it.",
    )
    customer_until_date = models.DateField(
        "date shown to the customer", null=True, blank=True, help_text="The date that the customer's page mentions."
    )
    changes_noted = models.PositiveIntegerField(
        default=0, help_text="How often the case changed in a way that requires a new decision."
    )
    changes_decided = models.PositiveIntegerField(
        default=0, help_text="How many of those changes the stored decision includes."
    )
    gates = models.JSONField(
        default=list,
        blank=True,
        help_text="The three gates as last decided: name, is_open and because.",
    )

    class Meta:
        ordering = ("-opened_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=~Q(status__in=sorted(FINAL_STATUSES)),
                name="one_open_enrollment_per_esi_id",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED])
                | Q(accepted_offer__isnull=False, service_start_date__isnull=False, accepted_at__isnull=False),
                name="accepted_names_offer_and_start",
            ),
            models.CheckConstraint(
                condition=Q(attested_poa__isnull=True, attested_at__isnull=True)
                | Q(attested_poa__isnull=False, attested_at__isnull=False),
                name="attested_with_which_poa_and_when",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["updated_at"], name="enrollment_updated"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="enrollment_due"),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="enrollment_leased"),
            models.Index(
                fields=["act_by_date"],
                condition=Q(status=EnrollmentStatus.OPEN, act_by_date__isnull=False),
                name="enrollment_act_by",
            ),
        ]

    def __str__(self) -> str:
        return f"Enrollment of {short_date(chicago_day(self.opened_at))}"


class EnrollmentEvent(PublicRecord):
    """One move or other event of an enrollment, in time order."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="events")
    name = models.CharField(max_length=60)
    old_status = models.CharField(max_length=12, blank=True)
    new_status = models.CharField(max_length=12, blank=True)
    actor = ActorField()
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")
        indexes: ClassVar = [models.Index(fields=["name", "at"], name="enrollment_event_kind")]

    def __str__(self) -> str:
        return describe_event(self.name)
