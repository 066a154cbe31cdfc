"""Reading JSON bodies, however they are meant."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class ShallowJsonParser(JSONParser):
    """Refuse lists and objects nested beyond all reason, which would be an error of ours otherwise."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as problem:
            raise ParseError("The body is nested too deeply.") from problem
