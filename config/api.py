"""The REST API put together: its addresses, how systems sign in, and what a refusal looks like."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.contrib.auth import authenticate
from django.core.exceptions import ObjectDoesNotExist
from django.urls import include, path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework import serializers, status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from accounts import second_factor, sign_in_limits
from accounts.api_client_actions import create_personal_key
from accounts.models import User
from accounts.second_factor import Surface, WrongCode
from core.api.requests import StrictSerializer
from core.api.throttles import address_of, count_anonymous_call
from core.errors import Conflict, Forbidden, InvalidInput
from core.rate_limits import RateLimitReached, RateLimitStoreDown

SURFACE_NAME = "the API"
MAX_TEXT_SHOWN = 1000
MAX_PARTS_SHOWN = 50


def answer_to(problem: Exception, context: dict[str, Any]) -> Response | None:
    """Say what is wrong with which field, or why the record's state does not allow it."""
    if isinstance(problem, Conflict):
        return Response({"detail": str(problem)}, status=status.HTTP_409_CONFLICT)
    if isinstance(problem, NotAuthenticated | AuthenticationFailed):
        try:
            count_anonymous_call(context["request"])
        except Throttled as often:
            problem = often
    answer = exception_handler(_in_api_terms(problem), context)
    if answer is not None:
        answer.data = _shortened(answer.data)
    return answer


def _shortened(said: Any) -> Any:
    """Repeat no more of what was sent than helps: a refusal must not grow with the request."""
    match said:
        case str():
            return said if len(said) <= MAX_TEXT_SHOWN else f"{said[:MAX_TEXT_SHOWN]} …"
        case Mapping():
            return {
                str(name)[:MAX_TEXT_SHOWN]: _shortened(each) for name, each in islice(said.items(), MAX_PARTS_SHOWN)
            }
        case list() | tuple():
            return [_shortened(each) for each in said[:MAX_PARTS_SHOWN]]
    return said


def _in_api_terms(problem: Exception) -> Exception:
    match problem:
        case InvalidInput():
            return ValidationError(problem.problems or {"detail": str(problem)})
        case Forbidden():
            return PermissionDenied(str(problem))
        case ObjectDoesNotExist():
            return NotFound()
        case _:
            return problem


class SignInBlocked(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = (
        "No one can sign in right now, because a part of Switchyard does not answer. Try again in a minute."
    )
    default_code = "sign_in_shut"
    wait = RateLimitStoreDown.seconds


class Credentials(StrictSerializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        max_length=20,
        required=False,
        write_only=True,
        help_text="Of the authenticator app, or a recovery code. Needed by accounts with a second step.",
    )


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)


class SignIn(APIView):
    """
    Give a person a key for 12 hours, to be sent as `Authorization: Token …` or `Bearer …`. Cookies do not sign in here.

    Systems have keys of their own, which are made in the admin.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=Credentials, responses={200: TokenSerializer})
    def post(self, request: Request) -> Response:
        checked = Credentials(data=request.data)
        checked.is_valid(raise_exception=True)
        code: str = checked.validated_data.pop("code", "")
        username, ip_address = checked.validated_data["username"], address_of(request)
        try:
            sign_in_limits.check_attempt_allowed(username=username, ip_address=ip_address)
            user = authenticate(request, **checked.validated_data)
            if not isinstance(user, User) or not user.is_staff:
                sign_in_limits.record_failure(surface=SURFACE_NAME, username=username, ip_address=ip_address)
                raise ValidationError({"detail": "Name and password do not match, or the account may not use the API."})
            _check_second_step(user, code, ip_address=ip_address)
        except RateLimitReached as often:
            raise Throttled(wait=often.seconds) from often
        except RateLimitStoreDown as away:
            raise SignInBlocked from away
        sign_in_limits.record_success(surface=SURFACE_NAME, user_id=user.pk, username=username, ip_address=ip_address)
        made = create_personal_key(person=user, at=timezone.now())
        return Response(TokenSerializer({"token": made.secret, "expires_at": made.key.expires_at}).data)


def _check_second_step(user: User, code: str, *, ip_address: str) -> None:
    """A key opens what the admin opens, so it takes what the admin takes."""
    if second_factor.factor_id(user) is None:
        if second_factor.is_required(user, Surface.OFFICE):
            raise ValidationError(
                {"code": ["Set up the second step first: sign in to /admin/ once with this account."]}
            )
        return
    if not code:
        raise ValidationError({"code": ["This account has a second step. Send the code of its authenticator app."]})
    try:
        second_factor.check_code(user, code, ip_address=ip_address)
    except WrongCode as wrong:
        problem = "This code is not right, or it was used before. Wait for the next one."
        raise ValidationError({"code": [problem]}) from wrong


urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("v1/token/", SignIn.as_view(), name="token"),
    path("v1/", include("installations.api.urls")),
    path("v1/", include("poa_documents.api.urls")),
    path("v1/", include("enrollments.api.urls")),
]
app_name = "api"
