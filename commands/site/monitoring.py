"""Where Prometheus, Grafana and Alertmanager are, and the addresses that people open.

A part of the site (commands/site/__init__.py), of nothing but values.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from commands.site.values import Amount, BaseUrl, Name, Region, Several, Url


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A Service inside the cluster, as the API server's service proxy names it."""

    scheme: str
    namespace: str
    service: str
    port: int
    path: str = ""


def service_address(url: str) -> ServiceAddress | None:
    """The Service behind an in-cluster address (http://name.namespace.svc:port), or None for any other."""
    parts = urlsplit(url)
    found = re.fullmatch(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?", parts.hostname or "")
    if not found:
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ServiceAddress(parts.scheme, found[2], found[1], port, parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """sigv4: sign requests for Amazon Managed Prometheus, in `region` or, where that is empty, the cluster's."""

    url: BaseUrl = "http://prometheus-service.monitoring.svc:9090"
    config_map: Name = "prometheus-config"
    expected_jobs: tuple[str, ...] = ("backend", "kubernetes-nodes", "kube-state-metrics")
    sigv4: bool = False
    region: Region = ""


@dataclass(frozen=True, slots=True)
class Grafana:
    url: BaseUrl = "http://grafana.monitoring.svc:3000"
    deployment: Name = "grafana"
    dashboards_config_map: Name = "grafana-dashboards"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    url: BaseUrl = "http://alertmanager.monitoring.svc:9093"
    workload: Name = "alertmanager"
    config: Name = "alertmanager-config"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """access: "direct" speaks to these addresses (and to pod IPs); "proxy" goes through the API server.
    An empty url means the component is not there, and its checks say so."""

    prometheus: Prometheus = Prometheus()
    grafana: Grafana = Grafana()
    alertmanager: Alertmanager = Alertmanager()
    access: Literal["direct", "proxy"] = "direct"


@dataclass(frozen=True, slots=True)
class Urls:
    """What a person's browser opens; empty is "not set", and the answer names the key."""

    grafana: BaseUrl = ""
    alertmanager: BaseUrl = ""
    runbooks: Url = ""
    status_page_webhook: Url = ""


@dataclass(frozen=True, slots=True)
class Git:
    repo: str = ""
    branch: str = "main"


@dataclass(frozen=True, slots=True)
class Dashboards:
    """Dashboards by their titles; slow_panel_s: a panel slower than this is listed, in seconds."""

    slo: str = "SRE Shop - SLO Dashboard"
    overview: str = "Kubernetes Overview"
    git: Git = Git()
    slow_panel_s: Amount = 2
    unused_days: Several = 90
