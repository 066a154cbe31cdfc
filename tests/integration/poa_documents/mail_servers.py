"""Mail servers that answer as a test wants; accepted mail goes to Django's test outbox."""

import smtplib
from typing import Any, ClassVar

from django.core.mail.backends.locmem import EmailBackend


class AnsweringServer(EmailBackend):
    """Raises `answer` for every mail, before or after accepting it; None lets all pass."""

    answer: ClassVar[BaseException | None] = None
    takes_it_first: ClassVar[bool] = False

    def send_messages(self, messages: Any) -> int:
        if self.answer is None or self.takes_it_first:
            super().send_messages(messages)
        if self.answer is not None:
            raise self.answer
        return len(list(messages))


def no_such_mailbox(address: str) -> Exception:
    return smtplib.SMTPRecipientsRefused({address: (550, b"5.1.1 no such user")})


def greylisted(address: str) -> Exception:
    return smtplib.SMTPRecipientsRefused({address: (451, b"4.7.1 greylisted, try again later")})


def answer_with(monkeypatch: Any, settings: Any, problem: BaseException | None, *, after_taking: bool = False) -> None:
    settings.EMAIL_BACKEND = f"{AnsweringServer.__module__}.{AnsweringServer.__name__}"
    monkeypatch.setattr(AnsweringServer, "answer", problem)
    monkeypatch.setattr(AnsweringServer, "takes_it_first", after_taking)
