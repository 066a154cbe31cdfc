"""POA requests for other systems: invite the customer to sign, read the status, void, revoke."""

import logging
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from core import clock
from core.api.requests import NoFields, actor_of, client_of, idempotent, read_body
from installations.models import Customer, Site
from poa_documents import actions
from poa_documents.api import serializers as said
from poa_documents.models import PlanPromise, PoaDocument

logger = logging.getLogger(__name__)

ID_PATTERN = "[0-9]{1,18}"


class PlanPromises(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[PlanPromise]):
    """The products on offer, each with its limits."""

    queryset = PlanPromise.objects.all()
    serializer_class = said.PlanPromiseAnswer
    filterset_fields = ("is_offered", "light_plan_group")
    ordering_fields = ("id", "name")
    lookup_value_regex = ID_PATTERN


class PoaRequests(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[PoaDocument]):
    """Requests for powers of attorney. The link is sent only to the customer."""

    serializer_class = said.PoaRequestAnswer
    filterset_fields = ("customer", "site", "promise", "status")
    ordering_fields = ("id", "created_at", "signed_at")
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[PoaDocument]:
        return PoaDocument.objects.select_related("envelope")

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one POA request. Each read is logged."""
        response = super().retrieve(request, *args, **kwargs)
        logger.info("POA %s was read by user %s.", kwargs["pk"], client_of(request).pk)
        return response

    @extend_schema(request=said.NewPoaRequest, responses={201: said.PoaRequestAnswer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Create a POA and invite the customer by e-mail to sign it."""
        # The add permission was checked already. Sending needs the change permission, as in the admin.
        if not client_of(request).has_perm("poa_documents.change_poadocument"):
            raise PermissionDenied
        fields = read_body(self, said.NewPoaRequest)
        keys = {name: fields.pop(name) for name in ("customer", "site", "promise")}
        _check_known(keys)
        by, at = actor_of(request), clock.now()
        poa = actions.draft_poa(**{f"{name}_id": key for name, key in keys.items()}, **fields, by=by, at=at)
        actions.send_poa(poa_id=poa.pk, by=by, at=at)
        return Response(self._answer(poa), status=status.HTTP_201_CREATED)

    @extend_schema(request=NoFields, responses={200: said.PoaRequestAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def resend(self, request: Request, pk: str) -> Response:
        """Invite the customer again. The earlier link no longer works."""
        read_body(self, NoFields)
        poa = self.get_object()
        actions.send_poa(poa_id=poa.pk, by=actor_of(request), at=clock.now())
        return Response(self._answer(poa))

    @extend_schema(request=said.Voiding, responses={200: said.PoaRequestAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def void(self, request: Request, pk: str) -> Response:
        """Void a POA that is not signed yet."""
        fields = read_body(self, said.Voiding)
        poa = self.get_object()
        actions.void_poa(poa_id=poa.pk, **fields, by=actor_of(request), at=clock.now())
        return Response(self._answer(poa))

    @extend_schema(request=said.Revocation, responses={200: said.PoaRequestAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def revoke(self, request: Request, pk: str) -> Response:
        """Record that the customer revoked the authority. This takes effect at once."""
        fields = read_body(self, said.Revocation)
        poa = self.get_object()
        actions.revoke_poa(poa_id=poa.pk, **fields, by=actor_of(request), at=clock.now())
        return Response(self._answer(poa))

    def _answer(self, poa: PoaDocument) -> object:
        return said.PoaRequestAnswer(self.get_queryset().get(pk=poa.pk)).data


def _check_known(keys: dict[str, int]) -> None:
    known = {
        "customer": Customer.objects.filter(pk=keys["customer"]),
        "site": Site.objects.filter(pk=keys["site"]),
        "promise": PlanPromise.objects.filter(pk=keys["promise"]),
    }
    problems = {name: [f"There is no such {name}."] for name, found in known.items() if not found.exists()}
    if problems:
        raise ValidationError(problems)
