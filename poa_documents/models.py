"""Wording, promised plans, the signed document with its envelope of limits, consents and evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from core.encryption import EncryptedTextField
from installations.models import Customer, Language, Site
from poa_documents.states import ENDED_MAYBE_UNSTORED, EVER_SIGNED_STATUSES, OPEN_STATUSES, PoaStatus

WORDING_FIELDS = (
    "version",
    "language",
    "title",
    "body",
    "broker_facts",
    "erecord_disclosure",
    "summary",
    "confirm_acts_for_me",
    "confirm_limits",
    "confirm_timing",
    "confirm_adult",
)


class WordingInUse(Exception):
    """Somebody may have read these words and agreed to them; they can no longer be changed."""

    def __init__(self, template: "PoaTemplate", fields: Sequence[str]) -> None:
        super().__init__(
            f"Version {template.version} ({template.language}) is in use: {', '.join(fields)} cannot be changed. "
            "Add the new words as the next version, in English and Spanish."
        )


class PoaTemplate(models.Model):
    """
    The wording of one version in one language. Immutable once a document uses it; both languages change together.

    Texts may name `$placeholders`, which `wording.render` fills from the case.
    """

    version = models.PositiveIntegerField()
    language = models.CharField(max_length=2, choices=Language.choices)
    title = models.CharField(max_length=200)
    body = models.TextField(help_text="The document itself: blank lines part paragraphs, '## ' starts a heading.")
    broker_facts = models.TextField(help_text="Who we are, how and by whom we are paid, whom we are affiliated with.")
    erecord_disclosure = models.TextField(help_text="What agreeing to electronic records means.")
    summary = models.TextField(help_text="The document in plain words.")
    confirm_acts_for_me = models.TextField()
    confirm_limits = models.TextField()
    confirm_timing = models.TextField()
    confirm_adult = models.TextField()
    effective_from_date = models.DateField()
    effective_until_date = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = "POA template"
        ordering = ("-version", "language")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "language"], name="one_template_per_version_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.version}, {self.language})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises WordingInUse: a document already uses these words and they would change"""
        if self.pk is not None and self.documents.exists():
            kept = PoaTemplate.objects.values(*WORDING_FIELDS).get(pk=self.pk)
            changed = [name for name in WORDING_FIELDS if kept[name] != getattr(self, name)]
            if changed:
                raise WordingInUse(self, changed)
        super().save(*args, **kwargs)


class RateKind(models.TextChoices):
    FIXED = "FIXED", "Fixed rate"
    VARIABLE = "VARIABLE", "Variable rate"
    INDEXED = "INDEXED", "Indexed rate"


class Limits(models.Model):
    """
    What a plan may cost and bind at the most: the same fields in a promise and in the envelope copied from it.

    Every field is required. A missing limit would not mean "no limit".
    """

    light_plan_group = models.UUIDField("Light plan group")
    rate_kind = models.CharField(max_length=10, choices=RateKind.choices, default=RateKind.FIXED)
    highest_average_cents_per_kwh_500 = models.DecimalField(
        "highest average price at 500 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    highest_average_cents_per_kwh_1000 = models.DecimalField(
        "highest average price at 1,000 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    highest_average_cents_per_kwh_2000 = models.DecimalField(
        "highest average price at 2,000 kWh, cents per kWh", max_digits=8, decimal_places=4
    )
    highest_base_fee_dollars = models.DecimalField("highest monthly base fee, dollars", max_digits=8, decimal_places=2)
    longest_term_months = models.PositiveSmallIntegerField("longest term, months")
    highest_termination_fee_dollars = models.DecimalField(
        "highest early termination fee, dollars", max_digits=8, decimal_places=2
    )
    lowest_buyback_cents_per_kwh = models.DecimalField(
        "lowest solar buyback, cents per kWh",
        max_digits=8,
        decimal_places=4,
        help_text="0 says in so many words that no buyback is required.",
    )

    class Meta:
        abstract = True


class PlanPromise(Limits):
    """A product the installer sells: Light's plan group, its name, a plain summary and the limits we ask for."""

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


class Envelope(Limits):
    """The limits inside one POA, copied when it is made and never edited after it was sent."""

    plan_name = models.CharField(max_length=120)
    esi_id = models.CharField("ESI ID", max_length=22)
    earliest_start_date = models.DateField()
    latest_start_date = models.DateField()
    sunset_date = models.DateField(help_text="Last Chicago day on which anything may be done under this authority.")
    uses = models.PositiveSmallIntegerField(default=1, help_text="How many acceptances it grants.")

    poa: "PoaDocument"

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(earliest_start_date__lte=F("latest_start_date")), name="envelope_start_range_in_order"
            ),
            models.CheckConstraint(condition=Q(uses__gte=1), name="envelope_grants_a_use"),
            models.CheckConstraint(
                condition=Q(
                    highest_average_cents_per_kwh_500__gt=0,
                    highest_average_cents_per_kwh_1000__gt=0,
                    highest_average_cents_per_kwh_2000__gt=0,
                    highest_base_fee_dollars__gte=0,
                    highest_termination_fee_dollars__gte=0,
                    lowest_buyback_cents_per_kwh__gte=0,
                    longest_term_months__gte=1,
                ),
                name="envelope_limits_are_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_name} for {self.esi_id}"


class SignatureKind(models.TextChoices):
    DRAWN = "DRAWN", "Drawn"
    TYPED = "TYPED", "Typed"
    PAPER = "PAPER", "By hand on paper"


class RevocationChannel(models.TextChoices):
    PORTAL = "PORTAL", "Customer's page"
    PHONE = "PHONE", "Phone"
    EMAIL = "E_MAIL", "E-mail"
    LETTER = "LETTER", "Letter"
    TEXT = "TEXT", "Text message"
    IN_PERSON = "IN_PERSON", "In person"


class PoaDocument(models.Model):
    """One limited power of attorney: one customer, one site, one envelope."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="poas")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="poas")
    template = models.ForeignKey(PoaTemplate, on_delete=models.PROTECT, related_name="documents")
    promise = models.ForeignKey(PlanPromise, on_delete=models.PROTECT, related_name="documents")
    envelope = models.OneToOneField(Envelope, on_delete=models.PROTECT, related_name="poa")
    status = models.CharField(max_length=12, choices=PoaStatus.choices, default=PoaStatus.DRAFT, editable=False)
    created_at = models.DateTimeField()

    token_hash = models.CharField(max_length=64, blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    link_made_at = models.DateTimeField(null=True, blank=True, editable=False)
    link_sent_to = models.EmailField(
        blank=True, editable=False, help_text="The link is dead as soon as the customer's address is another one."
    )
    sent_at = models.DateTimeField(null=True, blank=True)

    signature_kind = models.CharField(max_length=5, choices=SignatureKind.choices, blank=True)
    signature_text = EncryptedTextField(
        blank=True, default="", editable=False, help_text="The typed name, or the drawn strokes as JSON points."
    )
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_from_ip = models.GenericIPAddressField(null=True, blank=True)
    signed_user_agent = models.CharField(max_length=300, blank=True)
    document_sha256 = models.CharField(
        "SHA-256 of the text shown", max_length=64, blank=True, help_text="Hash of the exact text the customer saw."
    )

    pdf_storage_key = models.CharField(max_length=200, blank=True)
    pdf_sha256 = models.CharField("SHA-256 of the sealed file", max_length=64, blank=True)
    pdf_size_bytes = models.PositiveIntegerField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)
    seal_certificate_sha256 = models.CharField(
        "SHA-256 of the seal's certificate",
        max_length=64,
        blank=True,
        help_text="Empty for documents from before there were seals: those count by their hash.",
    )
    timestamp_due_at = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="When a time stamp is asked for that could not be had at sealing.",
    )
    file_checked_at = models.DateTimeField(null=True, blank=True, db_index=True)
    file_damaged_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when the stored file is known to be missing, altered or badly sealed."
    )

    suspended_because = models.TextField(blank=True, help_text="The stop signal that a person must resolve.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was declined, voided, revoked and so on.")
    ended_because = models.TextField(blank=True)
    revocation_channel = models.CharField(max_length=10, choices=RevocationChannel.choices, blank=True)
    revocation_received_at = models.DateTimeField(
        null=True, blank=True, help_text="When the customer's word reached us; it may be recorded later."
    )
    paper_wanted_at = models.DateTimeField(
        "consent to electronic records withdrawn at",
        null=True,
        blank=True,
        help_text="From then on the customer gets paper. What was signed before stays valid.",
    )
    paper_wanted_channel = models.CharField(max_length=10, choices=RevocationChannel.choices, blank=True)
    uses_made = models.PositiveSmallIntegerField(default=0, editable=False)

    due_at = models.DateTimeField(null=True, blank=True, db_index=True, help_text="When the sweep must look again.")
    remind_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When to look whether the customer is to be reminded."
    )
    seal_failures = models.PositiveSmallIntegerField(default=0, editable=False)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name = "power of attorney"
        verbose_name_plural = "powers of attorney"
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=Q(status__in=[PoaStatus.DRAFT, PoaStatus.SENT, PoaStatus.SEALING]),
                name="one_unsigned_poa_per_site",
            ),
            models.UniqueConstraint(
                fields=["token_hash"], condition=~Q(token_hash=""), name="signing_link_names_one_poa"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(EVER_SIGNED_STATUSES - ENDED_MAYBE_UNSTORED))
                | (Q(signed_at__isnull=False, sealed_at__isnull=False) & ~Q(pdf_sha256="") & ~Q(pdf_storage_key="")),
                name="signed_means_sealed_and_stored",
            ),
        ]

    def __str__(self) -> str:
        return f"POA {self.pk} of {self.customer}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


class StopKind(models.TextChoices):
    DECEASED = "DECEASED", "The customer died"
    INCAPACITATED = "INCAPACITATED", "The customer can no longer decide"


class StopSignal(models.Model):
    """
    That a customer was reported dead or unable to decide: nothing is done in his name while it stands.

    It concerns the person, so every power of attorney of his at every site. Source: domain notes, section 5.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="stop_signals")
    kind = models.CharField(max_length=15, choices=StopKind.choices)
    source = models.TextField(help_text="Who reported it, and how he knows.")
    received_at = models.DateTimeField(help_text="When the report reached us.")
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=60, blank=True)
    decision = models.TextField(blank=True, help_text="What the office found out and decided.")

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "kind"], condition=Q(ended_at__isnull=True), name="one_open_stop_signal_of_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="stop_signal_ended_when_and_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.customer}"


class SealTimestamp(models.Model):
    """
    A third party's word (RFC 3161) for when a POA's seal, or its sealed file, existed.

    The one inside the seal is kept before the file is stored, so that a second try makes the same bytes. Could it not
    be had in time, one over the whole file is added later and stands beside the file, which stays as it is.
    """

    poa = models.OneToOneField(PoaDocument, on_delete=models.PROTECT, related_name="seal_timestamp")
    is_inside = models.BooleanField(help_text="Whether it is part of the seal; otherwise it is about the whole file.")
    stamped_at = models.DateTimeField(help_text="The moment as the authority says it.")
    authority_sha256 = models.CharField("SHA-256 of the authority's certificate", max_length=64)
    token = models.BinaryField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Time stamp of POA {self.poa_id}, {self.stamped_at:%Y-%m-%d %H:%M:%S} UTC"


class IssuersAnswer(models.Model):
    """
    What the issuers of a certificate said: that nothing was revoked, or that it was.

    Asked ahead, so that no signature ever waits for an issuer, and kept for a while, so that a second try to seal makes
    the same bytes. The certificate is that of the seal, or of an authority that gives time stamps.
    """

    certificate_sha256 = models.CharField("SHA-256 of the certificate", max_length=64, db_index=True)
    asked_at = models.DateTimeField(db_index=True)
    counts_from = models.DateTimeField(null=True, blank=True)
    counts_until = models.DateTimeField(null=True, blank=True)
    archive = models.BinaryField(blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    said = models.TextField(blank=True, help_text="What the issuer said when it was revoked.")

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, counts_from__isnull=False, counts_until__isnull=False)
                | Q(revoked_at__isnull=False, counts_from__isnull=True, counts_until__isnull=True),
                name="answer_is_good_or_says_revoked",
            )
        ]

    def __str__(self) -> str:
        said = "revoked" if self.revoked_at else "not revoked"
        return f"{self.certificate_sha256[:8]}…, {said}, asked {self.asked_at:%Y-%m-%d %H:%M} UTC"


class Statement(models.TextChoices):
    """What a customer is shown and consents to, in the order of the page. Source: domain notes, section 5."""

    BROKER_FACTS = "BROKER_FACTS", "Broker facts"
    ERECORD = "ERECORD", "Electronic records"
    SUMMARY = "SUMMARY", "Plain summary"
    ACTS_FOR_ME = "ACTS_FOR_ME", "The installer acts for me"
    LIMITS = "LIMITS", "Plan limits"
    TIMING = "TIMING", "Timing"
    ADULT = "ADULT", "Adult and authorized for the premise"
    DOCUMENT = "DOCUMENT", "The document"


class ConsentRecord(models.Model):
    """
    That a customer agreed to one statement: which words, when, from where.

    It counts for those words only: after a change of language or wording the statement is asked again, and both stay.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="consents")
    statement = models.CharField(max_length=20, choices=Statement.choices)
    wording_version = models.PositiveIntegerField()
    words = models.TextField(help_text="The exact words shown.")
    wording_sha256 = models.CharField("SHA-256 of the words shown", max_length=64)
    language = models.CharField(max_length=2, choices=Language.choices)
    given_at = models.DateTimeField()
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("given_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa", "statement", "wording_sha256"], name="one_consent_per_words_shown")
        ]

    def __str__(self) -> str:
        return f"{self.get_statement_display()} of POA {self.poa_id}"


class PaperSignature(models.Model):
    """
    A signature by hand on paper: one person scans it in, another compares the scan and confirms it.

    It gives no authority before that. A scan that was refused stays, with the reason.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="paper_signatures")
    signed_date = models.DateField(help_text="The date that the customer wrote beside the signature.")
    document_sha256 = models.CharField("SHA-256 of the words printed", max_length=64)
    scan_storage_key = models.CharField(max_length=200)
    scan_sha256 = models.CharField("SHA-256 of the scan", max_length=64)
    scan_size_bytes = models.PositiveIntegerField()
    scan_content_type = models.CharField(max_length=40)
    recorded_by = models.CharField(max_length=60)
    recorded_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=60, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    refused_by = models.CharField(max_length=60, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_because = models.TextField(blank=True)

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["poa"], condition=Q(refused_at__isnull=True), name="one_paper_signature_per_poa"
            ),
            models.CheckConstraint(condition=~Q(confirmed_by=F("recorded_by")), name="paper_needs_two_people"),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by="")
                | (Q(confirmed_at__isnull=False, refused_at__isnull=True) & ~Q(confirmed_by="")),
                name="paper_is_confirmed_or_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"Paper signature of POA {self.poa_id}"


class LinkEnd(models.TextChoices):
    NEWER = "NEWER", "A newer link was sent"
    ADDRESS_CHANGED = "ADDRESS_CHANGED", "The customer's e-mail address changed"


class RetiredLink(models.Model):
    """The hash of a link that no longer works, so that its page can say why and what to do."""

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="retired_links")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    because = models.CharField(max_length=20, choices=LinkEnd.choices)
    retired_at = models.DateTimeField()

    class Meta:
        ordering = ("retired_at", "pk")

    def __str__(self) -> str:
        return f"Link {self.pk} of POA {self.poa_id}"


class JournalIsFinal(Exception):
    """Rows of the journal are only ever added. A correction is an entry of its own."""

    def __init__(self, row: "JournalRow") -> None:
        super().__init__(f"{row} is written and stays: add another instead.")


class JournalRow(models.Model):
    """A row that is only ever added: by the code, and by triggers of the database that refuse everything else."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises JournalIsFinal: the row is written already"""
        if not self._state.adding:
            raise JournalIsFinal(self)
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """:raises JournalIsFinal: always"""
        raise JournalIsFinal(self)


class EvidenceEntry(JournalRow):
    """
    One row of a POA's journal, carrying the hash of the row before. Rows are only ever added.

    This floor and the one above write it, through `evidence.record`.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="evidence")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … within the POA.")
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        verbose_name_plural = "evidence entries"
        ordering = ("poa", "number")
        constraints: ClassVar = [models.UniqueConstraint(fields=["poa", "number"], name="evidence_numbers_run_on")]

    def __str__(self) -> str:
        return f"{self.number}. {self.kind}"


class DestructionProof(JournalRow):
    """
    That the journal of one POA was destroyed when its time to be kept was over. The proofs are a chain of their own.

    The database lets entries go only where such a proof stands, and keeps the proof for good. It names no person: the
    POA by its number, and what was destroyed by count and last hash.
    """

    number = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 … over all proofs.")
    poa_number = models.PositiveBigIntegerField()
    entries = models.PositiveIntegerField(help_text="How many entries there were; the first of them was number 1.")
    head_sha256 = models.CharField("SHA-256 of the last entry", max_length=64)
    reason = models.TextField()
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        ordering = ("number",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa_number", "entries"], name="one_proof_per_destruction")
        ]

    def __str__(self) -> str:
        return f"{self.number}. Journal of POA {self.poa_number}, {self.entries} entries"


class JournalAnchor(JournalRow):
    """
    The heads of all journals at one instant, kept outside the database: a file in the storage under its own hash.

    Each anchor names the one before. What is cut off or rewritten later no longer fits the anchors that saw it.
    """

    number = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 … over all anchors.")
    made_at = models.DateTimeField()
    chains = models.PositiveIntegerField()
    entries = models.PositiveBigIntegerField()
    problem = models.TextField(blank=True, help_text="What was wrong with the journal when it was anchored.")
    storage_key = models.CharField(max_length=200)
    sha256 = models.CharField("SHA-256 of the file", max_length=64)
    size_bytes = models.PositiveIntegerField()
    previous_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"Anchor {self.number} of {self.made_at:%Y-%m-%d}"


class MailKind(models.TextChoices):
    INVITATION = "INVITATION", "Invitation to sign"
    REMINDER = "REMINDER", "Reminder to sign"
    SIGNED_COPY = "SIGNED_COPY", "Copy of the signed document"
    DECLINED_RECEIPT = "DECLINED_RECEIPT", "Receipt for declining"
    REVOKED_RECEIPT = "REVOKED_RECEIPT", "Receipt for revoking"
    PAPER_RECEIPT = "PAPER_RECEIPT", "Receipt for wanting paper"
    HOME_LINK = "HOME_LINK", "New link to the customer's page"
    CODE = "CODE", "Code for opening the link"
    SAFER_LINK = "SAFER_LINK", "New link after too many codes"
    ADDRESS_CHANGED = "ADDRESS_CHANGED", "Notice to the old e-mail address"
    GO_LIVE_RECEIVED = "GO_LIVE_RECEIVED", "News: the hardware may run"
    ADVANCE_NOTICE = "ADVANCE_NOTICE", "Notice before a plan is accepted"
    PLAN_ACCEPTED = "PLAN_ACCEPTED", "News: a plan was accepted"
    SERVICE_ACTIVE = "SERVICE_ACTIVE", "News: service is active"


CASE_MAILS = frozenset(
    {MailKind.GO_LIVE_RECEIVED, MailKind.ADVANCE_NOTICE, MailKind.PLAN_ACCEPTED, MailKind.SERVICE_ACTIVE}
)
"""Mails about an enrollment: the floor above owes them, knows what they say, and whether it is still true."""

SIGNING_MAILS = frozenset({MailKind.INVITATION, MailKind.REMINDER})
"""Mails that ask for a signature. The newest counts: each carries a link of its own that ends the one before."""

MAIL_ATTEMPTS = 8
TO_BE_POSTED = "The customer wants paper: print what it says, post it, then mark it as posted."
POSTED = "Posted on paper"


class MailState(models.TextChoices):
    """What became of a mail. Made of its row's columns, never stored."""

    QUEUED = "QUEUED", "Waiting"
    RETRYING = "RETRYING", "Failing, tried again"
    HELD = "HELD", "Held back: the address does not work"
    SENT = "SENT", "Sent"
    UNCERTAIN = "UNCERTAIN", "Perhaps sent"
    RETURNED = "RETURNED", "Came back"
    FAILED = "FAILED", "Given up"
    TO_BE_POSTED = "TO_BE_POSTED", "To be posted on paper"
    POSTED = "POSTED", "Posted on paper"
    OVERTAKEN = "OVERTAKEN", "Not needed any more"


class CustomerMailQuerySet(models.QuerySet["CustomerMail"]):
    def unsent(self) -> "CustomerMailQuerySet":
        return self.filter(sent_at__isnull=True, not_needed_at__isnull=True)

    def due(self, at: datetime) -> "CustomerMailQuerySet":
        """Mails of this floor that are to be sent now."""
        return self.unsent().filter(due_at__lte=at).exclude(kind__in=sorted(CASE_MAILS))

    def due_about_cases(self, at: datetime) -> "CustomerMailQuerySet":
        """Mails of the floor above that are to be sent now."""
        return self.unsent().filter(due_at__lte=at, kind__in=sorted(CASE_MAILS))

    def blocked(self) -> "CustomerMailQuerySet":
        """Mails that were given up after repeated failures: a person must look at the address."""
        return self.unsent().filter(due_at__isnull=True, held_since__isnull=True)

    def in_trouble(self) -> "CustomerMailQuerySet":
        """Mails that a person should know of: failing, given up, held back, or returned."""
        failing = Q(sent_at__isnull=True, not_needed_at__isnull=True) & (
            ~Q(last_error="") | Q(held_since__isnull=False)
        )
        return self.filter(failing | Q(returned_at__isnull=False, is_return_settled=False))


class CustomerMail(models.Model):
    """
    One mail owed to a customer. The text is made when it is sent, so no link ever lies in the database.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="mails")
    kind = models.CharField(max_length=20, choices=MailKind.choices)
    case_number = models.PositiveBigIntegerField(
        null=True, blank=True, db_index=True, help_text="The enrollment that it is about, where it is about one."
    )
    once_key = models.CharField(
        max_length=80, blank=True, editable=False, help_text="What may be written only once, such as one reminder."
    )
    to_address = models.EmailField(blank=True, help_text="Where it goes if not to the customer's address on file.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    held_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it waits because mail to the address comes back."
    )
    tried_at = models.DateTimeField(null=True, blank=True, help_text="When it was last handed to the mail server.")
    sent_to = models.EmailField(blank=True, help_text="The address that it was last sent to.")
    message_id = models.CharField(
        max_length=120,
        blank=True,
        db_index=True,
        help_text="Its name at the mail server, for news of what became of it.",
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True, help_text="When we learned that it came back.")
    is_return_settled = models.BooleanField(
        default=False, help_text="Whether it was sent again, or no longer had to be, after it came back."
    )
    not_needed_at = models.DateTimeField(
        null=True, blank=True, help_text="When it turned out that the news was overtaken and nothing is to be sent."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    letter = models.TextField(blank=True, editable=False, help_text="What it says, where it must go on paper.")

    objects = CustomerMailQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["once_key"], condition=~Q(once_key=""), name="mail_owed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for POA {self.poa_id}"

    @property
    def is_blocked(self) -> bool:
        return self.state in {MailState.FAILED, MailState.TO_BE_POSTED}

    @property
    def is_in_trouble(self) -> bool:
        return self.state in {MailState.RETRYING, MailState.HELD, MailState.RETURNED} or self.is_blocked

    @property
    def state(self) -> MailState:
        if self.not_needed_at:
            return MailState.POSTED if self.last_error.startswith(POSTED) else MailState.OVERTAKEN
        if self.returned_at and not self.is_return_settled:
            return MailState.RETURNED
        if self.sent_at:
            return MailState.SENT
        if self.held_since:
            return MailState.HELD
        if self.due_at is None and self.last_error == TO_BE_POSTED:
            return MailState.TO_BE_POSTED
        if self.due_at is None:
            return MailState.FAILED if self.last_error else MailState.UNCERTAIN
        return MailState.RETRYING if self.last_error else MailState.QUEUED


class ReturnSource(models.TextChoices):
    MAIL_SERVER = "MAIL_SERVER", "The mail server refused it"
    PROVIDER = "PROVIDER", "The mail provider reported it"
    OFFICE = "OFFICE", "The office saw it"


class AddressFailure(models.Model):
    """
    That mail to a customer's address comes back. While one is open for the address on file, no mail goes there.

    It ends when the address is changed, when a mail is known to have got through, or when the office says so.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="address_failures")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="address_failures")
    mail = models.ForeignKey(CustomerMail, on_delete=models.PROTECT, related_name="address_failures")
    address = models.EmailField()
    source = models.CharField(max_length=12, choices=ReturnSource.choices)
    because = models.TextField(help_text="What the mail server, the provider or the office said.")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=60, blank=True)
    ended_because = models.TextField(blank=True)

    class Meta:
        ordering = ("-since", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(ended_at__isnull=True), name="one_open_address_failure_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="address_failure_ended_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"Mail to {self.address} comes back"


class MailReport(models.Model):
    """
    One report of the mail provider's as it reached us, its signature already verified: what became of a mail.
    """

    event_key = models.CharField(
        max_length=100, unique=True, help_text="The report's own id, or the hash of the body when it has none."
    )
    body = models.TextField(help_text="The raw body; bytes that are no text stand as \\xNN.")
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, null=True, blank=True, related_name="mail_reports")
    mail = models.ForeignKey(CustomerMail, on_delete=models.PROTECT, null=True, blank=True, related_name="reports")
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("-received_at", "-pk")

    def __str__(self) -> str:
        return f"Mail report {self.pk}"


class ContactCode(models.Model):
    """
    A code that one browser asked for: whoever types it there has read the customer's mail.

    Only its keyed hash is kept, made when the mail is sent. Tries count for the browser that asked, so that somebody
    else's guesses never use up the customer's own code.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="contact_codes")
    mail = models.OneToOneField(CustomerMail, on_delete=models.PROTECT, related_name="contact_code")
    browser_hash = models.CharField(max_length=64, editable=False)
    asked_at = models.DateTimeField(db_index=True)
    asked_from_ip = models.GenericIPAddressField(null=True, blank=True)
    code_hash = models.CharField(max_length=64, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    sent_to = models.EmailField(blank=True)
    wrong_tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("asked_at", "pk")
        indexes: ClassVar = [models.Index(fields=["poa", "browser_hash", "asked_at"], name="codes_of_a_browser")]

    def __str__(self) -> str:
        return f"Code {self.pk} for POA {self.poa_id}"
