"""A certificate authority on this machine: answers OCSP and CRL requests over real HTTP, with faults on request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from poa_documents.seal.keys import SealKey
from tests.loopback import served

A_YEAR = timedelta(days=365)


class Issuer:
    """Counts its requests. `fault` makes it answer otherwise; `revoked` holds the numbers of revoked certificates."""

    def __init__(self, *, by: str) -> None:
        self.by = by
        self.asked = 0
        self.fault = ""
        self.url = ""
        self.revoked: set[int] = set()
        self.counts_for = timedelta(days=2)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._numbers: list[int] = []
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Issuer of the tests")])
        self.now = datetime.now(tz=UTC).replace(microsecond=0)
        signs = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            self._started(name, self._key.public_key(), name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signs, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def seal_key(self, *, owner: str = "Lone Star Home Energy") -> SealKey:
        """A sealing key with a certificate of this authority that names its OCSP and CRL addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
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
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner)])
        certificate = self._issued(self._started(subject, key.public_key()).add_extension(usage, critical=True))
        return SealKey(key, certificate, (self.certificate,))

    def certify_authority(self, key: rsa.RSAPrivateKey) -> x509.Certificate:
        """A certificate for a time-stamping authority."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority under the issuer of the tests")])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        return self._issued(self._started(subject, key.public_key()).add_extension(usage, critical=True))

    def _started(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        issuer: x509.Name | None = None,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - A_YEAR)
            .not_valid_after(self.now + A_YEAR)
        )

    def _issued(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        where = x509.UniformResourceIdentifier(f"{self.url}{self.by}")
        if self.by == "ocsp":
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        else:
            point = x509.DistributionPoint([where], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def list_of_revoked(self) -> bytes:
        self.asked += 1
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=self.now - timedelta(hours=1),
            next_update=self.now + self.counts_for,
        ).add_extension(x509.CRLNumber(self.asked), critical=False)
        for number in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(number)
                .revocation_date(self.now - timedelta(days=1))
                .build()
            )
        key = ec.generate_private_key(ec.SECP256R1()) if self.fault == "signed by a stranger" else self._key
        content = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        return b"no list at all" if self.fault == "garbage" else content

    def answer(self, request: bytes) -> bytes:
        self.asked += 1
        asked = ocsp.load_der_ocsp_request(request)
        is_revoked = asked.serial_number in self.revoked
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=self.now - timedelta(hours=1),
            next_update=self.now + self.counts_for,
            revocation_time=self.now - timedelta(days=1) if is_revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
        )
        key = ec.generate_private_key(ec.SECP256R1()) if self.fault == "signed by a stranger" else self._key
        said = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(key, hashes.SHA256())
        return b"no answer at all" if self.fault == "garbage" else said.public_bytes(serialization.Encoding.DER)


@contextmanager
def certificate_issuer(*, by: str = "crl") -> Iterator[Issuer]:
    """`by` is "crl" or "ocsp": what the certificates name."""
    issuer = Issuer(by=by)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._give(lambda: issuer.list_of_revoked(), "application/pkix-crl")

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            self._give(lambda: issuer.answer(request), "application/ocsp-response")

        def _give(self, make: Callable[[], bytes], content_type: str) -> None:
            if issuer.fault == "down":
                self.send_error(503)
                return
            content = make()
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_parts: object) -> None:
            pass

    with served(Handler) as issuer.url:
        yield issuer
