"""Requests for Amazon Managed Prometheus, signed: each recorded request is signed again, by the rules on paper."""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest
from rude_server import Asked, RudeServer, page
from test_signals import NoProxy, soon, vector

from commands import reads
from commands.alertreads import Rules
from commands.errors import Unreachable
from commands.site import ClusterSite, Monitoring, Prometheus
from workers.signals import Signals
from workers.signing import Signer

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def ask(read: Any, url: str, access: Any = "direct") -> Any:
    stack = Monitoring(prometheus=Prometheus(url=url, sigv4=True, region=REGION), access=access)
    client = Signals(ClusterSite(monitoring=stack), NoProxy(), "", Signer("aps", REGION).headers)
    try:
        return client.read(read, soon())
    finally:
        client.close()


def signature(asked: Asked) -> str:
    """AWS Signature Version 4 of what arrived, with the headers that it says are signed."""
    said = asked.headers["authorization"]
    names = re.search(r"SignedHeaders=([^,]+)", said)[1]  # type: ignore[index]
    scope = re.search(r"Credential=AKIDEXAMPLE/([^,]+)", said)[1]  # type: ignore[index]
    path, _, query = asked.target.partition("?")
    canonical = "\n".join(
        [
            asked.method,
            path,
            "&".join(sorted(query.split("&"))),
            *(f"{name}:{asked.headers[name].strip()}" for name in names.split(";")),
            "",
            names,
            hashlib.sha256(asked.body.encode()).hexdigest(),
        ]
    )
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            asked.headers["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize("access", ["direct", "proxy"])  # a workspace is no Service of the cluster
def test_a_query_is_signed_as_aws_checks_it(access: Any) -> None:
    with RudeServer(lambda _: vector("1")) as server:
        found = ask(reads.Query('sum(rate(a{b="c d+e"}[5m])) / 2'), f"{server.url}/workspaces/ws-1/", access)
    assert len(found.samples) == 1
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/workspaces/ws-1/api/v1/query")
    said = asked.headers["authorization"]
    assert said.endswith(f"Signature={signature(asked)}")
    assert f"/{REGION}/aps/aws4_request" in said and "content-type" in said and "host" in said
    assert SECRET not in str(asked)


def test_a_get_with_a_query_is_signed_too() -> None:
    answer = page(200, {"status": "success", "data": {"groups": []}})
    with RudeServer(lambda _: answer) as server:
        assert ask(Rules(), f"{server.url}/workspaces/ws-1") == ()
    (asked,) = server.asked
    assert asked.target == "/workspaces/ws-1/api/v1/rules?exclude_alerts=true"
    assert asked.headers["authorization"].endswith(signature(asked))


def test_temporary_credentials_send_their_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t0ken")
    with RudeServer(lambda _: vector("1")) as server:
        ask(reads.Query("up"), server.url)
    (asked,) = server.asked
    assert asked.headers["x-amz-security-token"] == "t0ken"
    assert asked.headers["authorization"].endswith(signature(asked))


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with RudeServer(lambda _: vector("1")) as server, pytest.raises(Unreachable) as caught:
        ask(reads.Query("up"), server.url)
    assert caught.value.reason == "prometheus: no AWS credentials to sign with (NoCredentialsError)"
    assert "IAM role" in caught.value.mend
    assert server.asked == []


def test_prometheus_of_ones_own_is_asked_unsigned() -> None:
    with RudeServer(lambda _: vector("1")) as server:
        site = ClusterSite(monitoring=Monitoring(prometheus=Prometheus(url=server.url)))
        client = Signals(site, NoProxy(), "", Signer("aps", REGION).headers)
        client.read(reads.Query("up"), soon())
        client.close()
    assert "authorization" not in server.asked[0].headers
