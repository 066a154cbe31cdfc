"""Requests from other systems: strict validation, and each write done once."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from core.abstract_person import Person
from core.actors import Actor
from core.api.error_messages import shorten_names
from core.models import IdempotentRequest

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"

Write = Callable[..., Response]


class KeyUsedForAnotherRequest(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key was used for another request. Use a new key for a new request."
    default_code = "idempotency_key_reused"


class StrictSerializer(serializers.Serializer[Any]):
    """Reject unknown fields by name."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            taken = [name for name, field in self.fields.items() if not field.read_only]
            unknown = set(data) - set(taken)
            if unknown:
                text = f"Unknown field. This endpoint accepts: {', '.join(taken) or 'no fields'}."
                raise ValidationError({name: [text] for name in shorten_names(unknown)})
        return super().to_internal_value(data)


class TextOnlyField(serializers.CharField):
    """Digits as text. A JSON number is rejected, because it would lose digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("Send this as text, in quotes. As a number it loses its last digits.")
        return super().to_internal_value(data)


class NoFields(StrictSerializer):
    """A write with an empty body."""


def actor_of(request: Request) -> Actor:
    return Actor.client_system(client_of(request).public_id)


def client_of(request: Request) -> Person:
    user = request.user
    if not isinstance(user, Person):
        raise TypeError("The request is not authenticated.")
    return user


def read_body(view: GenericAPIView[Any], serializer: type[StrictSerializer]) -> dict[str, Any]:
    """:raises rest_framework.exceptions.ValidationError: the problems by field"""
    checked = serializer(data=view.request.data, context=view.get_serializer_context())
    checked.is_valid(raise_exception=True)
    fields: dict[str, Any] = checked.validated_data
    return fields


def idempotent(write: Write) -> Write:
    """
    Do a write once per Idempotency-Key and return the first answer to every repeat, including concurrent ones.

    The work and its answer are committed together. A rejected request stores nothing, so its key can be used for the
    corrected one.
    """

    @wraps(write)
    def once(view: GenericAPIView[Any], request: Request, *args: Any, **kwargs: Any) -> Response:
        _check_no_parameters(request)
        key = _key_of(request)
        said = {"user": client_of(request), "key": key}
        fingerprint = _fingerprint(request)
        kept = IdempotentRequest.objects.filter(**said).first()
        if kept is not None:
            return _replay(kept, fingerprint)
        try:
            with transaction.atomic():
                row = IdempotentRequest.objects.create(
                    **said,
                    method=str(request.method),
                    path=request.path[:300],
                    request_sha256=fingerprint,
                    response_status=0,
                    at=clock.now(),
                )
                response = write(view, request, *args, **kwargs)
                row.response_status = response.status_code
                row.response_body = json.loads(JSONRenderer().render(response.data) or b"null")
                row.save(update_fields=["response_status", "response_body"])
        except IntegrityError:
            kept = IdempotentRequest.objects.filter(**said).first()
            if kept is None:
                raise
            return _replay(kept, fingerprint)
        return response

    once.is_idempotent = True  # type: ignore[attr-defined]  # a test checks that every write has it
    return once


def _check_no_parameters(request: Request) -> None:
    if request.query_params:
        text = "Send these as fields of the body. A write takes no query parameters."
        raise ValidationError({name: [text] for name in shorten_names(request.query_params.keys())})


def _key_of(request: Request) -> str:
    key = request.headers.get(KEY_HEADER, "").strip()
    if not re.fullmatch(r"[\x21-\x7e]{8,100}", key):
        problem = (
            "Send this header with every write: 8 to 100 characters without spaces, such as a random UUID. "
            "Use a new value for each new request, and the same value when you repeat a request."
        )
        raise ValidationError({KEY_HEADER: [problem]})
    return key


def _fingerprint(request: Request) -> str:
    """Hash the request. Multipart bodies differ each time they are sent, so their parts are hashed, not the bytes."""
    said: Any = request.data
    if isinstance(said, Mapping):
        said = {name: _part(said, name) for name in said}
    asked = [request.method, request.get_full_path(), said]
    try:
        text = json.dumps(asked, sort_keys=True, default=str, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as problem:
        raise ParseError("The body holds half a character (a lone surrogate). Send whole Unicode text.") from problem
    except RecursionError as problem:
        raise ParseError("The body is nested too deeply.") from problem


def _part(said: Mapping[str, Any], name: str) -> Any:
    part = said.getlist(name) if hasattr(said, "getlist") else said[name]
    if isinstance(part, list):
        return [_file_hash(each) if isinstance(each, UploadedFile) else each for each in part]
    return part


def _file_hash(file: "UploadedFile[Any]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _replay(kept: IdempotentRequest, fingerprint: str) -> Response:
    if kept.request_sha256 != fingerprint:
        raise KeyUsedForAnotherRequest
    return Response(kept.response_body, status=kept.response_status, headers={REPLAYED_HEADER: "true"})
