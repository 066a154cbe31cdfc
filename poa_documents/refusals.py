"""What a mail server's refusal means: that the address does not work, or that another time may bring more."""

import re
import smtplib

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_ABOUT_THE_ADDRESS = frozenset({550, 551, 552, 553})
"""Replies that, without an enhanced code beside them, are about the mailbox. Source: RFC 5321, section 4.2.3."""
_ADDRESS, _MAILBOX = 1, 2
"""Subjects of enhanced codes. Others, such as 7 for policy, say something about us. Source: RFC 3463, section 3."""


def says_address_fails(problem: Exception) -> bool:
    """Whether the mail server said for good that this address takes no mail."""
    if not isinstance(problem, smtplib.SMTPRecipientsRefused) or not problem.recipients:
        return False
    return all(_is_about_address(code, said) for code, said in problem.recipients.values())


def may_have_been_sent(problem: Exception) -> bool:
    """Whether the mail may be on its way all the same, because the line broke while the server had it in hand."""
    is_answer = isinstance(problem, (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused))
    never_began = isinstance(problem, (ConnectionRefusedError, smtplib.SMTPConnectError, smtplib.SMTPHeloError))
    is_broken_line = isinstance(problem, (smtplib.SMTPServerDisconnected, ConnectionError, TimeoutError))
    return is_broken_line and not (is_answer or never_began)


def _is_about_address(code: int, said: bytes | str) -> bool:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    enhanced = _ENHANCED.search(text)
    if enhanced is not None:
        return enhanced[1] == "5" and int(enhanced[2]) in {_ADDRESS, _MAILBOX}
    return code in _ABOUT_THE_ADDRESS
