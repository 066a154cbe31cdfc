"""
The seal inside the PDF: a PAdES signature that certifies the document and allows no changes.

Importing this module takes most of a second, because pyHanko is large. Import it only where a seal is made or checked.

The same document, key and time stamp produce the same bytes: ECDSA is deterministic (RFC 6979), the claimed time is
that of the customer's signature, and the file's identifier is derived from its content.
"""

import hashlib
import io
from collections.abc import Sequence
from datetime import datetime

from asn1crypto import cms
from asn1crypto import keys as asn1_keys
from asn1crypto import pdf as asn1_pdf
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.timestamps import TimeStamper, TimestampRequestError
from pyhanko.sign.timestamps.requests_client import RequestsHTTPTimeStamper
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from poa_documents.seal.certificates import SignerCertificateMissing, asn1_certificate, result_of, signer_of
from poa_documents.seal.keys import SealKey
from poa_documents.seal.values import Answers, SealBroken, Timestamp, TimestampAuthority, TimestampUnavailable, Words

FIELD_NAME = "Seal"
DIGEST = "sha256"
TIMESTAMP_TIMEOUT_SECONDS = 5
# Space reserved for the signature, in hexadecimal digits. The seal covers this number, so it cannot depend on the
# signature's length.
RESERVED_HEX_DIGITS = 16_384
RESERVED_HEX_DIGITS_WITH_TIMESTAMP = 49_152


# Sealing


def seal(
    pdf: bytes,
    key: SealKey,
    *,
    words: Words,
    signed_at: datetime,
    authority: TimestampAuthority | None = None,
    recorded: Timestamp | None = None,
    answers: Sequence[Answers] = (),
) -> tuple[bytes, Timestamp | None]:
    """
    Certify the document so that any later change shows. Return the sealed file and the time stamp inside it.

    With an authority, `recorded` is used if it is for this signature; otherwise a new one is requested. The issuers'
    `answers` are added (PAdES B-LT) in the same step as the seal, which therefore covers them.

    :raises TimestampUnavailable: the authority did not return one; seal again without an authority
    """
    stamper = _Stamper(authority, recorded) if authority or recorded else None
    signer = _Signer(
        signing_cert=asn1_certificate(key.certificate.public_bytes(serialization.Encoding.DER)),
        signing_key=asn1_keys.PrivateKeyInfo.load(
            key.private_key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
        cert_registry=SimpleCertificateStore.from_certs(
            [asn1_certificate(each.public_bytes(serialization.Encoding.DER)) for each in key.chain]
        ),
    )
    metadata = signers.PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm=DIGEST,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        subfilter=fields.SigSeedSubFilter.PADES,
        name=words.sealed_by,
        reason=words.reason,
    )
    # Invisible, and kept in line with PDF/A (printable, not hidden) and PDF/UA (outside the page) at once.
    place = fields.SigFieldSpec(
        FIELD_NAME,
        readable_field_name=words.field,
        invis_sig_settings=fields.InvisSigSettings(set_print_flag=True, set_hidden_flag=False, box_out_of_bounds=True),
    )
    pdf_signer = _PdfSigner(metadata, signer=signer, timestamper=stamper, new_field_spec=place)
    # The claimed time cannot be before the certificate is valid.
    pdf_signer.claimed_at = max(signed_at, key.starts_at)
    writer = _Writer.over(pdf)
    if answers:
        _add_answers(writer, key, answers)
    sealed = result_of(
        pdf_signer.async_sign_pdf(
            writer, bytes_reserved=RESERVED_HEX_DIGITS_WITH_TIMESTAMP if stamper else RESERVED_HEX_DIGITS
        )
    )
    content: bytes = sealed.getvalue()
    return content, stamper.used if stamper else None


def _add_answers(writer: "_Writer", key: SealKey, answers: Sequence[Answers]) -> None:
    archives = [asn1_pdf.RevocationInfoArchival.load(each.archive) for each in answers]
    chain = [key.certificate, *key.chain]
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[asn1_certificate(each.public_bytes(serialization.Encoding.DER)) for each in chain],
        ocsps=[response for archive in archives for response in archive["ocsp"] or ()],
        crls=[each for archive in archives for each in archive["crl"] or ()],
    )


class _Writer(IncrementalPdfFileWriter):
    """Adds only the seal, deterministically, and keeps the metadata that typst wrote."""

    @classmethod
    def over(cls, pdf: bytes) -> "_Writer":
        return cls(io.BytesIO(pdf))

    @classmethod
    def _handle_id(cls, prev: PdfFileReader) -> generic.ArrayObject:
        first, _second = prev.trailer["/ID"]
        kept = first.original_bytes if isinstance(first, generic.TextStringObject) else bytes(first)
        return generic.ArrayObject(
            [generic.ByteStringObject(kept), generic.ByteStringObject(hashlib.sha256(b"sealed:" + kept).digest()[:16])]
        )

    def _update_meta(self) -> None:
        """Keep the dates of the document."""


class _Signer(signers.SimpleSigner):
    def sign_raw(self, data: bytes, digest_algorithm: str) -> bytes:
        key = serialization.load_der_private_key(self.signing_key.dump(), password=None)
        if digest_algorithm != DIGEST or not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"The seal signs {DIGEST} with an elliptic curve key, not {digest_algorithm}.")
        return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


class _PdfSigner(signers.PdfSigner):
    claimed_at: datetime

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:
        """Declare PAdES as an extension of PDF 1.7. Elliptic curves would make it 2.0, which PDF/A-2 does not allow."""
        pdf_out.register_extension(ESIC_EXTENSION_1)

    def init_signing_session(
        self,
        pdf_out: BasePdfFileWriter,
        existing_fields_only: bool = False,  # noqa: FBT001, FBT002 - pyHanko's own signature
    ) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self.claimed_at
        return session


class _Stamper(TimeStamper):
    """Returns the recorded time stamp if it is for this signature, else a new one."""

    def __init__(self, authority: TimestampAuthority | None, recorded: Timestamp | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._authority = authority
        self._recorded = recorded
        self.used: Timestamp | None = None

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        if self._recorded and md_algorithm == DIGEST and _imprint_of(self._recorded.token) == message_digest:
            self.used = self._recorded
        elif self._authority:
            self.used = await _ask(message_digest, self._authority)
        else:
            raise TimestampUnavailable("The recorded time stamp is about another signature.")
        return cms.ContentInfo.load(self.used.token)


# Time stamps


def ask_for_timestamp(digest: bytes, authority: TimestampAuthority) -> Timestamp:
    """
    Request a time stamp for a SHA-256.

    :raises TimestampUnavailable: no answer in time, a refusal, or an invalid answer
    """
    return result_of(_ask(digest, authority))


def check_timestamp(timestamp: Timestamp, digest: bytes) -> None:
    """:raises SealBroken: the token is not a time stamp of the recorded authority for this SHA-256"""
    try:
        content = cms.ContentInfo.load(timestamp.token)
        signed_by = signer_of(content)
        result_of(_check_token(content, digest, [signed_by]))
    except Exception as problem:
        raise SealBroken(f"The time stamp does not hold: {problem}") from problem
    if signed_by.sha256.hex() != timestamp.authority_sha256:
        raise SealBroken("The time stamp was signed by another authority than recorded.")


async def _ask(digest: bytes, authority: TimestampAuthority) -> Timestamp:
    server = RequestsHTTPTimeStamper(authority.url, timeout=TIMESTAMP_TIMEOUT_SECONDS)
    try:
        content = await server.async_timestamp(digest, DIGEST)
        signed_by = signer_of(content)
        await _check_token(content, digest, [asn1_certificate(root) for root in authority.roots] or [signed_by])
        said = content["content"]["encap_content_info"]["content"].parsed
        return Timestamp(content.dump(), said["gen_time"].native, signed_by.sha256.hex())
    except (TimestampRequestError, SignerCertificateMissing, SealBroken, OSError) as problem:
        raise TimestampUnavailable(f"{authority.url} gave no time stamp: {problem}") from problem
    except Exception as problem:
        raise TimestampUnavailable(f"{authority.url} answered what is no time stamp: {problem}") from problem


async def _check_token(content: cms.ContentInfo, digest: bytes, roots: Sequence[asn1_x509.Certificate]) -> None:
    usage = signer_of(content).extended_key_usage_value
    if usage is None or "time_stamping" not in usage.native:
        raise SealBroken("the certificate of its authority is not for time stamps.")
    status = await validate_tst_signed_data(
        content["content"], ValidationContext(trust_roots=list(roots), allow_fetching=False), lambda _md: digest
    )
    if not (status["intact"] and status["valid"]):
        raise SealBroken("the time stamp is about something else, or was not signed by its authority.")
    if not status.get("validation_path"):
        raise SealBroken("the authority of the time stamp does not lead up to a trusted certificate.")


def _imprint_of(token: bytes) -> bytes:
    said = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
    imprint: bytes = said["message_imprint"]["hashed_message"].native
    return imprint


# Checking


def check(content: bytes, *, certificate_sha256: str, authority_sha256: str = "") -> None:
    """
    Check that the file has exactly one seal, made with the recorded certificate and covering every byte.

    Only the certificate recorded at sealing and the authority recorded with the time stamp are trusted, no matter who
    issued them. They are trusted permanently, so that a file outlives its key.

    :raises SealBroken: says what is wrong
    """
    try:
        problem = _problem_of(content, certificate_sha256, authority_sha256)
    except Exception as broken:
        raise SealBroken(f"The seal cannot be read: {type(broken).__name__}: {broken}") from broken
    if problem:
        raise SealBroken(problem)


def _problem_of(content: bytes, certificate_sha256: str, authority_sha256: str) -> str:
    signatures = PdfFileReader(io.BytesIO(content)).embedded_signatures
    if len(signatures) != 1:
        return f"The file carries {len(signatures)} signatures instead of one seal."
    [signature] = signatures
    if signature.signer_cert.sha256.hex() != certificate_sha256:
        return "The file was sealed with another certificate than recorded."
    if signature.sig_object.get("/SubFilter") != fields.SigSeedSubFilter.PADES.value:
        return "The seal is not a PAdES signature."
    if signature.docmdp_level != fields.MDPPerm.NO_CHANGES:
        return "The seal does not forbid changes."
    stamped_by = [signer_of(token) for token in _tokens_in(signature.signer_info)]
    if [each.sha256.hex() for each in stamped_by] != ([authority_sha256] if authority_sha256 else []):
        return "The time stamp in the seal is missing, or from another authority than recorded."
    status = result_of(
        async_validate_pdf_signature(
            signature,
            ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False),
            ValidationContext(trust_roots=stamped_by, allow_fetching=False),
        )
    )
    if not status.bottom_line:
        return f"The seal does not hold ({status.summary()})."
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        return "Something was added to the file after it was sealed."
    if not _gap_has_only_the_signature(content, signature):
        return "The room of the seal holds something else than the seal."
    return ""


def _gap_has_only_the_signature(content: bytes, signature: EmbeddedPdfSignature) -> bool:
    """Check the one part that a signature cannot cover: its own bytes. Nothing else may be in there."""
    _start, before, after, _rest = signature.byte_range
    room: bytes = content[before:after]
    written: bytes = cms.ContentInfo.load(signature.pkcs7_content).dump().hex().upper().encode()
    return room == b"<" + written.ljust(len(room) - 2, b"0") + b">"


def _tokens_in(signer_info: cms.SignerInfo) -> list[cms.ContentInfo]:
    attributes = signer_info["unsigned_attrs"]
    return [
        token
        for attribute in attributes or ()
        if attribute["type"].native == "signature_time_stamp_token"
        for token in attribute["values"]
    ]
