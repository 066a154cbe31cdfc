"""A phone with an authenticator app that scans the page and shows codes."""

import re
import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

PERIOD_SECONDS = 30
KEY = re.compile(r"<code>([A-Z2-7 ]{16,})</code>")
RECOVERY_CODE = re.compile(r"<code>([0-9]{8})</code>")


class Phone:
    def __init__(self, page: str) -> None:
        """Scan the key on a page."""
        found = KEY.search(page)
        assert found, page
        self._secret = found[1].replace(" ", "")
        self._last = 0

    def code(self) -> str:
        """Return a code not shown before; asked twice within half a minute, the app is a little ahead."""
        self._last = max(int(time.time()) // PERIOD_SECONDS - 1, self._last + 1)
        return self.code_at(self._last)

    def code_at(self, period: int) -> str:
        return str(format_hotp_value(hotp_value(self._secret, period)))


def set_up_phone(client: Client, *, surface: str = "admin") -> tuple[Phone, list[str]]:
    """Take a person who entered a password through the setup; return the phone and the recovery codes."""
    phone = Phone(client.get(f"/{surface}/second-step/set-up/").text)
    page = client.post(f"/{surface}/second-step/set-up/", {"code": phone.code()}, follow=True)
    codes = RECOVERY_CODE.findall(page.text)
    assert codes, page.text
    client.post(f"/{surface}/second-step/codes/")
    return phone, codes
