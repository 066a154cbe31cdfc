"""
Asks the issuers of our certificates whether they were revoked (OCSP, CRL).

Slow to import, like `pades`. Import it only where issuers are asked.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from asn1crypto import cms, crl, ocsp, pdf
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import RevokedError
from pyhanko_certvalidator.fetchers.api import FetchLimits
from pyhanko_certvalidator.fetchers.requests_fetchers import RequestsFetcherBackend

from poa_documents.seal.certificates import SignerCertificateMissing, asn1_certificate, result_of, signer_of
from poa_documents.seal.values import Answers, CertificateRevoked, NoAnswer

TIMEOUT_SECONDS = 5
MAX_REQUESTS = 12
MAX_BYTES = 256 * 1024
"""Answers go into every sealed file. Issuers with longer lists usually also offer OCSP."""
DEFAULT_VALIDITY = timedelta(days=1)


def ask_about(certificate: bytes, others: Sequence[bytes], roots: Sequence[bytes]) -> Answers:
    """
    Ask whether a certificate, or one between it and a root, was revoked, and verify the answers.

    All certificates are DER. The issuers' URLs are those in the certificates.

    :raises CertificateRevoked: the certificate or one above it was revoked
    :raises NoAnswer: an issuer has no URL, did not answer in time, or sent an invalid answer
    """
    subject = asn1_certificate(certificate)
    context = ValidationContext(
        trust_roots=[asn1_certificate(each) for each in roots],
        other_certs=[asn1_certificate(each) for each in others],
        allow_fetching=True,
        revocation_mode="hard-fail",
        fetcher_backend=RequestsFetcherBackend(TIMEOUT_SECONDS, limits=FetchLimits(max_requests=MAX_REQUESTS)),
    )
    try:
        result_of(CertificateValidator(subject, validation_context=context).async_validate_path())
    except RevokedError as revoked:
        raise CertificateRevoked(str(revoked), revoked.revocation_dt) from revoked
    except Exception as problem:
        raise NoAnswer(f"{type(problem).__name__}: {problem}") from problem
    return _answers(context.ocsps, context.crls)


def signer_and_others(token: bytes) -> tuple[bytes, list[bytes]]:
    """
    Return the certificate that signed a time stamp, and the others in it.

    :raises NoAnswer: the time stamp does not include it
    """
    content = cms.ContentInfo.load(token)
    try:
        signer = signer_of(content)
    except SignerCertificateMissing as problem:
        raise NoAnswer(str(problem)) from problem
    others = [each.chosen for each in content["content"]["certificates"] if each.chosen.sha256 != signer.sha256]
    return signer.dump(), [each.dump() for each in others]


def _answers(ocsps: Sequence[ocsp.OCSPResponse], crls: Sequence[crl.CertificateList]) -> Answers:
    # Sorted, because the order in which issuers answer is random.
    archive = pdf.RevocationInfoArchival(
        {
            "ocsp": sorted({each.dump(): each for each in ocsps}.values(), key=lambda each: each.dump()),
            "crl": sorted({each.dump(): each for each in crls}.values(), key=lambda each: each.dump()),
        }
    ).dump()
    if len(archive) > MAX_BYTES:
        raise NoAnswer(f"The answers have {len(archive):,} bytes, too many to go into every document.")
    spans = [*_spans_of_ocsps(ocsps), *_spans_of_crls(crls)]
    if not spans:
        raise NoAnswer("No certificate on the way to the root can be revoked.")
    return Answers(archive, max(start for start, _end in spans), min(end for _start, end in spans))


def _spans_of_ocsps(responses: Sequence[ocsp.OCSPResponse]) -> Iterator[tuple[datetime, datetime]]:
    for response in responses:
        for said in response["response_bytes"]["response"].parsed["tbs_response_data"]["responses"]:
            yield _span(said["this_update"].native, said["next_update"].native)


def _spans_of_crls(lists: Sequence[crl.CertificateList]) -> Iterator[tuple[datetime, datetime]]:
    for each in lists:
        yield _span(each["tbs_cert_list"]["this_update"].native, each["tbs_cert_list"]["next_update"].native)


def _span(start: datetime, end: datetime | None) -> tuple[datetime, datetime]:
    start = start.astimezone(UTC)
    return start, end.astimezone(UTC) if end else start + DEFAULT_VALIDITY
