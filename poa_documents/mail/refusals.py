"""Decides whether an SMTP refusal means that the address does not work, or something else."""

import re
import smtplib

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_ABOUT_THE_ADDRESS = frozenset({550, 551, 552, 553})
"""Replies that may be about the mailbox. Source: RFC 5321, section 4.2.3."""
_ADDRESS, _MAILBOX = 1, 2
"""Subjects of enhanced codes. Others, such as 7 for policy, are about the sender. Source: RFC 3463, section 3."""
_SENDERS_ADDRESS = frozenset({7, 8})
"""Details of subject 1 that are about the sender. Source: RFC 3463, section 3.2."""

# Servers also refuse a recipient because of the sender, with the same reply code in RFC 5321. So a refusal without an
# enhanced code counts only if its text is about the mailbox.
_SAYS_MAILBOX = re.compile(
    r"no such (?:user|mailbox|recipient|person|address|account)"
    r"|(?:user|mailbox|recipient|account|address)(?: address)?(?: \S+)? "
    r"(?:is )?(?:unknown|unavailable|not (?:found|known|local|allowed)|inactive|invalid|full)"
    r"|(?:unknown|invalid|nonexistent|inactive) (?:local )?(?:user|mailbox|recipient|address|account)"
    r"|(?:user|mailbox|recipient|account|address) (?:does not|doesn't) exist"
    r"|(?:account|mailbox|user)[^.;]{0,20}(?:disabled|discontinued|suspended|over quota|closed)"
    r"|(?:mailbox|mailbox name)(?: is)? (?:not allowed|full)|quota exceeded|exceeded storage",
    re.IGNORECASE,
)
_SAYS_US = re.compile(
    r"relay|spam|block(?:ed|list| list)|black ?list|deny ?list|denied|\bspf\b|\bdkim\b|\bdmarc\b|\brbl\b|dnsbl|"
    r"sender|reputation|reverse dns|\bptr\b|\bhelo\b|authenticat|policy|\[ts[s0-9]\d*\]|client host|"
    r"your (?:host|ip|server)|complaint|prohibit|not allowed to send",
    re.IGNORECASE,
)


def is_address_rejected(problem: Exception) -> bool:
    """Whether the mail server permanently rejected this address."""
    if not isinstance(problem, smtplib.SMTPRecipientsRefused) or not problem.recipients:
        return False
    return all(_is_about_address(code, said) for code, said in problem.recipients.values())


def may_have_been_sent(problem: Exception) -> bool:
    """Whether the mail may have been sent anyway, because the connection broke after the server got it."""
    is_answer = isinstance(problem, (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused))
    never_began = isinstance(problem, (ConnectionRefusedError, smtplib.SMTPConnectError, smtplib.SMTPHeloError))
    is_broken_line = isinstance(problem, (smtplib.SMTPServerDisconnected, ConnectionError, TimeoutError))
    return is_broken_line and not (is_answer or never_began)


def _is_about_address(code: int, said: bytes | str) -> bool:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    text = text[:2000]
    if _SAYS_US.search(text):
        return False
    enhanced = _ENHANCED.search(text)
    if enhanced is None:
        return code in _ABOUT_THE_ADDRESS and bool(_SAYS_MAILBOX.search(text))
    subject, detail = int(enhanced[2]), int(enhanced[3])
    is_sender = subject == _ADDRESS and detail in _SENDERS_ADDRESS
    return enhanced[1] == "5" and subject in {_ADDRESS, _MAILBOX} and not is_sender
