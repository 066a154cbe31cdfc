"""API views of customers, sites, installations and go-live reports."""

from functools import wraps
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from core.api.parsers import ShallowJsonParser
from core.api.records import RecordFilter, RecordViewSet, ReferenceFilter
from core.api.requests import KEY_HEADER, Write, actor_of, client_of, idempotent, read_body
from installations import actions
from installations.api import serializers as said
from installations.file_check_queue import FileChecksBusy
from installations.models import Customer, GoLiveReport, Installation, Site
from installations.proofs import CheckedProof, InvalidProof, check_proof, too_large_message
from installations.uploads import too_large_files

FORM_WITH_FILE = "multipart/form-data"
"""The only documented body of calls that may include a file, because generated clients cannot handle two kinds."""
JSON = "application/json"


class CustomerFilter(RecordFilter):
    last_name = filters.CharFilter(lookup_expr="iexact")
    email = filters.CharFilter(lookup_expr="iexact")

    class Meta:
        model = Customer
        fields = ("last_name", "email", "language")


class Customers(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[Customer]):
    queryset = Customer.objects.all()
    serializer_class = said.CustomerSerializer
    filterset_class = CustomerFilter
    ordering_fields = ("id", "last_name", "created_at", "updated_at")

    @extend_schema(request=said.NewCustomer, responses={201: said.CustomerSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        fields = read_body(self, said.NewCustomer)
        customer = actions.register_customer(**fields, by=actor_of(request), at=clock.now())
        return self.created(customer)


class SiteFilter(RecordFilter):
    city = filters.CharFilter(lookup_expr="iexact")

    class Meta:
        model = Site
        fields = ("esi_id", "city", "postal_code", "tdu_code")


class Sites(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[Site]):
    queryset = Site.objects.all()
    serializer_class = said.SiteSerializer
    filterset_class = SiteFilter
    ordering_fields = ("id", "city", "created_at", "updated_at")

    @extend_schema(request=said.NewSite, responses={201: said.SiteSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        fields = read_body(self, said.NewSite)
        site = actions.register_site(**fields, by=actor_of(request), at=clock.now())
        return self.created(site)


class InstallationFilter(RecordFilter):
    customer = ReferenceFilter("customer")
    site = ReferenceFilter("site")
    technician = ReferenceFilter("technician")

    class Meta:
        model = Installation
        fields = ("kind", "status", "scheduled_date")


class Installations(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[Installation]):
    queryset = Installation.objects.select_related("customer", "site", "technician")
    serializer_class = said.InstallationSerializer
    filterset_class = InstallationFilter
    ordering_fields = ("id", "scheduled_date", "created_at", "status", "updated_at")

    @extend_schema(request=said.NewInstallation, responses={201: said.InstallationSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        fields = read_body(self, said.NewInstallation)
        installation = actions.register_installation(
            customer_id=fields.pop("customer"),
            site_id=fields.pop("site"),
            technician_id=fields.pop("technician"),
            **fields,
            by=actor_of(request),
            at=clock.now(),
        )
        return self.created(installation)

    @extend_schema(responses={200: said.InstallationEventSerializer(many=True)})
    @action(detail=True, pagination_class=None, filterset_class=None)
    def events(self, request: Request, public_id: str) -> Response:
        """List the installation's events in chronological order."""
        return Response(said.InstallationEventSerializer(self.get_object().events.all(), many=True).data)

    @extend_schema(request=said.InstallationMove, responses={200: said.InstallationSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def move(self, request: Request, public_id: str) -> Response:
        """Record progress on the job."""
        fields = read_body(self, said.InstallationMove)
        installation = self.get_object()
        moved = actions.move_installation(
            installation_id=installation.pk, **fields, by=actor_of(request), at=clock.now()
        )
        return self.answer(moved)

    @extend_schema(request=said.Assignment, responses={200: said.InstallationSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def assign(self, request: Request, public_id: str) -> Response:
        """Assign the job to a technician, or unassign it."""
        fields = read_body(self, said.Assignment)
        installation = self.get_object()
        assigned = actions.assign_technician(
            installation_id=installation.pk,
            technician_id=fields["technician"],
            by=actor_of(request),
            at=clock.now(),
        )
        return self.answer(assigned)

    @extend_schema(request=said.Reason, responses={200: said.InstallationSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def cancel(self, request: Request, public_id: str) -> Response:
        """Cancel the job."""
        fields = read_body(self, said.Reason)
        installation = self.get_object()
        canceled = actions.cancel_installation(
            installation_id=installation.pk, **fields, by=actor_of(request), at=clock.now()
        )
        return self.answer(canceled)


class FileChecksBusyResponse(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "file_checks_busy"
    wait = FileChecksBusy.seconds


def with_checked_proof(write: Write) -> Write:
    """Check the file before the write begins, because a write is one transaction and a check may take seconds."""

    @wraps(write)
    def checked(view: GenericAPIView[Any], request: Request, *args: Any, **kwargs: Any) -> Response:
        assert isinstance(view, PtoReports)  # noqa: S101 - tells the type checker, cannot fail
        view.checked_proofs = _check_proof(request)
        return write(view, request, *args, **kwargs)

    return checked


def _check_proof(request: Request) -> tuple[CheckedProof, ...]:
    upload = request.FILES.get("proof")  # reads the body; files that are too large are dropped
    if name := too_large_files(request).get("proof"):
        raise ValidationError({"proof": [too_large_message(name)]})
    if upload is None:
        return ()
    try:
        proof = check_proof(upload, name=upload.name or "", size_bytes=upload.size or 0)
    except InvalidProof as refused:
        raise ValidationError({"proof": [str(refused)]}) from refused
    except FileChecksBusy as busy:
        raise FileChecksBusyResponse(str(busy)) from busy
    upload.seek(0)
    return (proof,)


class GoLiveReportFilter(RecordFilter):
    installation = ReferenceFilter("installation")

    class Meta:
        model = GoLiveReport
        fields = ("status", "source", "granted_date", "submission_id")


class PtoReports(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[GoLiveReport]):
    """Reports of permission to operate, and of EV chargers' commissioning."""

    serializer_class = said.GoLiveReportSerializer
    filterset_class = GoLiveReportFilter
    ordering_fields = ("id", "granted_date", "received_at", "updated_at")
    parser_classes = (ShallowJsonParser, MultiPartParser)
    person_only_actions = frozenset({"confirm"})
    checked_proofs: tuple[CheckedProof, ...] = ()

    def get_queryset(self) -> QuerySet[GoLiveReport]:
        return GoLiveReport.objects.select_related("installation", "corrects", "compared_with").prefetch_related(
            "proofs"
        )

    @extend_schema(
        request={FORM_WITH_FILE: said.NewGoLiveReport},
        responses={201: said.GoLiveReportSerializer, 200: said.GoLiveReportSerializer},
    )
    @with_checked_proof
    @idempotent
    def create(self, request: Request) -> Response:
        """
        Report go-live. The same submission_id counts once; a repeat returns 200.

        Without a proof, the fields can be sent as JSON as well.
        """
        fields = read_body(self, said.NewGoLiveReport)
        outcome = actions.report_go_live(
            installation_id=fields.pop("installation"),
            submission_id=_submission_id(request, fields),
            proofs=self.checked_proofs,
            **said.omit(fields, "submission_id", "proof"),
            by=actor_of(request),
            at=clock.now(),
        )
        return self.answer(outcome.report) if outcome.is_repeat else self.created(outcome.report)

    @extend_schema(request={JSON: said.OptionalReason}, responses={200: said.GoLiveReportSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def confirm(self, request: Request, public_id: str) -> Response:
        """Confirm a waiting report, or resolve a conflict in its favor, with a reason."""
        fields = read_body(self, said.OptionalReason)
        report = actions.confirm_go_live(report_id=self.get_object().pk, **fields, by=actor_of(request), at=clock.now())
        return self.answer(report)

    @extend_schema(request={FORM_WITH_FILE: said.Correction}, responses={201: said.GoLiveReportSerializer})
    @action(detail=True, methods=["post"])
    @with_checked_proof
    @idempotent
    def correct(self, request: Request, public_id: str) -> Response:
        """Replace the current report with a new one. The old report stays on file."""
        fields = read_body(self, said.Correction)
        correction = actions.correct_go_live(
            report_id=self.get_object().pk,
            submission_id=_submission_id(request, fields),
            proofs=self.checked_proofs,
            **said.omit(fields, "submission_id", "proof"),
            by=actor_of(request),
            at=clock.now(),
        )
        return self.created(correction)

    @extend_schema(request={JSON: said.Reason}, responses={200: said.GoLiveReportSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def withdraw(self, request: Request, public_id: str) -> Response:
        """Withdraw a report."""
        fields = read_body(self, said.Reason)
        report = actions.withdraw_go_live(
            report_id=self.get_object().pk, **fields, by=actor_of(request), at=clock.now()
        )
        return self.answer(report)


def _submission_id(request: Request, fields: dict[str, Any]) -> UUID:
    """Return the sender's submission ID, or one derived from the idempotency key."""
    given: UUID | None = fields.get("submission_id")
    return given or uuid5(NAMESPACE_URL, f"{client_of(request).public_id}:{request.headers[KEY_HEADER]}")
