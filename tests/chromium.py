"""Where the tests find a Chromium, and how they start it."""

import os
import shutil

REQUIRE_BROWSER = os.environ.get("REQUIRE_BROWSER") == "1"
NO_CHROMIUM = "No Chromium here. Debian: apt install chromium; or name one in CHROMIUM. REQUIRE_BROWSER=1 insists."
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
