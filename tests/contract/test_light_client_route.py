"""The network route to Light: through a proxy, and with custom certificates, over real TLS."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enrollments.light.client import LightClient
from enrollments.light.deadlines import DIRECT, Route
from enrollments.light.documents import DocumentFetcher, DocumentNotFetched
from enrollments.light.errors import LightError, NotReached
from tests.contract.proxy import Proxy, running_proxy
from tests.contract.scripted_light import ScriptedLight, answer, scripted_light

UUID = str(uuid4())
ACCOUNT = {"uuid": UUID, "email": "kay@example.com"}
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tls:
    """The server side of TLS as "localhost", and the file of the authority that certified it."""

    context: ssl.SSLContext
    ca_file: Path


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name, server_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Office proxy", "localhost")
    )
    now = datetime.now(tz=UTC)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority_name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - A_DAY).not_valid_after(now + A_DAY)

    authority = certificate(authority_name, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = certificate(server_name, server_key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    ca_file, chain_file, key_file = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    ca_file.write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    chain_file.write_bytes(server.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file, key_file)
    return Tls(context, ca_file)


@pytest.fixture
def light(tls: Tls) -> Iterator[ScriptedLight]:
    with scripted_light(tls=tls.context) as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy() as running:
        yield running


def client(light: ScriptedLight, route: Route = DIRECT) -> LightClient:
    return LightClient(base_url=light.base_url, app_token="app", route=route, pause=lambda _seconds: None)


def test_configured_certificates_are_trusted(light: ScriptedLight, tls: Tls) -> None:
    light.will(answer(200, ACCOUNT))

    with client(light, Route(ca_file=str(tls.ca_file))) as asking:
        assert asking.read_account(UUID).uuid == UUID


def test_unconfigured_certificates_are_not_trusted(light: ScriptedLight) -> None:
    with client(light) as asking, pytest.raises(NotReached, match="no trusted connection"):
        asking.read_account(UUID)

    assert light.received == []


def test_calls_go_through_the_proxy_inside_tls(light: ScriptedLight, proxy: Proxy, tls: Tls) -> None:
    light.will(answer(200, ACCOUNT), answer(200, ACCOUNT))

    with client(light, Route(proxy_url=proxy.url, ca_file=str(tls.ca_file))) as asking:
        for _ in range(2):
            assert asking.read_account(UUID).uuid == UUID

    assert proxy.asked == [f"CONNECT {light.base_url.removeprefix('https://')}"]
    assert light.received[0].headers["authorization"] == "Bearer app"


def test_password_goes_to_the_proxy_and_not_to_light(light: ScriptedLight, proxy: Proxy, tls: Tls) -> None:
    proxy.password = "switchyard:word"
    light.will(answer(200, ACCOUNT))

    route = Route(proxy_url=proxy.url.replace("http://", "http://switchyard:word@"), ca_file=str(tls.ca_file))
    with client(light, route) as asking:
        asking.read_account(UUID)

    assert "proxy-authorization" not in light.received[0].headers
    assert "word" not in repr(route)


@pytest.mark.parametrize("trouble", ["gone", 407, 403, 502])
def test_write_blocked_by_the_proxy_was_not_sent(
    light: ScriptedLight, proxy: Proxy, tls: Tls, trouble: str | int
) -> None:
    route = Route(proxy_url="http://127.0.0.1:1" if trouble == "gone" else proxy.url, ca_file=str(tls.ca_file))
    proxy.refuses_with = trouble if isinstance(trouble, int) else 0

    with client(light, route) as asking, pytest.raises(NotReached, match="no connection through the proxy"):
        asking.record_client_agent(UUID, accepted_at=datetime.now(tz=UTC))

    assert light.received == []


def test_proxy_environment_variables_have_no_effect(
    light: ScriptedLight, proxy: Proxy, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca_file))

    with client(light) as asking, pytest.raises(NotReached, match="no trusted connection"):
        asking.read_account(UUID)

    assert proxy.asked == []


def test_plain_http_goes_through_the_proxy_too(proxy: Proxy) -> None:
    with scripted_light() as plain, client(plain, Route(proxy_url=proxy.url)) as asking:
        plain.will(answer(200, ACCOUNT))

        assert asking.read_account(UUID).uuid == UUID

    assert proxy.asked == [f"GET {plain.base_url}/v1/app/accounts/{UUID}"]


def test_plan_documents_use_the_same_route(light: ScriptedLight, proxy: Proxy, tls: Tls) -> None:
    light.will(answer(200, b"%PDF-1.7 the whole of it %%EOF"))
    fetcher = DocumentFetcher(
        allowed_origins=[light.base_url], route=Route(proxy_url=proxy.url, ca_file=str(tls.ca_file))
    )

    assert fetcher.fetch(f"{light.base_url}/efl.pdf").suffix == ".pdf"

    assert len(proxy.asked) == 1
    with pytest.raises(DocumentNotFetched):
        DocumentFetcher(allowed_origins=[light.base_url]).fetch(f"{light.base_url}/efl.pdf")


def test_silent_proxy_costs_no_more_than_the_call_timeout(light: ScriptedLight) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        route = Route(proxy_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with (
            LightClient(
                base_url=light.base_url,
                app_token="app",
                route=route,
                connect_timeout_seconds=0.2,
                read_timeout_seconds=0.2,
                pause=lambda _seconds: None,
            ) as asking,
            pytest.raises(LightError),
        ):
            asking.record_client_agent(UUID, accepted_at=datetime.now(tz=UTC))
