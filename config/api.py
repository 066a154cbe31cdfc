"""The REST API put together: its addresses, how systems sign in, and what a refusal looks like."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework import serializers, status
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView, exception_handler

from core.api.requests import StrictSerializer
from core.moves import MoveNotAllowed
from enrollments.actions import stopping
from installations.guards import InputRefused, ReasonMissing, ReportNotCurrent, SubmissionDiffers
from poa_documents.actions import CustomerNotAtSite, DatesOutOfOrder, PromiseNotOffered, UnsignedPoaExists

CONFLICTS = (
    MoveNotAllowed,
    ReportNotCurrent,
    SubmissionDiffers,
    UnsignedPoaExists,
    stopping.ConsentCannotBeOverridden,
    stopping.HoldNotOpen,
    stopping.NotPaused,
)
FIELD_OF = {
    ReasonMissing: "reason",
    stopping.ReasonMissing: "reason",
    CustomerNotAtSite: "site",
    PromiseNotOffered: "promise",
}


def answer_to(problem: Exception, context: dict[str, Any]) -> Response | None:
    """Say what is wrong with which field, or why the record's state does not allow it."""
    if isinstance(problem, CONFLICTS):
        return Response({"detail": str(problem)}, status=status.HTTP_409_CONFLICT)
    return exception_handler(_in_api_terms(problem), context)


def _in_api_terms(problem: Exception) -> Exception:
    match problem:
        case InputRefused():
            return ValidationError({field: list(texts) for field, texts in problem.problems.items()})
        case DatesOutOfOrder():
            return ValidationError({field: [text] for field, text in problem.problems.items()})
        case ObjectDoesNotExist():
            return NotFound()
    field = FIELD_OF.get(type(problem))
    return ValidationError({field: [str(problem)]}) if field else problem


class SignInThrottle(AnonRateThrottle):
    """Counts by where the connection comes from: a header that anybody can write must not buy more tries."""

    rate = "20/min"

    def get_ident(self, request: Request) -> str:
        return str(request.META.get("REMOTE_ADDR", ""))


class Credentials(StrictSerializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class TokenAnswer(serializers.Serializer[Any]):
    token = serializers.CharField(read_only=True)


class SignIn(APIView):
    """Give a system its token, to be sent as `Authorization: Token …`. Cookies do not sign in here."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (SignInThrottle,)

    @extend_schema(request=Credentials, responses={200: TokenAnswer})
    def post(self, request: Request) -> Response:
        checked = Credentials(data=request.data)
        checked.is_valid(raise_exception=True)
        user = authenticate(request, **checked.validated_data)
        if not isinstance(user, User) or not user.is_staff:
            raise ValidationError({"detail": "Name and password do not match, or the account may not use the API."})
        token, _is_new = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})


urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("v1/token/", SignIn.as_view(), name="token"),
    path("v1/", include("installations.api.urls")),
    path("v1/", include("poa_documents.api.urls")),
    path("v1/", include("enrollments.api.urls")),
]
app_name = "api"
