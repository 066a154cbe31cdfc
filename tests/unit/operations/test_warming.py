"""Nobody who signs waits for the seal code to load: web and workers import it at startup."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STARTS = {
    "web": "import config.wsgi",
    "worker": "from celery.signals import worker_init; import config.celery; worker_init.send(sender=None)",
}
LOOK = """
import sys, threading
for thread in threading.enumerate():
    if thread.name == "warm-up":
        thread.join()
print("poa_documents.seal.pades" in sys.modules)
"""


def said_by(code: str) -> str:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code + "\n" + LOOK],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize("part", STARTS)
def test_seal_code_is_loaded_before_anybody_signs(part: str) -> None:
    assert said_by(STARTS[part]) == "True"


def test_commands_do_not_load_the_seal_code() -> None:
    assert said_by("import config.celery, django; django.setup()") == "False"
