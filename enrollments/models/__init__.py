"""The models of enrollments, by theme."""

from enrollments.models.acceptances import AcceptAttempt
from enrollments.models.cases import Enrollment, EnrollmentEvent
from enrollments.models.deliveries import WebhookDelivery, WebhookRefusal, WebhookSender
from enrollments.models.holds import Hold, Pause, SystemHold
from enrollments.models.offers import AdvanceNotice, PlanDocument, PlanDocumentKind, PlanOffer
from enrollments.models.reconciliations import DatabasePlace, Difference, ReconciliationRun
from enrollments.models.retention import (
    DestroyedFile,
    Destruction,
    EvidencePackRead,
    LegalHold,
    LegalHoldKind,
    RetentionRule,
)
from enrollments.models.writes import LightPace, LightWrite, RemoteCall

__all__ = [
    "AcceptAttempt",
    "AdvanceNotice",
    "DatabasePlace",
    "DestroyedFile",
    "Destruction",
    "Difference",
    "Enrollment",
    "EnrollmentEvent",
    "EvidencePackRead",
    "Hold",
    "LegalHold",
    "LegalHoldKind",
    "LightPace",
    "LightWrite",
    "Pause",
    "PlanDocument",
    "PlanDocumentKind",
    "PlanOffer",
    "ReconciliationRun",
    "RemoteCall",
    "RetentionRule",
    "SystemHold",
    "WebhookDelivery",
    "WebhookRefusal",
    "WebhookSender",
]
