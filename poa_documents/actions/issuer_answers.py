"""
Revocation answers from the issuers of our certificates, fetched in advance and embedded in sealed documents.

A document can then be verified even after its issuer is gone, and no signature ever waits for an issuer.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from core.dates import chicago_time, short_date
from poa_documents.actions import timestamps
from poa_documents.models import IssuersAnswer, SealTimestamp
from poa_documents.seal.keys import SealKey, SealKeyUnusable, current_key
from poa_documents.seal.values import Answers, CertificateRevoked, NoAnswer, TimestampUnavailable

logger = logging.getLogger(__name__)

ASK_INTERVAL = timedelta(hours=6)
RENEW_BEFORE_END = timedelta(hours=12)
KEPT_FOR = timedelta(days=30)


class AskOutcome(StrEnum):
    KEPT = "KEPT"
    NOT_DUE = "NOT_DUE"
    NO_ANSWER = "NO_ANSWER"
    REVOKED = "REVOKED"
    NOTHING_TO_ASK = "NOTHING_TO_ASK"


@dataclass(frozen=True)
class _Asked:
    """A certificate to ask about, with its chain to a trusted root. All are DER."""

    certificate: bytes
    others: list[bytes]
    roots: list[bytes]

    @property
    def sha256(self) -> str:
        return x509.load_der_x509_certificate(self.certificate).fingerprint(hashes.SHA256()).hex()


def ask_issuers(*, at: datetime, is_urgent: bool = False) -> AskOutcome:
    """
    Ask about the certificates of the seal and of the newest time stamp's authority, and store the answers.

    Does nothing while the last answer is fresh, unless it is urgent. If there is no answer, stored ones stay valid
    until they expire, and the issuer is asked again.

    :raises SealKeyUnusable: there is no key to ask about
    """
    if not settings.POA_SEAL_LONG_TERM:
        return AskOutcome.NOTHING_TO_ASK
    IssuersAnswer.objects.filter(asked_at__lt=at - KEPT_FOR).delete()
    outcomes = [_ask(asked, at=at, is_urgent=is_urgent) for asked in _to_ask()]
    for outcome in (AskOutcome.REVOKED, AskOutcome.NO_ANSWER, AskOutcome.KEPT, AskOutcome.NOT_DUE):
        if outcome in outcomes:
            return outcome
    return AskOutcome.NOTHING_TO_ASK


def answers_for(key: SealKey, *, at: datetime) -> list[Answers]:
    """
    Return the answers to embed in a document signed at `at`: the last ones from before then that were still valid.

    The same signature gets the same answers however late it is sealed, so that every try produces the same bytes.
    """
    if not settings.POA_SEAL_LONG_TERM:
        return []
    answers = []
    for sha256 in (key.fingerprint, _newest_authority(before=at)):
        last = IssuersAnswer.objects.filter(certificate_sha256=sha256, asked_at__lte=at).first() if sha256 else None
        if last is None or last.counts_from is None or last.counts_until is None:
            continue
        if last.counts_from <= at <= last.counts_until:
            answers.append(Answers(bytes(last.archive), last.counts_from, last.counts_until))
    return answers


def why_unanswered(key: SealKey, *, at: datetime) -> str:
    """Return why documents sealed now would contain no answer of the seal's issuer, or an empty string."""
    if not settings.POA_SEAL_LONG_TERM:
        return ""
    if not key.chain:
        return "its certificate is self-signed, or POA_SEAL_KEY_FILE lacks the certificates above it"
    last = IssuersAnswer.objects.filter(certificate_sha256=key.fingerprint).first()
    if last is None:
        return "its issuer has not answered yet"
    if last.counts_until is not None and last.counts_until < at:
        return f"the last answer of its issuer ended on {chicago_time(last.counts_until)}"
    return ""


def check_not_revoked(key: SealKey) -> None:
    """:raises SealKeyUnusable: according to its issuer's last answer, the certificate was revoked"""
    last = IssuersAnswer.objects.filter(certificate_sha256=key.fingerprint).first()
    if last is not None and last.revoked_at is not None:
        raise SealKeyUnusable(
            f"The certificate of the seal was revoked on {short_date(last.revoked_at)}. Put a new key into "
            "POA_SEAL_KEY_FILE."
        )


def _ask(asked: _Asked, *, at: datetime, is_urgent: bool) -> AskOutcome:
    from poa_documents.seal.revocation_checks import ask_about  # slow to import

    last = IssuersAnswer.objects.filter(certificate_sha256=asked.sha256).first()
    if last is not None and not is_urgent and _is_fresh(last, at):
        return AskOutcome.NOT_DUE
    try:
        answers = ask_about(asked.certificate, asked.others, asked.roots)
    except CertificateRevoked as problem:
        logger.error("Certificate %s: %s", asked.sha256, problem)  # noqa: TRY400 - the traceback says no more
        IssuersAnswer.objects.create(
            certificate_sha256=asked.sha256, asked_at=at, revoked_at=problem.revoked_at, said=str(problem)
        )
        return AskOutcome.REVOKED
    except NoAnswer as problem:
        logger.warning("No answer about certificate %s. It is requested again: %s", asked.sha256, problem)
        return AskOutcome.NO_ANSWER
    IssuersAnswer.objects.create(
        certificate_sha256=asked.sha256,
        asked_at=at,
        counts_from=answers.counts_from,
        counts_until=answers.counts_until,
        archive=answers.archive,
    )
    return AskOutcome.KEPT


def _is_fresh(last: IssuersAnswer, at: datetime) -> bool:
    ends_soon = last.counts_until is None or last.counts_until - at < RENEW_BEFORE_END
    return at - last.asked_at < (ASK_INTERVAL / 6 if ends_soon else ASK_INTERVAL)


def _to_ask() -> Iterator[_Asked]:
    key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
    if key.chain:  # a self-signed certificate has no issuer to ask
        above = [each.public_bytes(Encoding.DER) for each in key.chain]
        top = [each.public_bytes(Encoding.DER) for each in key.chain if each.subject == each.issuer]
        yield _Asked(key.certificate.public_bytes(Encoding.DER), above, top or above[-1:])
    yield from _authority_to_ask()


def _authority_to_ask() -> Iterator[_Asked]:
    """Yield the time-stamp authority if it chains to a configured root: no other addresses are contacted."""
    from poa_documents.seal.revocation_checks import signer_and_others  # slow to import

    newest = SealTimestamp.objects.order_by("-stamped_at").first()
    try:
        named = timestamps.authority()
    except TimestampUnavailable as problem:
        logger.warning("The authority of time stamps cannot be asked about: %s", problem)
        return
    if newest is None or named is None or not named.roots:
        return
    try:
        certificate, others = signer_and_others(bytes(newest.token))
    except NoAnswer as problem:
        logger.warning("The authority of time stamps cannot be asked about: %s", problem)
        return
    if certificate not in named.roots:
        yield _Asked(certificate, others, list(named.roots))


def _newest_authority(*, before: datetime) -> str:
    newest = SealTimestamp.objects.filter(stamped_at__lte=before).order_by("-stamped_at").first()
    return newest.authority_sha256 if newest else ""
