"""The log of gunicorn in the form of all other lines, so that one clock and one shape tell what happened when."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from operations.log_format import LINE_FORMAT, DiscreetFormatter


class WebLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Named by `--logger-class`; there is no access log, for addresses of the portal are secrets."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in logging.getLogger("gunicorn.error").handlers:
            handler.setFormatter(DiscreetFormatter(LINE_FORMAT, style="{"))
