"""Gunicorn's log, in the same format as all other log lines."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from operations.log_redaction import LINE_FORMAT, RedactingFormatter


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Set with `--logger-class`. There is no access log, because URLs of the portal are secrets."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in logging.getLogger("gunicorn.error").handlers:
            handler.setFormatter(RedactingFormatter(LINE_FORMAT, style="{"))
