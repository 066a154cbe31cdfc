"""The mail backend of the embedded mode: each message becomes a file, and a line on the terminal says so."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from core import clock


class FileAndTerminalBackend(BaseEmailBackend):
    """
    Write each message to an .eml file in `mail` under DATA_DIR, readable only by this user.

    The terminal shows the kind of mail and the file's name, never the recipient, the text or a link.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder: Path = settings.DATA_DIR / "mail"

    def send_messages(self, email_messages: Any) -> int:
        messages: list[EmailMessage] = list(email_messages)
        for message in messages:
            self._write(message)
        return len(messages)

    def _write(self, message: EmailMessage) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kind = re.sub(r"[^a-z0-9]+", "-", message.extra_headers.get("X-Switchyard-Mail", "mail").lower())
        stamp = f"{clock.now():%Y%m%dT%H%M%S}"
        content = message.message().as_bytes()
        number = 0
        while True:
            number += 1
            path = self.folder / f"{stamp}-{kind}-{number}.eml"
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(file, "wb") as opened:
                opened.write(content)
            break
        sys.stdout.write(f"Mail to a customer ({kind}): {path.name}\n")
        sys.stdout.flush()
