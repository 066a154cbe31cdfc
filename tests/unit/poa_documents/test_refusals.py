"""What a mail server's refusal means: about the address, about us, or about this moment."""

import smtplib

import pytest

from poa_documents.mail.refusals import is_address_rejected, may_have_been_sent


def refused(code: int, said: bytes) -> Exception:
    return smtplib.SMTPRecipientsRefused({"carmen@example.com": (code, said)})


@pytest.mark.parametrize(
    "problem",
    [
        refused(550, b"5.1.1 no such user"),
        refused(550, b"no such mailbox"),
        refused(552, b"5.2.2 mailbox full"),
        refused(553, b"mailbox name not allowed"),
        refused(550, b"5.1.1 The email account that you tried to reach does not exist (in reply to RCPT TO)"),
        refused(550, b"5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        refused(550, b"Requested action not taken: mailbox unavailable"),
        refused(550, b"<carmen@example.com>: Recipient address rejected: User unknown in virtual mailbox table"),
        refused(550, b"unknown user account"),
        refused(550, b"Invalid recipient"),
        refused(550, b"This account has been disabled or discontinued"),
        refused(550, b"No such person at this address"),
        refused(551, b"User not local; please try <carmen@elsewhere.example>"),
        refused(552, b"Requested mail action aborted: exceeded storage allocation"),
    ],
)
def test_permanent_refusals_mean_the_address_is_rejected(problem: Exception) -> None:
    assert is_address_rejected(problem)


@pytest.mark.parametrize(
    "problem",
    [
        refused(450, b"4.2.1 try again later"),
        refused(451, b"greylisted"),
        refused(550, b"5.7.1 your server is on a block list"),
        refused(554, b"transaction failed"),
        refused(550, b"relay not permitted"),
        refused(550, b"Relaying denied"),
        refused(553, b"sorry, relaying denied from your location [192.0.2.7]"),
        refused(550, b"carmen@example.com: we do not relay"),
        refused(550, b"Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org"),
        refused(550, b"SPF check failed: 192.0.2.7 is not allowed to send mail from example.com"),
        refused(550, b"Sender verify failed"),
        refused(550, b"Verification failed for <no-reply@example.com>; No Such User Here; Sender verify failed"),
        refused(553, b"[TSS04] Messages from 192.0.2.7 temporarily deferred due to user complaints"),
        refused(550, b"DMARC policy violation"),
        refused(550, b"Please authenticate before you send mail to this mailbox"),
        refused(550, b"Access denied"),
        refused(550, b"rejected because 192.0.2.7 has a poor reputation"),
        refused(550, b"No reverse DNS for your host, mailbox unavailable to you"),
        refused(550, b"5.1.7 The sender's address was invalid"),
        refused(550, b"5.1.8 Access denied, bad outbound sender"),
        refused(550, b"5.1.0 relaying denied"),
        refused(550, b"5.1.1 blocked using zen.spamhaus.org"),
        refused(550, b"Administrative prohibition"),
        refused(550, b"Message content rejected"),
        refused(550, b""),
        smtplib.SMTPRecipientsRefused({}),
        smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong password"),
        smtplib.SMTPSenderRefused(550, b"5.1.8 who are you", "us@example.com"),
        smtplib.SMTPDataError(550, b"5.7.1 looks like spam"),
        ConnectionRefusedError("nobody listens"),
        TimeoutError("slow"),
    ],
)
def test_other_refusals_say_nothing_about_the_address(problem: Exception) -> None:
    assert not is_address_rejected(problem)


def test_refusal_about_us_says_nothing_about_addresses() -> None:
    problem = smtplib.SMTPRecipientsRefused(
        {"carmen@example.com": (550, b"5.1.1 no such user"), "kay@example.com": (550, b"relay not permitted")}
    )

    assert not is_address_rejected(problem)


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
def test_lost_connection_leaves_sending_uncertain(problem: Exception, perhaps: bool) -> None:  # noqa: FBT001
    assert may_have_been_sent(problem) is perhaps
