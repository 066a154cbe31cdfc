"""What a mail server's refusal says: about the address, about us, or about this moment."""

import smtplib

import pytest

from poa_documents.refusals import may_have_been_sent, says_address_fails


def refused(code: int, said: bytes) -> Exception:
    return smtplib.SMTPRecipientsRefused({"carmen@example.com": (code, said)})


@pytest.mark.parametrize(
    "problem",
    [
        refused(550, b"5.1.1 no such user"),
        refused(550, b"no such mailbox"),
        refused(552, b"5.2.2 mailbox full"),
        refused(553, b"mailbox name not allowed"),
    ],
)
def test_an_address_that_takes_no_mail(problem: Exception) -> None:
    assert says_address_fails(problem)


@pytest.mark.parametrize(
    "problem",
    [
        refused(450, b"4.2.1 try again later"),
        refused(451, b"greylisted"),
        refused(550, b"5.7.1 your server is on a block list"),
        refused(554, b"transaction failed"),
        smtplib.SMTPRecipientsRefused({}),
        smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong password"),
        smtplib.SMTPSenderRefused(550, b"5.1.8 who are you", "us@example.com"),
        smtplib.SMTPDataError(550, b"5.7.1 looks like spam"),
        ConnectionRefusedError("nobody listens"),
        TimeoutError("slow"),
    ],
)
def test_what_says_nothing_about_the_address(problem: Exception) -> None:
    assert not says_address_fails(problem)


@pytest.mark.parametrize(
    ("problem", "perhaps"),
    [
        (smtplib.SMTPServerDisconnected("gone"), True),
        (TimeoutError("slow"), True),
        (ConnectionResetError("cut"), True),
        (ConnectionRefusedError("nobody listens"), False),
        (smtplib.SMTPDataError(451, b"later"), False),
        (refused(450, b"later"), False),
        (ValueError("a header"), False),
    ],
)
def test_a_line_that_broke_leaves_open_whether_it_was_sent(problem: Exception, perhaps: bool) -> None:  # noqa: FBT001
    assert may_have_been_sent(problem) is perhaps
