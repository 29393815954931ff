"""Reads over HTTP: Prometheus, Alertmanager, Grafana, and the application's pods.

Owns which read is asked where, and in which lane. Goes to the configured addresses directly, or through the API
server's proxy (`monitoring.access`). Nothing here judges, and no token or password is put into a reason. Called by
workers/reader.py; the connection is workers/http.py's, the words of a failing component workers/stack.py's.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from prometheus_client.parser import text_string_to_metric_families

from commands import reads
from commands.errors import Forbidden, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from workers import alertmanager, prometheus
from workers.http import Ask, Http
from workers.reader import Answer
from workers.stack import Proxy, Sign, Stack, json_of, list_of, shaped, short, unexpected

PAGE_BYTES = 5 * 1024 * 1024
# Of a health page only its beginning is kept; the rest is read to know that it arrives.
PROBE_BYTES = 256 * 1024
SHOWN_BYTES = 4 * 1024

# Classic text only: the OpenMetrics form of a page names counters differently.
_EXPOSITION = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
_METRIC_NAME = re.compile(r"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)", re.MULTILINE)


class Signals:
    """The monitoring stack and the pods' own pages of one cluster."""

    def __init__(
        self, site: ClusterSite, proxy: Proxy, grafana_token: str = "", sign: Sign | None = None
    ) -> None:
        self._monitoring = site.monitoring
        self._proxy = proxy
        self._grafana_token = grafana_token
        self._http = Http()
        self._stack = Stack(site, proxy, self._http, sign)
        self._reads: Mapping[type[Read], Callable[[Any, float], Any]] = {
            reads.Probe: self._probe,
            reads.GrafanaHealth: self._grafana_health,
            reads.Dashboards: self._dashboards,
            reads.PodHttp: self._pod_http,
            reads.PodExposition: self._pod_exposition,
        }

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        """One per server: while Prometheus hangs, the others are still asked."""
        return (
            tuple(prometheus.READS),
            (reads.Probe,),
            (reads.GrafanaHealth, reads.Dashboards),
            tuple(alertmanager.READS),
            (reads.PodHttp, reads.PodExposition),
        )

    def read(self, read: Read, deadline: float) -> Any:
        kind = type(read)
        ask = prometheus.READS.get(kind) or alertmanager.READS.get(kind)
        return ask(self._stack, read, deadline) if ask else self._reads[kind](read, deadline)

    def close(self) -> None:
        self._http.close()

    def _probe(self, read: reads.Probe, deadline: float) -> reads.Http:
        return _http(self._stack.asked(read.component, read.path, deadline, PROBE_BYTES))

    # Grafana.

    def _grafana_health(self, read: reads.GrafanaHealth, deadline: float) -> reads.GrafanaView:
        answer = self._stack.asked("grafana", "/api/health", deadline)
        found = json_of(answer)
        # With a failing database the status is 503, and the same page says so.
        if found is None or "database" not in found:
            raise unexpected("grafana", answer)
        words = (str(found.get(key) or "") for key in ("version", "database", "commit"))
        return reads.GrafanaView(*words)

    def _dashboards(self, read: reads.Dashboards, deadline: float) -> tuple[reads.DashboardView, ...]:
        path = f"/api/search?{urlencode({'type': 'dash-db', 'limit': 100, 'query': read.title})}"
        answer = self._stack.asked("grafana", path, deadline, token=self._grafana_token)
        if answer.status in (401, 403):
            raise Forbidden(f"grafana: dashboards need a login ({answer.status})", mend=self._grafana_mend)
        found = list_of(answer)
        if found is None:
            raise unexpected("grafana", answer)
        return shaped("grafana", _dashboard_views, found)

    @property
    def _grafana_mend(self) -> str:
        if self._monitoring.access == "proxy":
            return "set `monitoring.access` to direct: the API server's proxy does not pass on GRAFANA_TOKEN"
        return "set GRAFANA_TOKEN to the token of a Grafana service account with role Viewer"

    # The application's pods.

    def _pod_http(self, read: reads.PodHttp, deadline: float) -> reads.Http:
        return _http(self._pod(read, deadline, PROBE_BYTES))

    def _pod_exposition(self, read: reads.PodExposition, deadline: float) -> reads.Exposition:
        return exposition(self._pod(read, deadline, PAGE_BYTES), deadline)

    def _pod(self, read: reads.PodHttp | reads.PodExposition, deadline: float, cap: int) -> Answer:
        path = "/" + quote(read.path.lstrip("/"), safe="/%?&=:@!$'()*+,;~")
        if self._monitoring.access == "proxy":
            return self._proxy.via_pod(read.namespace, read.pod, read.port, path, deadline=deadline, cap=cap)
        host = f"[{read.address}]" if ":" in read.address else read.address
        mend = "let the bot reach the pods (NetworkPolicy), or set `monitoring.access` to proxy"
        accept = _EXPOSITION if isinstance(read, reads.PodExposition) else "*/*"
        ask = Ask(
            f"pod {read.namespace}/{read.pod}", f"http://{host}:{read.port}{path}", mend, {"Accept": accept}
        )
        return self._http.fetch(ask, deadline, cap)


# --- From a page to a view ------------------------------------------------------------------------


def _dashboard_views(found: list[Any]) -> tuple[reads.DashboardView, ...]:
    return tuple(
        reads.DashboardView(str(each["title"]), str(each["uid"]), str(each["url"])) for each in found
    )


def _http(answer: Answer) -> reads.Http:
    return reads.Http(answer.status, answer.took, answer.body[:SHOWN_BYTES].decode(errors="replace"))


def exposition(answer: Answer, deadline: float) -> reads.Exposition:
    """Parsed in full, because a page that breaks off half way is not scraped by Prometheus either."""
    error = _not_exposition(answer)
    if error:
        return reads.Exposition(answer.status, frozenset(), error)
    text = answer.body.decode(errors="replace")
    try:
        for _ in text_string_to_metric_families(text):
            if time.monotonic() > deadline:
                raise Unreachable("the metrics page is too long to be parsed in time")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as bad:
        return reads.Exposition(answer.status, frozenset(), f"not a metrics page: {short(str(bad), 80)}")
    # The parser renames counters; what the page itself says is what queries will find.
    return reads.Exposition(answer.status, frozenset(_METRIC_NAME.findall(text)))


def _not_exposition(answer: Answer) -> str:
    if answer.status != 200:
        return f"HTTP {answer.status}"
    if answer.is_html:
        return "not a metrics page: HTML"
    if answer.cut:
        return f"the page is longer than {PAGE_BYTES >> 20} MiB"
    return "" if answer.body.strip() else "the page is empty"
