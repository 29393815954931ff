"""Prometheus, Alertmanager and Grafana as the configuration names them: there, ready, new enough, and what they seem.

By the same way as the workers: directly, through the API server's proxy, or signed for Amazon Managed Prometheus.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import boto3
import httpx
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from bot.doctor.check import ANSWER_BYTES, BROKEN, GOOD, OPEN, WARNING, Check
from bot.doctor.cluster import NO_ANSWER, Kube
from bot.doctor.reach import odd_answer, unreachable
from bot.settings import Settings
from commands.site import service_address

_READY = {"prometheus": "/-/ready", "alertmanager": "/-/ready", "grafana": "/api/health"}

# Where each tells its version, the keys that lead there, and the oldest that knows all that is asked: the modifier @ and
# negative offsets of PromQL, matchers with isEqual, tokens of service accounts.
_VERSION: Mapping[str, tuple[str, tuple[str, ...], tuple[int, int]]] = {
    "prometheus": ("/api/v1/status/buildinfo", ("data", "version"), (2, 33)),
    "alertmanager": ("/api/v2/status", ("versionInfo", "version"), (0, 22)),
    "grafana": ("/api/health", ("version",), (9, 0)),
}

Answer = tuple[int, bytes, Mapping[str, str]]
Get = Callable[[str, Mapping[str, str]], Answer]


def probe(kube: Kube, name: str, settings: Settings, patience: float) -> Iterator[Check]:
    stack = kube.cluster.monitoring
    about, key = f"{name.capitalize()} {kube.cluster.name}", f"`monitoring.{name}.url`"
    url: str = getattr(stack, name).url
    if not url:
        yield Check(about, OPEN, "is not configured", f"set {key}")
        return
    if name == "prometheus" and stack.prometheus.sigv4:
        yield _managed(about, key, kube, patience)
        return
    way = "through the API server" if stack.access == "proxy" else "directly"
    get = _way(kube, url, patience)
    checks = list(_ready(about, key, f"{url}{_READY[name]}", url, way, get, _READY[name]))
    yield from checks
    if checks[0].state != GOOD:
        return
    yield from _version(about, name, get)
    if name == "grafana":
        yield from _grafana_by_proxy(about, get) if stack.access == "proxy" else _token(about, settings, get)


def _ready(about: str, key: str, asked: str, url: str, way: str, get: Get, path: str) -> Iterator[Check]:
    try:
        status, body, headers = get(path, {})
    except (*NO_ANSWER, httpx.HTTPError) as error:
        found, mend = unreachable(error, url, key)
        outside = "" if way != "directly" else "; from outside the cluster, set `monitoring.access: proxy`"
        yield Check(about, BROKEN, f"{found} ({way})", f"{mend}{outside}")
        return
    if odd := odd_answer(status, headers, body, key):
        found, mend = odd
        more = ", or grant services/proxy" if status in (401, 403) and way != "directly" else ""
        yield Check(about, BROKEN, f"{asked} {found} {way}", mend + more)
        return
    yield Check(about, GOOD, f"{url} is ready {way}")


def _way(kube: Kube, url: str, patience: float) -> Get:
    def by_proxy(path: str, headers: Mapping[str, str]) -> Answer:
        at = service_address(url)
        if at is None:
            raise ValueError(f"{url} names no Service of the cluster")
        name = f"{at.scheme}:{at.service}:{at.port}" if at.scheme == "https" else f"{at.service}:{at.port}"
        return kube.request("GET", f"/api/v1/namespaces/{at.namespace}/services/{name}/proxy{at.path}{path}")

    def directly(path: str, headers: Mapping[str, str]) -> Answer:
        return _got(url.rstrip("/") + path, headers, patience)

    return by_proxy if kube.cluster.monitoring.access == "proxy" else directly


def _got(url: str, headers: Mapping[str, str], patience: float) -> Answer:
    with httpx.stream("GET", url, headers=dict(headers), timeout=patience, follow_redirects=False) as answer:
        body = b""
        for piece in answer.iter_bytes():
            body += piece
            if len(body) >= ANSWER_BYTES:
                break
        return answer.status_code, body, answer.headers


def _version(about: str, name: str, get: Get) -> Iterator[Check]:
    path, keys, oldest = _VERSION[name]
    try:
        status, body, _ = get(path, {})
        found = orjson.loads(body) if status == 200 else {}
        for key in keys:
            found = found[key]
    except (*NO_ANSWER, httpx.HTTPError, KeyError, TypeError):
        return  # Thanos, Mimir and old ones tell none
    numbers = re.match(r"v?(\d+)\.(\d+)", str(found))
    if not numbers:
        return
    if (int(numbers[1]), int(numbers[2])) < oldest:
        least = ".".join(map(str, oldest))
        text = f"{found} is older than {least}: some answers will say that they could not be read"
        yield Check(f"{about} version", WARNING, text, f"upgrade it to {least} or newer")
    else:
        yield Check(f"{about} version", GOOD, str(found))


# --- Grafana's token ------------------------------------------------------------------------------


def _grafana_by_proxy(about: str, get: Get) -> Iterator[Check]:
    status, _, _ = get("/api/search?limit=1", {})
    if status == 200:
        yield Check(f"{about} token", GOOD, "dashboards may be searched without a token")
        return
    found = f"GRAFANA_TOKEN is not tried: the API server's proxy cannot pass a token (without: {status})"
    mend = "set `monitoring.access: direct`, or let Grafana show without a login"
    yield Check(f"{about} token", OPEN, found, mend)


def _token(about: str, settings: Settings, get: Get) -> Iterator[Check]:
    mend = "make a service account with role Viewer in Grafana, and set GRAFANA_TOKEN to a token of it"
    if not settings.grafana_token:
        yield Check(f"{about} token", OPEN, "dashboards are not looked up without a token", mend)
        return
    status, _, _ = get("/api/search?limit=1", {"Authorization": f"Bearer {settings.grafana_token.reveal()}"})
    if status == 200:
        yield Check(f"{about} token", GOOD, "the token may search dashboards")
    else:
        yield Check(f"{about} token", BROKEN, f"the token is refused ({status})", mend)


# --- Amazon Managed Prometheus --------------------------------------------------------------------


def _managed(about: str, key: str, kube: Kube, patience: float) -> Check:
    stack = kube.cluster.monitoring.prometheus
    region, url = stack.region or kube.cluster.region, f"{stack.url.rstrip('/')}/api/v1/query?query=1"
    try:
        status, body, headers = _got(url, _signed(url, region), patience)
    except BotoCoreError as error:
        return Check(about, BROKEN, f"nothing to sign with: {type(error).__name__}", _ROLE)
    except (httpx.HTTPError, OSError) as error:
        found, mend = unreachable(error, stack.url, key)
        return Check(about, BROKEN, found, mend)
    if status == 200:
        return Check(about, GOOD, f"{stack.url} answers, signed for {region}")
    if status == 403:
        mend = (
            'add to the role\'s policy {"Effect": "Allow", "Action": ["aps:QueryMetrics", "aps:ListRules"], "Resource": '
            f'"arn:aws:aps:{region}:*:workspace/*"}} (k8s/aws-policy.json), and look whether {region} is its region'
        )
        return Check(about, BROKEN, f"aps:QueryMetrics is refused in {region} (403)", mend)
    found, mend = odd_answer(status, headers, body, key) or ("", "")
    return Check(about, BROKEN, f"{stack.url} {found}", mend)


_ROLE = "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity)"


def _signed(url: str, region: str) -> dict[str, str]:
    request = AWSRequest("GET", url)
    credentials = boto3.session.Session().get_credentials()
    if credentials is not None:
        SigV4Auth(credentials.get_frozen_credentials(), "aps", region).add_auth(request)
    return dict(request.headers.items())
