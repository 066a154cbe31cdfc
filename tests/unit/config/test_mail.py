"""Mail without a mail server: files that mail programs open, and terminal output without secrets."""

import email
import email.policy
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMultiAlternatives

from config.file_mail import FileAndTerminalBackend

LINK = "https://switchyard.example/portal/a-secret-part-of-a-link/"


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "mail"


def invitation() -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject="Por favor revise y firme",
        body=f"Hola Carmen:\n\n{LINK}\n",
        to=["carmen.reyes@example.com"],
        headers={"X-Switchyard-Mail": "INVITATION"},
    )
    message.attach_alternative(f'<a href="{LINK}">Firmar</a>', "text/html")
    message.attach("poder.pdf", b"%PDF-1.7", "application/pdf")
    return message


def test_mail_becomes_a_file_with_every_part(folder: Path) -> None:
    sent = FileAndTerminalBackend().send_messages([invitation()])

    (path,) = folder.iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert sent == 1
    assert message["To"] == "carmen.reyes@example.com"
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "application/pdf",
    ]


def test_file_is_private(folder: Path) -> None:
    FileAndTerminalBackend().send_messages([invitation()])

    (path,) = folder.iterdir()
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_terminal_names_kind_and_file_without_link_or_recipient(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FileAndTerminalBackend().send_messages([invitation()])

    (path,) = folder.iterdir()
    line = capsys.readouterr().out
    assert "invitation" in line
    assert path.name in line
    assert "portal" not in line
    assert "carmen" not in line


def test_mails_of_the_same_second_do_not_overwrite(folder: Path) -> None:
    FileAndTerminalBackend().send_messages([invitation() for _ in range(5)])

    assert len(list(folder.iterdir())) == 5
