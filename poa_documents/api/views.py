"""POA requests for other systems: invite the customer to sign, read the status, void, revoke."""

import logging
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from core.api.records import RecordFilter, RecordViewSet, ReferenceFilter
from core.api.requests import NoFields, actor_of, client_of, idempotent, read_body
from poa_documents import actions
from poa_documents.api import serializers as said
from poa_documents.models import PlanPromise, PoaDocument

logger = logging.getLogger(__name__)


class PlanPromiseFilter(RecordFilter):
    class Meta:
        model = PlanPromise
        fields = ("is_offered", "light_plan_group")


class PlanPromises(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[PlanPromise]):
    """The products on offer, each with its limits."""

    queryset = PlanPromise.objects.all()
    serializer_class = said.PlanPromiseSerializer
    filterset_class = PlanPromiseFilter
    ordering_fields = ("id", "name", "updated_at")


class PoaRequestFilter(RecordFilter):
    customer = ReferenceFilter("customer")
    site = ReferenceFilter("site")
    promise = ReferenceFilter("promise")

    class Meta:
        model = PoaDocument
        fields = ("status",)


class PoaRequests(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[PoaDocument]):
    """Requests for powers of attorney. The link is sent only to the customer."""

    serializer_class = said.PoaRequestSerializer
    filterset_class = PoaRequestFilter
    ordering_fields = ("id", "created_at", "signed_at", "updated_at")

    def get_queryset(self) -> QuerySet[PoaDocument]:
        return PoaDocument.objects.select_related("envelope", "customer", "site", "promise")

    def get_object(self) -> PoaDocument:
        poa = super().get_object()
        if self.action == "retrieve":
            logger.info("POA %s was read by user %s.", poa.pk, client_of(self.request).pk)
        return poa

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one POA request. Each read is logged."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(request=said.NewPoaRequest, responses={201: said.PoaRequestSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Create a POA and invite the customer by e-mail to sign it."""
        # The add permission was checked already. Sending needs the change permission, as in the admin.
        if not client_of(request).has_perm("poa_documents.change_poadocument"):
            raise PermissionDenied
        fields = read_body(self, said.NewPoaRequest)
        keys = {f"{name}_id": fields.pop(name) for name in ("customer", "site", "promise")}
        by, at = actor_of(request), clock.now()
        poa = actions.draft_poa(**keys, **fields, by=by, at=at)
        actions.send_poa(poa_id=poa.pk, by=by, at=at)
        return self.created(poa)

    @extend_schema(request=NoFields, responses={200: said.PoaRequestSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def resend(self, request: Request, public_id: str) -> Response:
        """Invite the customer again. The earlier link no longer works."""
        read_body(self, NoFields)
        poa = self.get_object()
        actions.send_poa(poa_id=poa.pk, by=actor_of(request), at=clock.now())
        return self.answer(poa)

    @extend_schema(request=said.Voiding, responses={200: said.PoaRequestSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def void(self, request: Request, public_id: str) -> Response:
        """Void a POA that is not signed yet."""
        fields = read_body(self, said.Voiding)
        poa = self.get_object()
        actions.void_poa(poa_id=poa.pk, **fields, by=actor_of(request), at=clock.now())
        return self.answer(poa)

    @extend_schema(request=said.Revocation, responses={200: said.PoaRequestSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def revoke(self, request: Request, public_id: str) -> Response:
        """Record that the customer revoked the authority. This takes effect at once."""
        fields = read_body(self, said.Revocation)
        poa = self.get_object()
        actions.revoke_poa(poa_id=poa.pk, **fields, by=actor_of(request), at=clock.now())
        return self.answer(poa)
