"""The monitoring stack of one cluster as its clients ask it: addresses, the way there, and what is no answer.

A component (Prometheus, Alertmanager, Grafana) is asked at its configured address, or through the API server's proxy
(`monitoring.access`). What comes back is bounded; what is not the component's own JSON is a reason that names it.
Used by workers/prometheus.py, workers/alertmanager.py and workers/signals.py; only workers/silencing.py writes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import orjson

from commands.errors import Forbidden, Refused, Unanswered, Unreachable
from commands.site import ClusterSite, ServiceAddress, service_address
from workers.http import Ask, Http, shown
from workers.reader import Answer

API_BYTES = 8 * 1024 * 1024
# Of what grows with the cluster: targets with the labels they were discovered by, rules, alerts.
LIST_BYTES = 16 * 1024 * 1024

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = "application/json"

Json = dict[str, Any]
T = TypeVar("T")

# The headers that sign a request for AWS.
Sign = Callable[[Ask], Mapping[str, str]]


class Proxy(Protocol):
    """The API server's proxy: workers.cluster.Cluster, or a stand-in."""

    def via_service(self, address: ServiceAddress, path: str, deadline: float, cap: int) -> Answer: ...

    def via_pod(
        self, namespace: str, pod: str, port: int, path: str, *, deadline: float, cap: int
    ) -> Answer: ...


class Stack:
    """Components are called prometheus, alertmanager and grafana. sign: signs what goes to Prometheus where
    `monitoring.prometheus.sigv4` is set."""

    def __init__(self, site: ClusterSite, proxy: Proxy, http: Http, sign: Sign | None = None) -> None:
        self._monitoring = site.monitoring
        self._proxy = proxy
        self._http = http
        self._sign = sign if site.monitoring.prometheus.sigv4 else None

    def asked(
        self,
        component: str,
        path: str,
        deadline: float,
        cap: int = 0,
        *,
        form: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Answer:
        """Whatever is answered, of `cap` bytes at most. form: of a query, which an address may not hold."""
        url, cap = self.address(component), cap or API_BYTES
        is_signed = component == "prometheus" and self._sign is not None
        if self._monitoring.access == "proxy" and not is_signed:  # a service of AWS is none of the cluster
            address = self.service(component, url)
            return self._proxy.via_service(address, _with_query(path, form), deadline, cap)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        ask = Ask(component, url.rstrip("/") + path, mend(component), headers)
        if form is not None:
            ask = replace(ask, method="POST", headers={**headers, **_FORM}, body=urlencode(form).encode())
        if self._sign is not None and is_signed:
            ask = replace(ask, headers={**ask.headers, **self._sign(ask)})
        return self._http.fetch(ask, deadline, cap)

    def address(self, component: str) -> str:
        url = str(getattr(self._monitoring, component).url)
        if not url:
            raise Refused(f"{component}: no address configured", mend=f"set `monitoring.{component}.url`")
        return url

    def service(self, component: str, url: str) -> ServiceAddress:
        """The Service of the cluster that it is reached by where there is no direct way."""
        address = service_address(url)
        if address is None:
            raise Refused(
                f"{component}: {shown(url)} is no Service of the cluster, so there is no way by proxy",
                mend=f"set `monitoring.{component}.url` to http://<service>.<namespace>.svc:<port>",
            )
        return address


def mend(component: str) -> str:
    return f"check `monitoring.{component}.url`"


def unexpected(component: str, answer: Answer) -> Unanswered:
    """The error table for an answer that is not the component's own JSON."""
    way_out = mend(component)
    if 300 <= answer.status < 400:
        place = shown(answer.location)
        return Refused(f"{component}: redirects to {place}, which is no answer", mend=way_out)
    if answer.status in (401, 403):
        return Forbidden(f"{component}: needs a login ({answer.status})", mend=way_out)
    if answer.status == 429:
        return Unreachable(f"{component}: too busy (429)", retry_after=answer.retry_after)
    if answer.status >= 500:
        return Unreachable(f"{component}: answers {answer.status}", retry_after=answer.retry_after)
    if answer.cut:
        return Refused(f"{component}: more than {len(answer.body) >> 20} MiB in one answer")
    kind = "HTML" if answer.is_html else answer.content_type.partition(";")[0] or "no content type"
    return Refused(
        f"{component}: not an answer of {component.capitalize()} ({answer.status}, {kind})", mend=way_out
    )


def _with_query(path: str, form: Mapping[str, str] | None) -> str:
    """A GET also for queries: by proxy a POST would need `create`, a right no reader should have."""
    if not form:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(form)}"


def json_of(answer: Answer) -> Json | None:
    found = None if answer.cut else _loads(answer.body)
    return found if isinstance(found, dict) else None


def list_of(answer: Answer) -> list[Any] | None:
    found = None if answer.cut or answer.status != 200 else _loads(answer.body)
    return found if isinstance(found, list) else None


def text_of(answer: Answer) -> str:
    """What it says of an error: Alertmanager writes a JSON string, or an object with a message."""
    found = _loads(answer.body)
    said = found.get("message", "") if isinstance(found, dict) else found
    return short(said) if isinstance(said, str) else ""


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def shaped(component: str, project: Callable[[Any], T], found: Any) -> T:
    """The projection is also the validation: what it trips over is not what the component promises."""
    try:
        return project(found)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"{component}: an answer of an unknown shape", mend=mend(component)) from error


def short(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
