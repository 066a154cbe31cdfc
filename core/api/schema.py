"""What the API description says about every endpoint: the header of each write, and the error answers."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from core.api.requests import KEY_HEADER


class ApiSchema(AutoSchema):
    """Describe the header that every write needs."""

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, getattr(self.view, "action", None) or "", None)
        if not hasattr(handler, "is_idempotent"):
            return []
        return [
            OpenApiParameter(
                KEY_HEADER,
                location=OpenApiParameter.HEADER,
                required=True,
                description="A new value for each new request; the same value when a request is repeated.",
            )
        ]


def describe_refusals(result: dict[str, Any], **_generation: Any) -> dict[str, Any]:
    """Add the error answers to every endpoint. A drf-spectacular hook."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {"Refusal": _REFUSAL, "Problems": _PROBLEMS}
    for address, operations in result["paths"].items():
        for method, operation in operations.items():
            is_sign_in = not any(operation.get("security", []))
            for status, (words, schema) in _refusals(method, address, is_sign_in=is_sign_in).items():
                content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
                operation["responses"].setdefault(str(status), {"description": words, "content": content})
    return result


_REFUSAL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
_PROBLEMS = {
    "type": "object",
    "description": "What is wrong, by field; under `detail` or `non_field_errors` if it is about no single field.",
    "additionalProperties": True,
}


def _refusals(method: str, address: str, *, is_sign_in: bool) -> dict[int, tuple[str, str]]:
    found = {
        406: ("Answers are JSON only.", "Refusal"),
        429: ("Too many calls. `Retry-After` says when to try again.", "Refusal"),
    }
    if is_sign_in:
        found |= {503: ("Sign-in tries cannot be counted right now. `Retry-After` says when to try again.", "Refusal")}
    else:
        found |= {401: ("The key is missing or invalid.", "Refusal"), 403: ("This key may not do this.", "Refusal")}
    if "{" in address:
        found |= {404: ("There is no such record.", "Refusal")}
    if method == "post":
        found |= {413: ("The body is too large for this endpoint.", "Refusal")}
        found |= {415: ("Bodies are JSON, or a form where a file may be sent.", "Refusal")}
    if method == "post" and not is_sign_in:
        found |= {
            409: ("The record's state does not allow it.", "Refusal"),
            422: ("The Idempotency-Key was used for another request.", "Refusal"),
        }
    return found | {400: ("What was sent cannot be read or used.", "Problems")}
