"""Enrollments, what Light offered, every write to Light, every delivery from it, and what needs a person."""

import hashlib
from datetime import date, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from core.dates import chicago_day
from enrollments.retention import RecordClass, RetentionClock
from enrollments.states import (
    FINAL_STATUSES,
    UNSETTLED_WRITE_STATUSES,
    DifferenceKind,
    EnrollmentStatus,
    HoldCode,
    HoldOwner,
    WriteKind,
    WriteStatus,
)
from installations.models import Customer, Installation, Site
from poa_documents.evidence import canonical_json
from poa_documents.models import MailKind, PoaDocument


class Enrollment(models.Model):
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
    readings_asked = models.PositiveIntegerField(
        default=0, help_text="How often somebody, mostly a webhook, asked for a reading out of turn."
    )
    readings_given = models.PositiveIntegerField(
        default=0, help_text="How many of those had been asked for when the last reading began."
    )

    held_by_customer_at = models.DateTimeField(
        "on hold by the customer since",
        null=True,
        blank=True,
        help_text="Nothing is accepted until the customer lets it go on.",
    )

    accepted_offer = models.ForeignKey(
        "PlanOffer", on_delete=models.PROTECT, null=True, blank=True, related_name="accepted_by"
    )
    service_start_date = models.DateField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    finalized_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.TextField(blank=True)

    due_at = models.DateTimeField(null=True, blank=True, help_text="When the engine must look again.")
    leased_by = models.CharField(max_length=36, blank=True, help_text="The turn of a worker that has it in hand.")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="The worker renews this while it lives; once it is past, the worker is dead."
    )
    calls_not_before = models.DateTimeField(
        null=True, blank=True, help_text="Light asked us to wait, or could not be reached: no call before then."
    )
    failures = models.PositiveSmallIntegerField(default=0, help_text="How often in a row our processing failed.")
    calls_failed = models.PositiveSmallIntegerField(
        default=0, help_text="How often in a row Light could not be reached, or asked us to wait."
    )
    last_error = models.TextField(blank=True)
    next_step = models.CharField(max_length=30, blank=True)
    because = models.TextField(blank=True, help_text="Why the next step is what it is, in one sentence.")
    act_by_date = models.DateField(null=True, blank=True, help_text="The last day on which acting still helps.")
    whose_turn = models.CharField(max_length=12, choices=HoldOwner.choices, blank=True)
    gates = models.JSONField(
        default=list,
        blank=True,
        help_text="As last decided, for lists: name, is_open and because of each of the three gates.",
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
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="enrollment_due"),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="enrollment_leased"),
            models.Index(
                fields=["act_by_date"],
                condition=Q(status=EnrollmentStatus.OPEN, act_by_date__isnull=False),
                name="enrollment_act_by",
            ),
        ]

    def __str__(self) -> str:
        return f"Enrollment {self.pk}"


class EnrollmentEvent(models.Model):
    """One move of an enrollment, or one thing that happened to it, in time order."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="events")
    name = models.CharField(max_length=60)
    old_status = models.CharField(max_length=12, blank=True)
    new_status = models.CharField(max_length=12, blank=True)
    actor = models.CharField(max_length=60)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")
        indexes: ClassVar = [models.Index(fields=["name", "at"], name="enrollment_event_kind")]

    def __str__(self) -> str:
        return f"{self.name} by {self.actor}"


class LightWrite(models.Model):
    """
    One call that changes something at Light: recorded before it is made, closed after it.

    A write found open after its worker died is in doubt, never "not done".
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="writes")
    kind = models.CharField(max_length=20, choices=WriteKind.choices)
    status = models.CharField(max_length=10, choices=WriteStatus.choices, default=WriteStatus.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    request = models.JSONField(default=dict, help_text="What was sent, without secrets and personal data.")
    answer = models.JSONField(default=dict, blank=True, help_text="What came back, without secrets and personal data.")
    outcome = models.TextField(blank=True)
    hold_code = models.CharField(
        max_length=30, choices=HoldCode.choices, blank=True, help_text="Which hold a refusal of this call leads to."
    )
    doubt_since = models.DateTimeField(null=True, blank=True)
    doubt_readings = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("opened_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"],
                condition=Q(status__in=sorted(UNSETTLED_WRITE_STATUSES)),
                name="one_unsettled_write_per_enrollment",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(UNSETTLED_WRITE_STATUSES), closed_at__isnull=True)
                | (~Q(status__in=sorted(UNSETTLED_WRITE_STATUSES)) & Q(closed_at__isnull=False)),
                name="write_closed_when_settled",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "opened_at"], name="write_kind_opened")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_status_display()})"


class PlanOffer(models.Model):
    """One priced plan as Light offered it, with our verdict against the envelope."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="offers")
    write = models.ForeignKey(LightWrite, on_delete=models.PROTECT, related_name="offers")
    light_plan_uuid = models.UUIDField("Light plan")
    light_plan_group = models.UUIDField("Light plan group", null=True, blank=True)
    name = models.CharField(max_length=200, blank=True)
    esi_id = models.CharField("ESI ID", max_length=22)
    rate_kind = models.CharField(max_length=40, blank=True)
    term_months = models.PositiveSmallIntegerField(null=True, blank=True)
    average_cents_per_kwh_500 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    average_cents_per_kwh_1000 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    average_cents_per_kwh_2000 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    energy_cents_per_kwh = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    base_fee_dollars = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    termination_fee_dollars = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    buyback_cents_per_kwh = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    efl_url = models.CharField("EFL", max_length=500, blank=True)
    tos_url = models.CharField("TOS", max_length=500, blank=True)
    yrac_url = models.CharField("YRAC", max_length=500, blank=True)
    requested_at = models.DateTimeField()
    stale_at = models.DateTimeField(help_text="From then on it is asked for again.")
    verdict = models.JSONField(default=list, help_text="Field by field: what was signed, what is offered, does it fit.")
    fits = models.BooleanField(default=False, help_text="Whether every limited field fits the envelope.")
    raw = models.JSONField(default=dict, help_text="The plan exactly as Light sent it.")

    class Meta:
        ordering = ("-requested_at", "pk")

    def __str__(self) -> str:
        return self.name or str(self.light_plan_uuid)

    @property
    def raw_sha256(self) -> str:
        """The hash of the plan exactly as Light sent it, which evidence and acceptance name."""
        return hashlib.sha256(canonical_json(self.raw).encode()).hexdigest()


class PlanDocumentKind(models.TextChoices):
    """The documents that make up the contract beside the proof of enrollment. Source: domain notes, section 1."""

    EFL = "EFL", "Electricity Facts Label"
    TOS = "TOS", "Terms of Service"
    YRAC = "YRAC", "Your Rights as a Customer"


class PlanDocument(models.Model):
    """
    One document of a plan that we set out to accept: owed since the attempt was recorded, fetched and stored after it.

    The address may show another text tomorrow; what is stored is what it showed when the plan was accepted.
    """

    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=4, choices=PlanDocumentKind.choices)
    url = models.CharField("address", max_length=500, blank=True)
    owed_since = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, help_text="When it is tried next; empty once given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    stored_at = models.DateTimeField(null=True, blank=True)
    storage_key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size_bytes = models.PositiveIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ("offer", "kind")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offer", "kind"], name="one_plan_document_per_offer_and_kind"),
            models.CheckConstraint(
                condition=Q(stored_at__isnull=True, storage_key="", sha256="", size_bytes__isnull=True)
                | (Q(stored_at__isnull=False, size_bytes__isnull=False) & ~Q(storage_key="") & ~Q(sha256="")),
                name="plan_document_stored_with_key_hash_and_size",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(stored_at__isnull=True), name="plan_document_due"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.offer}"


class AdvanceNotice(models.Model):
    """
    That a customer was told which plan is about to be accepted and from which start, and until when he may object.

    The newest one counts. Nothing is accepted before it is over, nor on other terms that are worse.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="notices")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="notices")
    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="notices")
    start_date = models.DateField(help_text="The start of service that was announced.")
    given_at = models.DateTimeField()
    until = models.DateTimeField(help_text="From this Chicago midnight on the plan may be accepted.")

    class Meta:
        ordering = ("given_at", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(until__gt=F("given_at")), name="notice_leaves_time_to_object"),
        ]

    def __str__(self) -> str:
        return f"Notice of {self.offer} from {self.start_date}"

    @property
    def mail_key(self) -> str:
        """Names the one mail that tells the customer."""
        return f"case:{self.enrollment_id}:{MailKind.ADVANCE_NOTICE}:{self.pk}"

    @property
    def last_day(self) -> date:
        """The last Chicago day on which the customer may object."""
        return chicago_day(self.until) - timedelta(days=1)


class AcceptAttempt(models.Model):
    """One acceptance: which offer, under which authority, for which meter and start. Written before the call."""

    write = models.OneToOneField(LightWrite, on_delete=models.PROTECT, related_name="acceptance")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="acceptances")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="acceptances")
    poa_sha256 = models.CharField("SHA-256 of the sealed POA", max_length=64)
    offer_sha256 = models.CharField(
        "SHA-256 of the offer", max_length=64, blank=True, help_text="Of the offer exactly as Light sent it."
    )
    poa_use = models.PositiveSmallIntegerField(default=1)
    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="acceptances")
    esi_id = models.CharField("ESI ID", max_length=22)
    service_start_date = models.DateField()
    chicago_date = models.DateField(help_text="The Chicago day on which it was sent.")
    succeeded = models.BooleanField(null=True, help_text="Empty while unknown.")

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(succeeded__isnull=True), name="one_open_acceptance_per_enrollment"
            ),
            models.UniqueConstraint(
                fields=["poa", "poa_use", "esi_id"],
                condition=Q(succeeded=True) | Q(succeeded__isnull=True),
                name="one_acceptance_per_authority_use_and_esi_id",
            ),
        ]

    def __str__(self) -> str:
        return f"Acceptance of {self.offer} from {self.service_start_date}"


class RemoteCall(models.Model):
    """One exchange with Light over HTTP, reads included: where, when, how long, what status. No bodies."""

    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="remote_calls"
    )
    purpose = models.CharField(max_length=40)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=200)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.FloatField()
    problem = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class LightPace(models.Model):
    """
    When Light may be called next, shared by all processes: the only row of its table, and only where a limit is set.

    What one call takes of the time is longer for a while after Light answered that we are too fast.
    """

    free_at = models.DateTimeField(help_text="The next call may be sent then.")
    seconds_per_call = models.FloatField(help_text="How far apart calls are sent at present.")

    class Meta:
        verbose_name_plural = "pace of calls to Light"

    def __str__(self) -> str:
        return f"{1 / self.seconds_per_call:.2f} calls a second"


class Hold(models.Model):
    """Why a person is needed, whose turn it is, since when, and how it ended."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="holds")
    code = models.CharField(max_length=30, choices=HoldCode.choices)
    because = models.TextField()
    owner = models.CharField(max_length=12, choices=HoldOwner.choices)
    since = models.DateTimeField()
    act_by_date = models.DateField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=60, blank=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("since", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(released_at__isnull=True), name="one_open_hold_per_enrollment"
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by="")
                | (Q(released_at__isnull=False) & ~Q(released_by="") & ~Q(release_reason="")),
                name="hold_released_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return self.get_code_display()


class Pause(models.Model):
    """While one is open, no plan is accepted: anywhere, or within one plan group."""

    light_plan_group = models.UUIDField("Light plan group", null=True, blank=True, help_text="Empty pauses all.")
    reason = models.TextField()
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("-started_at", "-pk")

    def __str__(self) -> str:
        return f"Pause of {self.light_plan_group or 'all acceptances'}"


class SystemHold(models.Model):
    """While one is open, nothing is written to Light, for no case at all. Reading goes on."""

    reason = models.TextField()
    needs_reconciliation = models.BooleanField(
        default=False, help_text="After a restore: every account must have been read before it can be released."
    )
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("-started_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="system_hold_ended_by_whom",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["started_at"], condition=Q(ended_at__isnull=True), name="system_hold_open"),
        ]

    def __str__(self) -> str:
        return "Stop of all writes to Light"


class DatabasePlace(models.Model):
    """Where this database first worked with a Light that is not on the same machine. One row, never changed."""

    place = models.CharField(max_length=200)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.place


class ReconciliationRun(models.Model):
    """One comparison of every account at Light with what we know of it. Nothing is written to Light."""

    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=60)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_enrollment_id = models.PositiveBigIntegerField(default=0, help_text="How far the run has come.")
    read_count = models.PositiveIntegerField("accounts read", default=0)
    matching_count = models.PositiveIntegerField("accounts that match", default=0)
    unread_count = models.PositiveIntegerField("accounts that could not be read", default=0)

    class Meta:
        ordering = ("-started_at", "-pk")

    def __str__(self) -> str:
        return f"Reconciliation {self.pk}"

    @property
    def is_complete(self) -> bool:
        """Whether every account was read."""
        return self.finished_at is not None and self.unread_count == 0


class Difference(models.Model):
    """One account that a reconciliation found to be other than what we know, and what to do about it."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=30, choices=DifferenceKind.choices)
    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    light_account_uuid = models.CharField("Light account", max_length=64)
    ours = models.TextField("what we know", blank=True)
    theirs = models.TextField("what Light shows", blank=True)
    repair = models.TextField("proposed repair")

    class Meta:
        ordering = ("run", "pk")

    def __str__(self) -> str:
        return self.get_kind_display()


class WebhookDelivery(models.Model):
    """One webhook as it reached us, its signature already verified."""

    event_key = models.CharField(
        max_length=100, unique=True, help_text="Light's event id, or the hash of the body when it has none."
    )
    body = models.TextField(help_text="The raw body; bytes that are no text stand as \\xNN.")
    body_sha256 = models.CharField("SHA-256 of the body", max_length=64)
    headers = models.JSONField(default=dict, help_text="As received, without the signature.")
    event_name = models.CharField(max_length=100, blank=True)
    light_account_uuid = models.CharField("Light account", max_length=64, blank=True)
    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="deliveries"
    )
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ("-received_at", "-pk")
        indexes: ClassVar = [
            models.Index(fields=["received_at"], name="delivery_received"),
            models.Index(fields=["received_at"], condition=Q(settled_at__isnull=True), name="delivery_unsettled"),
        ]

    def __str__(self) -> str:
        return self.event_name or self.event_key


class EvidencePackRead(models.Model):
    """That somebody took the evidence pack of a case. Kept outside what goes into a pack, so that none changes it."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="evidence_reads")
    actor = models.CharField("taken by", max_length=60)
    at = models.DateTimeField()
    sha256 = models.CharField("fingerprint (SHA-256)", max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    newest_fact_at = models.DateTimeField("as of", help_text="The newest fact in it.")
    missing = models.JSONField(default=list, blank=True, help_text="Files that were missing or altered.")

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"Evidence pack {self.sha256[:12]}…"


class RetentionRule(models.Model):
    """How long one kind of record is kept, from a day on. Never changed: a later rule takes its place."""

    record_class = models.CharField("what is kept", max_length=10, choices=RecordClass.choices)
    clock = models.CharField("counted", max_length=12, choices=RetentionClock.choices)
    months = models.PositiveSmallIntegerField()
    effective_from_date = models.DateField()
    source = models.TextField(help_text="The law or advice that it rests on.")
    decided_by = models.CharField(max_length=60)
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ("record_class", "clock", "-effective_from_date")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record_class", "clock", "effective_from_date"], name="one_retention_rule_per_clock_and_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.months} months {self.get_clock_display()}"


class LegalHoldKind(models.TextChoices):
    DISPUTE = "DISPUTE", "Open dispute"
    LEGAL_HOLD = "LEGAL_HOLD", "Legal hold"


class LegalHold(models.Model):
    """While one is open, nothing of the case is destroyed, however old it is."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="legal_holds")
    kind = models.CharField(max_length=10, choices=LegalHoldKind.choices)
    reason = models.TextField()
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=60)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=60, blank=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-placed_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(lifted_at__isnull=True), name="one_open_legal_hold_per_enrollment"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="", lift_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="") & ~Q(lift_reason="")),
                name="legal_hold_lifted_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class Destruction(models.Model):
    """
    Proof that records were destroyed when their time was over. It names no person and stays for good.

    The journals' own proofs (`poa_documents.models.DestructionProof`), a chain of hashes, name its number and hash.
    """

    record_class = models.CharField("what was destroyed", max_length=10, choices=RecordClass.choices)
    subject = models.CharField(max_length=60)
    rule = models.TextField(help_text="The rules that were in force, and the days from which they counted.")
    kept_until_date = models.DateField()
    sha256 = models.CharField(
        "SHA-256", max_length=64, help_text="Of what was destroyed; for a case, the fingerprint of its evidence pack."
    )
    rows = models.JSONField(default=dict, help_text="How many rows of each kind.")
    actor = models.CharField("by", max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"Destruction of {self.subject}"


class DestroyedFile(models.Model):
    """A stored file that no record names any more: to be removed from the storage, until `destroyed_at` says so."""

    destruction = models.ForeignKey(Destruction, on_delete=models.PROTECT, related_name="files")
    storage_key = models.CharField(max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    destroyed_at = models.DateTimeField(null=True, blank=True)
    kept_because = models.TextField(blank=True, help_text="Why it is still there, where it is.")

    class Meta:
        ordering = ("destruction", "storage_key")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["destruction", "storage_key"], name="file_destroyed_once_per_destruction")
        ]

    def __str__(self) -> str:
        return self.storage_key


class WebhookRefusal(models.Model):
    """How many requests with a wrong or missing signature came on one Chicago day. Nothing else of them is kept."""

    date = models.DateField(unique=True)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    last_reason = models.CharField(max_length=200)

    class Meta:
        ordering = ("-date",)

    def __str__(self) -> str:
        return f"{self.count} webhooks refused on {self.date}"
