"""Reads, checks and creates the key that seals documents."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from core.dates import short_date

DEVELOPMENT_NAME = "Switchyard development seal"
# Demos and tests set the clock to any day, so the development key must always be valid.
DEVELOPMENT_FROM = datetime(2020, 1, 1, tzinfo=UTC)
DEVELOPMENT_UNTIL = datetime(2049, 12, 31, tzinfo=UTC)
WARN_BEFORE_END = timedelta(days=60)


class SealKeyUnusable(Exception):
    """This key cannot seal. Signatures wait and are not lost."""


@dataclass(frozen=True)
class SealKey:
    """A private key with its certificate and the certificates above it."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, stored with each sealed document."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def owner(self) -> str:
        return self.certificate.subject.rfc4514_string()

    @property
    def starts_at(self) -> datetime:
        return self.certificate.not_valid_before_utc

    @property
    def ends_at(self) -> datetime:
        return self.certificate.not_valid_after_utc

    @property
    def is_for_development(self) -> bool:
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return any(name.value == DEVELOPMENT_NAME for name in names)

    def check_in_force(self, at: datetime) -> None:
        """:raises SealKeyUnusable: the certificate has expired, or is not valid yet"""
        if at > self.ends_at:
            raise SealKeyUnusable(
                f"The certificate of the seal ended on {short_date(self.ends_at)}: put a new key into "
                "POA_SEAL_KEY_FILE."
            )
        if at < self.starts_at:
            raise SealKeyUnusable(f"The certificate of the seal is valid only from {short_date(self.starts_at)}.")


def read_key(file: Path, passphrase: str = "") -> SealKey:
    """
    Read a PKCS#12 file (.p12, .pfx) and check that it holds what a seal needs.

    :raises SealKeyUnusable: says what is wrong and what the file should be
    """
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise SealKeyUnusable(f"{file} cannot be read ({problem.strerror}).") from problem
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, passphrase.encode() or None)
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise SealKeyUnusable(f"{file} is no PKCS#12 file, or POA_SEAL_PASSPHRASE does not open it.") from problem
    if key is None or certificate is None:
        raise SealKeyUnusable(f"{file} must hold a private key and its certificate.")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SealKeyUnusable(f"The key in {file} must be an elliptic curve key of curve P-256.")
    if certificate.public_key() != key.public_key():
        raise SealKeyUnusable(f"The certificate in {file} is not that of the key.")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is None or not usage.content_commitment:
        raise SealKeyUnusable(
            f"The certificate in {file} is not for sealing: its key usage must contain “content commitment” "
            "(also called non-repudiation)."
        )
    return SealKey(key, certificate, tuple(others))


def current_key(file: str, passphrase: str) -> SealKey:
    """
    Return the configured key, read once per version of its file.

    :raises SealKeyUnusable: no key is configured, or it cannot be used
    """
    if not file:
        raise SealKeyUnusable("POA_SEAL_KEY_FILE names no key.")
    try:
        changed = Path(file).stat().st_mtime_ns
    except OSError as problem:
        raise SealKeyUnusable(f"{file} cannot be read ({problem.strerror}).") from problem
    return _read_once(file, passphrase, changed)


@lru_cache(maxsize=4)
def _read_once(file: str, passphrase: str, _changed: int) -> SealKey:
    return read_key(Path(file), passphrase)


def make_key(name: str, *, starts_at: datetime, ends_at: datetime) -> SealKey:
    """Create a P-256 key with a self-signed certificate, for sealing only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts_at)
        .not_valid_after(ends_at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return SealKey(key, certificate)


def write_key(key: SealKey, file: Path, passphrase: str = "") -> bool:
    """
    Write a key as PKCS#12, readable only by its owner. Return false if the file already exists; it is not changed.

    If two processes start at once, the first one wins.
    """
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    content = pkcs12.serialize_key_and_certificates(b"seal", key.private_key, key.certificate, key.chain, encryption)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    try:
        draft.write_bytes(content)
        with suppress(FileExistsError):
            os.link(draft, file)
            return True
        return False
    finally:
        draft.unlink()


def provide_development_key(file: Path) -> None:
    """Create the key of the embedded mode at its first start."""
    if not file.exists():
        write_key(make_key(DEVELOPMENT_NAME, starts_at=DEVELOPMENT_FROM, ends_at=DEVELOPMENT_UNTIL), file)
