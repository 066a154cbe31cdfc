"""A time-stamping authority on this machine: real HTTP, real RFC 3161 answers, and faults on request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from asn1crypto import keys as asn1_keys
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from tests.loopback import served

Certify = Callable[[rsa.RSAPrivateKey], x509.Certificate]


class Authority:
    """Counts its requests; `fault` makes it answer otherwise."""

    def __init__(self, *, is_for_stamping: bool = True, certified_by: Certify | None = None) -> None:
        self.asked = 0
        self.fault = ""
        self.url = ""
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Time-stamping authority of the tests")])
        usage = ExtendedKeyUsageOID.TIME_STAMPING if is_for_stamping else ExtendedKeyUsageOID.CLIENT_AUTH
        now = datetime.now(tz=UTC)
        self.certificate = (
            certified_by(key)
            if certified_by
            else (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - timedelta(days=1))
                .not_valid_after(now + timedelta(days=365))
                .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
                .sign(key, hashes.SHA256())
            )
        )
        self._stamper = DummyTimeStamper(
            asn1_x509.Certificate.load(self.certificate.public_bytes(serialization.Encoding.DER)),
            asn1_keys.PrivateKeyInfo.load(
                key.private_bytes(
                    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            ),
        )

    def answer(self, request: bytes) -> bytes:
        self.asked += 1
        asked = tsp.TimeStampReq.load(request)
        if self.fault == "about something else":
            asked["message_imprint"]["hashed_message"] = b"\x00" * 32
        if self.fault == "refusal":
            return tsp.TimeStampResp({"status": {"status": "rejection"}}).dump()  # type: ignore[no-any-return]
        answer: bytes = self._stamper.request_tsa_response(asked).dump()
        return b"no time stamp at all" if self.fault == "garbage" else answer


@contextmanager
def time_stamping_authority(
    *, is_for_stamping: bool = True, certified_by: Certify | None = None
) -> Iterator[Authority]:
    authority = Authority(is_for_stamping=is_for_stamping, certified_by=certified_by)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            if authority.fault == "down":
                self.send_error(503)
                return
            content = authority.answer(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_parts: object) -> None:
            pass

    with served(Handler) as authority.url:
        yield authority
