"""Everything the doctor looks at, in order and on loopback; a test breaks one thing. Real Redis, stand-ins for the rest."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rude_server import RudeServer, page

from bot.doctor import Check, examine
from bot.secret import Secret
from bot.settings import Settings
from bot.sitefile import parse
from bot.state import connect
from sandbox.kube import KubeStandIn
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn

REGION = "eu-central-1"
SITE = """
cluster: {name: shop, region: eu-central-1, nodegroups: [workers]}
monitoring:
  prometheus: {url: "%(monitoring)s"}
  alertmanager: {url: "%(monitoring)s"}
  grafana: {url: "%(monitoring)s"}
roles: {oncall: U0ALICE0001, approvers: S0SRETEAM01, two_person: S0SRETEAM01, sre-lead: S0SRETEAM01, security: S0SRETEAM01,
        platform: S0SRETEAM01, service-owner: S0SRETEAM01, db-owner: S0SRETEAM01, comms: S0SRETEAM01}
access: [{roles: approvers, may: [submit, approve], verbs: "*"}]
"""


# What a busy machine may make slow or late without anything being wrong.
TIMED = {"Redis latency", "Redis clock", "Slack clock", "Kubernetes shop clock"}


@dataclass
class House:
    slack: SlackStandIn
    kube: KubeStandIn
    aws: RudeServer
    monitoring: RudeServer
    settings: Settings
    environ: Mapping[str, str]

    def checks(self, settings: Settings | None = None, patience: float = 30.0) -> list[Check]:
        return examine(settings or self.settings, {}, patience)

    def of(self, about: str, settings: Settings | None = None) -> list[Check]:
        """The checks about this, from the probes that can make them."""
        checks = examine(settings or self.settings, {}, 30.0, only=about.split()[0])
        return [check for check in checks if check.about.startswith(about)]

    def bad(self, about: str, settings: Settings | None = None) -> list[Check]:
        """Those of them that are not good, without what a busy machine makes so."""
        return [
            check for check in self.of(about, settings) if check.state != "✓" and check.about not in TIMED
        ]

    def with_site(self, more: str = "", **told: str) -> Settings:
        """The usual site with these lines behind it; `monitoring` elsewhere when so told."""
        text = SITE % {"monitoring": told.get("monitoring", self.monitoring.url)}
        return replace(self.settings, site=parse(text + more))


@contextmanager
def furnished(folder: Path, redis: RedisServer) -> Iterator[House]:
    with ExitStack() as open_ones:
        slack = open_ones.enter_context(SlackStandIn())
        kube = open_ones.enter_context(KubeStandIn())
        monitoring = open_ones.enter_context(RudeServer(monitored))
        aws = open_ones.enter_context(RudeServer(allowed))
        kube.metrics.switch("present")
        slack.workspace.channel("#incidents").is_ext_shared = False
        site = folder / "sre-bot.yaml"
        site.write_text(SITE % {"monitoring": monitoring.url})
        settings = Settings(
            site=parse(site.read_text()),
            slack_bot_token=Secret(slack.bot_token),
            slack_app_token=Secret(slack.app_token),
            slack_api_url=slack.api_url,
            redis_url=Secret(redis.url),
            alertmanager_tokens=(Secret("webhook-token-0001"),),
            grafana_token=Secret("grafana-secret-value"),
            kubeconfig=str(kube.kubeconfig(folder / "config")),
        )
        yield House(slack, kube, aws, monitoring, settings, _environ(settings, site))


@pytest.fixture
def house(tmp_path: Path, redis_server: RedisServer) -> Iterator[House]:
    """With nothing in its store."""
    with connect(redis_server.url, patient=True) as connection:
        connection.flushall()
    with furnished(tmp_path, redis_server) as furnished_one:
        yield furnished_one


def _environ(settings: Settings, site: Path) -> Mapping[str, str]:
    return {
        "SLACK_BOT_TOKEN": settings.slack_bot_token.reveal(),
        "SLACK_APP_TOKEN": settings.slack_app_token.reveal(),
        "SLACK_API_URL": settings.slack_api_url,
        "REDIS_URL": settings.redis_url.reveal(),
        "ALERTMANAGER_WEBHOOK_TOKEN": "webhook-token-0001",
        "GRAFANA_TOKEN": "grafana-secret-value",
        "KUBECONFIG": settings.kubeconfig,
        "SRE_BOT_CONFIG": str(site),
    }


def aws_environ(url: str) -> Mapping[str, str]:
    """What boto3 must find to ask there and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def monitored(asked: Any) -> bytes:
    """Prometheus, Alertmanager and Grafana at one address."""
    known = {
        "/-/ready": "Ready",
        "/api/health": '{"database": "ok", "version": "11.2.0"}',
        "/api/search?limit=1": "[]",
        "/api/v1/status/buildinfo": '{"data": {"version": "2.53.1"}}',
        "/api/v2/status": '{"versionInfo": {"version": "0.27.0"}}',
    }
    wants_token = asked.target.startswith("/api/search")
    if wants_token and asked.headers.get("authorization") != "Bearer grafana-secret-value":
        return page(401, {"message": "Invalid API key"})
    return page(200, known[asked.target]) if asked.target in known else page(404, "")


def allowed(asked: Any) -> bytes:
    """AWS that lets the bot do everything: an answer, or the word that a dry run would have worked."""
    if "Action=GetCallerIdentity" in asked.body:
        return identity()
    if "DryRun=true" in asked.body:
        error = "<Errors><Error><Code>DryRunOperation</Code><Message>ok</Message></Error></Errors>"
        return page(412, f"<Response>{error}</Response>", "text/xml")
    if "Action=Get" in asked.body:  # IAM
        error = "<Error><Code>NoSuchEntity</Code><Message>no</Message></Error>"
        return page(404, f"<ErrorResponse>{error}</ErrorResponse>", "text/xml")
    return page(200, {})


def identity(
    arn: str = "arn:aws:sts::123456789012:assumed-role/sre-bot/x", account: str = "123456789012"
) -> bytes:
    who = f"<Arn>{arn}</Arn><Account>{account}</Account><UserId>u</UserId>"
    inner = f"<GetCallerIdentityResult>{who}</GetCallerIdentityResult>"
    return page(200, f"<GetCallerIdentityResponse>{inner}</GetCallerIdentityResponse>", "text/xml")


@contextmanager
def tls_server(folder: Path, *, days: int = 1, host: str = "127.0.0.1") -> Iterator[tuple[str, Path]]:
    """An HTTPS server and its self-signed certificate, which ends in so many days (or ended)."""
    certificate = folder / "tls.pem"
    certificate.write_bytes(_certificate(host, days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as stream:
                    stream.recv(4096)
                    stream.sendall(page(200, "Ready"))
            except OSError:
                """Who does not trust it hangs up, and that is what is tested."""

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}", certificate
        server.shutdown()


def _certificate(host: str, days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doctor")])
    ends = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
