"""The named queries: what is asked of Prometheus, under names that the configuration can override.

A query is one entry of QUERIES: name, meaning, PromQL template, unit, and what an empty answer says. A
template holds $names, which `query` fills from the site; `slo.queries` replaces a whole template by
name and may use the same $names. Numbers come back as shares (1 = 100 %) and are judged as decimals, so
that a threshold typed as 99.9 is met by exactly 99.9.

Rules every template keeps: `sum` or `max by` on both sides before arithmetic, so that two replicas of
an exporter count once; a denominator is left alone, so that no traffic is 0/0 = NaN ("no requests")
while a series that does not exist is an empty answer ("no data").
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from string import Template
from typing import Literal

from commands.model import Gap
from commands.reads import Query, Sample, Vector
from commands.site import ClusterSite, ServiceSite

# share: between 0 and 1 by its nature. ratio: may exceed 1 (a budget overspent, CPU over its request).
# The others are no percentages: `amounts` reads them.
Unit = Literal["share", "ratio", "count", "cores", "bytes", "seconds", "per second", "bytes per hour"]
OnEmpty = Literal["ok", "unknown", "zero"]


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """metrics: what the template reads, named when there is no such series.

    on_empty: what an empty answer says: "ok" (nothing to complain about), "zero", or "unknown".
    on_nan: what 0/0 and x/0 mean here, in words.
    """

    name: str
    meaning: str
    template: str
    unit: Unit
    metrics: tuple[str, ...]
    on_empty: OnEmpty = "unknown"
    on_nan: str = "no requests"


_SERVICE = 'namespace="$namespace",service="$service"'
_REQUESTS = f"sum(rate(http_requests_total{{{_SERVICE}}}[$window]))"
# `or 0 * all` stands in for 5xx series that do not exist yet; it stays empty when there is no metric.
_FAILED = f'(sum(rate(http_requests_total{{{_SERVICE},status=~"5.."}}[$window])) or 0 * {_REQUESTS})'
_ERROR_SHARE = f"{_FAILED} / {_REQUESTS}"

# A minute without any series is a minute without a healthy target, from the first one seen on: what is
# divided by is every step since then, and at most the window's. A service that vanished is remembered for
# $past, so that the last minutes say 0 rather than nothing.
_IS_UP = f"clamp_max(max(up{{{_SERVICE}}}), 1)"
_FIRST_SEEN = f"min_over_time(timestamp({_IS_UP})[$past:1m])"
_AVAILABLE = (
    f"(sum_over_time({_IS_UP}[$window:1m]) or 0 * {_FIRST_SEEN})"
    f" / clamp_max((time() - time() % 60 - {_FIRST_SEEN}) / 60 + 1,"
    " scalar(count_over_time(vector(1)[$window:1m])))"
)

# Only what runs counts: a finished Job's pod keeps its request in kube-state-metrics.
_LIVE_POD = (
    'max by (namespace, pod) (kube_pod_status_phase{namespace="$namespace",phase=~"Pending|Running"} == 1)'
)
_CPU_REQUESTED = (
    "sum(max by (namespace, pod, container) "
    '(kube_pod_container_resource_requests{namespace="$namespace",resource="cpu"})'
    f" * on (namespace, pod) group_left () {_LIVE_POD})"
)
# container="" is the pod's own cgroup row: with it every pod would count twice.
_CPU_USED = (
    "sum(max by (namespace, pod, container) (rate(container_cpu_usage_seconds_total"
    '{namespace="$namespace",container!="",container!="POD"}[$window])))'
)
# node-exporter knows its own address only; node_uname_info holds the node's name.
_NODE_NAME = (
    "on (instance) group_left (nodename)"
    " topk by (instance) (1, max by (instance, nodename) (node_uname_info))"
)

# $scope is a namespace (or all) and perhaps one pod. Only containers with a limit can come near one.
_RUNNING = '$scope,container!="",container!="POD"'
_CPU_OF_CONTAINER = (
    f"max by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{{{_RUNNING}}}[$window]))"
)
_MEMORY_OF_CONTAINER = (
    f"max by (namespace, pod, container) (container_memory_working_set_bytes{{{_RUNNING}}})"
)
_CPU_LIMIT = (
    'max by (namespace, pod, container) (kube_pod_container_resource_limits{$scope,resource="cpu"}) > 0'
)
_MEMORY_LIMIT = _CPU_LIMIT.replace("cpu", "memory")
# What a JVM calls its collections and its heap depends on who exports them (C45): the first that is there.
_COLLECTED = " or ".join(
    f"sum by (namespace, pod) (max by (namespace, pod, gc, cause, action, name)"
    f" (rate({name}{{$scope}}[$window])))"
    for name in (
        "jvm_gc_collection_seconds_sum",
        "jvm_gc_pause_seconds_sum",
        "jvm_gc_duration_seconds_sum",
        "jvm_gc_collection_seconds_total",
    )
)
_HEAP = " or ".join(
    f'sum by (namespace, pod) (max by (namespace, pod, id, pool) ({name}{{$scope,{label}="heap"}}))'
    for name, label in (
        ("jvm_memory_used_bytes", "area"),
        ("jvm_memory_bytes_used", "area"),
        ("jvm_memory_used_bytes", "jvm_memory_type"),
    )
)
# A pool without a limit says -1.
_HEAP_MOST = _HEAP.replace("bytes_used", "bytes_max").replace("used_bytes", "max_bytes")
_LOST = " + ".join(
    f"rate(container_network_{direction}_{what}_total{{$scope}}[$window])"
    for direction in ("receive", "transmit")
    for what in ("packets_dropped", "errors")
)
_POOL = '{namespace="$namespace"}'
_COUNTED = f"sum(increase(http_requests_total{{{_SERVICE}}}[$window]))"
# Pods of its Deployment alone: those of another whose name goes on after this one's have one part more.
_OWN_PODS = 'namespace="$namespace",pod=~"$deployment-[a-z0-9]+-[a-z0-9]{5}",container!="",container!="POD"'
_PERIODS = (
    "sum by (namespace, pod) (max by (namespace, pod, container)"
    ' (rate(container_cpu_cfs_{kind}_total{{$scope,container!=""}}[$window])))'
)
_ROOT = 'mountpoint="/",fstype!~"tmpfs|overlay|squashfs|ramfs"'

QUERIES: Mapping[str, NamedQuery] = {
    entry.name: entry
    for entry in (
        NamedQuery(
            "Q-avail",
            "share of the window in which the service had at least one healthy target",
            _AVAILABLE,
            "share",
            ("up",),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-success",
            "share of requests in the window that did not fail with 5xx",
            f"1 - {_ERROR_SHARE}",
            "share",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-error",
            "share of requests in the window that failed with 5xx",
            _ERROR_SHARE,
            "share",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-budget",
            "share of the window's error budget that is consumed",
            f"({_ERROR_SHARE}) / $budget",
            "ratio",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-slocpu",
            "CPU used of CPU requested, running pods of the service's namespace",
            f"{_CPU_USED} / {_CPU_REQUESTED}",
            "ratio",
            (
                "container_cpu_usage_seconds_total",
                "kube_pod_container_resource_requests",
                "kube_pod_status_phase",
            ),
            on_nan="no CPU requests set",
        ),
        NamedQuery(
            "Q-nodecpu",
            "busy share of each node's CPUs",
            "max by (instance) (1 - avg without (cpu) (sum without (mode) "
            '(rate(node_cpu_seconds_total{mode=~"idle|iowait|steal"}[$window]))))'
            f" * {_NODE_NAME}",
            "share",
            ("node_cpu_seconds_total", "node_uname_info"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-nodemem",
            "used share of each node's memory",
            "max by (instance) (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"
            f" * {_NODE_NAME}",
            "share",
            ("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", "node_uname_info"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-nodeio",
            "share of time each node's CPUs wait for a disk",
            "max by (instance) (avg without (cpu) (sum without (mode) "
            '(rate(node_cpu_seconds_total{mode="iowait"}[$window]))))'
            f" * {_NODE_NAME}",
            "share",
            ("node_cpu_seconds_total", "node_uname_info"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-disk",
            "used share of each node's root disk",
            f"max by (instance) (1 - node_filesystem_avail_bytes{{{_ROOT}}}"
            f" / node_filesystem_size_bytes{{{_ROOT}}}) * {_NODE_NAME}",
            "share",
            ("node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_uname_info"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-restarts",
            "restarts in the window, by pod",
            "sum by (namespace, pod) (max by (namespace, pod, container)"
            " (increase(kube_pod_container_status_restarts_total{$scope}[$window]))) > 0",
            "count",
            ("kube_pod_container_status_restarts_total",),
            on_empty="zero",
        ),
        NamedQuery(
            "Q-throttle",
            "share of its CPU periods in which a pod was throttled",
            f"{_PERIODS.format(kind='throttled_periods')} / {_PERIODS.format(kind='periods')}",
            "share",
            ("container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"),
            on_nan="no CPU limit",
        ),
        NamedQuery(
            "Q-cpulimit",
            "CPU used of the CPU limit, by pod",
            f"sum by (namespace, pod) ({_CPU_OF_CONTAINER} and on (namespace, pod, container) ({_CPU_LIMIT}))"
            f" / sum by (namespace, pod) ({_CPU_LIMIT})",
            "ratio",
            ("container_cpu_usage_seconds_total", "kube_pod_container_resource_limits"),
            on_nan="no CPU limit",
        ),
        NamedQuery(
            "Q-memlimit",
            "working set of the memory limit, by container",
            f"{_MEMORY_OF_CONTAINER} / ({_MEMORY_LIMIT})",
            "ratio",
            ("container_memory_working_set_bytes", "kube_pod_container_resource_limits"),
            on_nan="no memory limit",
        ),
        NamedQuery(
            "Q-maxmem",
            "the largest working set seen in the window, by container",
            "max by (namespace, pod, container)"
            f" (max_over_time(container_memory_working_set_bytes{{{_RUNNING}}}[$window]))",
            "bytes",
            ("container_memory_working_set_bytes",),
        ),
        NamedQuery(
            "Q-p90cpu",
            "proposed CPU request: the quantile of what was used in the window, by container",
            "max by (namespace, pod, container)"
            f" (quantile_over_time($quantile, ({_CPU_OF_CONTAINER.replace('$window', '5m')})[$window:5m]))",
            "cores",
            ("container_cpu_usage_seconds_total",),
        ),
        NamedQuery(
            "Q-p90mem",
            "proposed memory request: the quantile of the working set in the window and a buffer, by container",
            f"$buffer * quantile_over_time($quantile, ({_MEMORY_OF_CONTAINER})[$window:5m])",
            "bytes",
            ("container_memory_working_set_bytes",),
        ),
        NamedQuery(
            "Q-podcpu",
            "CPU used, by container",
            _CPU_OF_CONTAINER,
            "cores",
            ("container_cpu_usage_seconds_total",),
        ),
        NamedQuery(
            "Q-podmem",
            "memory used (working set), by container",
            _MEMORY_OF_CONTAINER,
            "bytes",
            ("container_memory_working_set_bytes",),
        ),
        NamedQuery(
            "Q-rps",
            "requests a second",
            _REQUESTS,
            "per second",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-p95",
            "the time within which 95 of 100 requests are answered, over all paths",
            "histogram_quantile(0.95, sum by (le)"
            f" (rate(http_request_duration_seconds_bucket{{{_SERVICE}}}[$window])))",
            "seconds",
            ("http_request_duration_seconds_bucket",),
        ),
        NamedQuery(
            "Q-requests",
            "requests in the window",
            _COUNTED,
            "count",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-bad",
            "requests in the window that failed with 5xx",
            f'sum(increase(http_requests_total{{{_SERVICE},status=~"5.."}}[$window])) or 0 * {_COUNTED}',
            "count",
            ("http_requests_total",),
        ),
        NamedQuery(
            "Q-healthy",
            "share of the service's targets that are healthy now",
            f"avg(clamp_max(up{{{_SERVICE}}}, 1)) or 0 * {_FIRST_SEEN}",
            "share",
            ("up",),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-servicecpu",
            "CPU used by one pod of the service, on average",
            "avg(sum by (namespace, pod) (max by (namespace, pod, container)"
            f" (rate(container_cpu_usage_seconds_total{{{_OWN_PODS}}}[$window]))))",
            "cores",
            ("container_cpu_usage_seconds_total",),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-servicemem",
            "memory used (working set) by one pod of the service, on average",
            "avg(sum by (namespace, pod) (max by (namespace, pod, container)"
            f" (avg_over_time(container_memory_working_set_bytes{{{_OWN_PODS}}}[$window]))))",
            "bytes",
            ("container_memory_working_set_bytes",),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-leak",
            "how the working set grew over the window, by pod",
            "deriv((sum by (namespace, pod) (max by (namespace, pod, container)"
            f" (container_memory_working_set_bytes{{{_RUNNING}}})))[$window:5m]) * 3600",
            "bytes per hour",
            ("container_memory_working_set_bytes",),
        ),
        NamedQuery(
            "Q-oom",
            "containers whose last end was a kill at the memory limit",
            "sum by (namespace, pod, container) (max by (namespace, pod, container)"
            ' (kube_pod_container_status_last_terminated_reason{$scope,reason="OOMKilled"})) > 0',
            "count",
            ("kube_pod_container_status_last_terminated_reason",),
            on_empty="zero",
        ),
        NamedQuery(
            "Q-gc",
            "share of time a JVM collects garbage, by pod",
            _COLLECTED,
            "ratio",
            ("jvm_gc_collection_seconds_sum", "jvm_gc_pause_seconds_sum", "jvm_gc_duration_seconds_sum"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-heap",
            "heap in use of the largest it may become, by pod",
            f"({_HEAP}) / (({_HEAP_MOST}) > 0)",
            "ratio",
            ("jvm_memory_used_bytes", "jvm_memory_bytes_used"),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-dbpool",
            "connections of the application's pool that are in use",
            f"sum($active{_POOL}) / (sum($active{_POOL}) + sum($idle{_POOL}))",
            "share",
            ("db_connections_active", "db_connections_idle"),
            on_nan="no connections",
        ),
        NamedQuery(
            "Q-netdrop",
            "packets of a pod that are dropped or bad, a second",
            f"sum by (namespace, pod) (max by (namespace, pod, interface) ({_LOST})) > 0",
            "per second",
            ("container_network_receive_packets_dropped_total",),
            on_empty="zero",
        ),
        NamedQuery(
            "Q-dns",
            "the time within which CoreDNS answers 95 of 100 questions",
            "histogram_quantile(0.95, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket[$window])))",
            "seconds",
            ("coredns_dns_request_duration_seconds_bucket",),
            on_nan="no data",
        ),
        NamedQuery(
            "Q-targets",
            "1 when an expected job has no target at all",
            'absent(up{job="$job"})',
            "share",
            ("up",),
            on_empty="ok",
        ),
    )
}

_REMEMBERED = timedelta(days=1)  # how long ago a series may have been seen last and is still missed


def query(
    site: ClusterSite,
    name: str,
    *,
    service: ServiceSite | None = None,
    window: timedelta = timedelta(minutes=5),
    job: str = "",
    namespace: str = "",
    pod: str = "",
) -> Query:
    """The read for a named query: the built-in text or the site's own, with its $names filled in.

    $scope is what `namespace` and `pod` say, every namespace and every pod where they say nothing.
    """
    about = service or site.default_service
    values = {
        "namespace": about.namespace,
        "service": about.service,
        "deployment": about.deployment,
        "job": job,
        "active": site.db_pool.metrics.active,
        "idle": site.db_pool.metrics.idle,
    }
    numbers = {
        "window": promql_duration(window),
        "past": promql_duration(max(window, _REMEMBERED)),
        "scope": _scope(namespace, pod),
        "quantile": _plain(Decimal(str(site.rightsizing.quantile))),
        "buffer": _plain(Decimal(str(site.rightsizing.memory_buffer))),
        "objective": _plain(Decimal(str(site.slo.success_rate.target)) / 100),
        "budget": _plain(error_budget(site)),
    }
    text = site.slo.queries.get(name) or QUERIES[name].template
    # safe_substitute leaves label_replace's own "$1" alone in a text that the site gave.
    return Query(Template(text).safe_substitute({key: quoted(v) for key, v in values.items()} | numbers))


def _scope(namespace: str, pod: str) -> str:
    where = f'namespace="{quoted(namespace)}"' if namespace else 'namespace!=""'
    return f'{where},pod="{quoted(pod)}"' if pod else where


def averaged(asked: Query, window: timedelta, step: timedelta) -> Query:
    """The same query's average over a window, sampled at every step."""
    return Query(f"avg_over_time(({asked.expr})[{promql_duration(window)}:{promql_duration(step)}])")


def at(asked: Query, moment: datetime) -> Query:
    """The same query as it was answered at that second."""
    return Query(f"last_over_time(({asked.expr})[1s:1s] @ {int(moment.timestamp())})")


def error_budget(site: ClusterSite) -> Decimal:
    """The share of requests that may fail: 0.001 for an objective of 99.9 %."""
    return (100 - Decimal(str(site.slo.success_rate.target))) / 100


def quoted(value: str) -> str:
    """A value for the inside of a PromQL string: it can neither end the string nor escape from it.

    Everything that no Kubernetes name holds becomes an escape, which is safe in every kind of quotes.
    """
    return re.sub(r"[^A-Za-z0-9_.:/-]", lambda found: f"\\U{ord(found[0]):08x}", value)


def promql_duration(length: timedelta) -> str:
    """A duration as PromQL writes it, in its largest whole unit: 30d, 36h, 5m, 90s, 1500ms."""
    milliseconds = length // timedelta(milliseconds=1)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """One number from Prometheus in percent, or in its place the words for why there is none.

    partial: what Prometheus said was left out of its answer; "" when it is whole.
    """

    percent: Decimal | None
    why: str = ""
    mend: str = ""
    partial: str = ""


_REMARK = "PromQL info"  # Prometheus 3 sends these beside its warnings: about the query, not about the data
PARTIAL_MEND = "Check the stores behind Prometheus' query address: its answer is not complete."


def partial(answer: Vector | Gap) -> str:
    """The first warning that data may be missing from an answer; remarks on the query itself are none."""
    said = () if isinstance(answer, Gap) else answer.warnings
    return next((warning for warning in said if not warning.startswith(_REMARK)), "")


def measured(site: ClusterSite, name: str, answer: Vector | Gap) -> Measured:
    """What a query for one number says: a number, "no data", "no requests", or why it was not read."""
    if isinstance(answer, Gap):
        return Measured(None, answer.reason, answer.mend)
    return replace(_one(site, QUERIES[name], answer), partial=partial(answer))


def _one(site: ClusterSite, entry: NamedQuery, answer: Vector) -> Measured:
    if not answer.samples:
        return _nothing(site, entry)
    if len(answer.samples) > 1:
        many = f"{len(answer.samples)} series instead of one"
        return Measured(None, many, f"Let slo.queries.{entry.name} return one number.")
    return _number(entry, answer.samples[0])


def measured_by(
    name: str, vector: Vector, labels: tuple[str, ...] = ("nodename", "node", "instance")
) -> dict[str, Measured]:
    """What a query for one number per thing says, by the first of these labels that a series has."""
    entry = QUERIES[name]
    found = ((_first(sample.labels, labels), sample) for sample in vector.samples)
    return {thing: _number(entry, sample) for thing, sample in found if thing}


def amounts(answer: Vector, labels: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    """Numbers that are no percentages, by these labels; what is no number, or absurd, is left out."""
    return {
        tuple(sample.labels.get(label, "") for label in labels): sample.value
        for sample in answer.samples
        if isfinite(sample.value) and 0 <= sample.value < _MOST
    }


def _nothing(site: ClusterSite, entry: NamedQuery) -> Measured:
    if entry.on_empty != "unknown":
        return Measured(Decimal(0))
    if entry.name in site.slo.queries:
        return Measured(None, "no data", f"Check slo.queries.{entry.name}: its answer is empty.")
    series = ", ".join(entry.metrics)
    return Measured(None, "no data", f"Prometheus has no matching series of {series}: is it scraped?")


def _number(entry: NamedQuery, sample: Sample) -> Measured:
    if not isfinite(sample.value):
        return Measured(None, entry.on_nan)
    if abs(sample.value) >= _ABSURD:
        return Measured(None, f"{sample.value:g} is no {entry.unit}", f"Check what {entry.name} measures.")
    percent = as_percent(sample.value)
    # An overriding query that answers in percent would make everything green: 99.9 is 9990 %.
    if entry.unit == "share" and not 0 <= percent <= 100:
        return Measured(None, f"{sample.value:g} is no share", f"Let slo.queries.{entry.name} return 0 to 1.")
    return Measured(percent)


def _first(labels: Mapping[str, str], wanted: tuple[str, ...]) -> str:
    return next((labels[label] for label in wanted if labels.get(label)), "")


# --- numbers --------------------------------------------------------------------------------------

_MOST = 1e18  # bytes or cores that no machine has
_ABSURD = 1e12  # a share from here up is a broken series, and more digits than are calculated with
_FINEST = 6  # decimals of a percentage that are kept: beyond them is the noise of binary fractions


def as_percent(share: float) -> Decimal:
    """A share as a percentage without binary noise: 0.9990000000000001 is 99.9."""
    percent = (Decimal(repr(share)) * 100).quantize(Decimal(1).scaleb(-_FINEST))
    return percent + 0  # turns -0 into 0


def shown(percent: Decimal, marks: Iterable[float], *, decimals: int = 0) -> str:
    """A percentage as text, with as many decimals as it takes to stay on its side of every mark.

    99.904 % against > 99.9 % must not be printed as "99.90 %": what is shown agrees with the light.
    """
    limits = [Decimal(str(mark)) for mark in marks]
    for digits in range(decimals, _FINEST + 1):
        rounded = percent.quantize(Decimal(1).scaleb(-digits))
        if all(_side(rounded, limit) == _side(percent, limit) for limit in limits):
            return f"{rounded} %"
    return f"{percent} %"


def _side(value: Decimal, limit: Decimal) -> int:
    return (value > limit) - (value < limit)
