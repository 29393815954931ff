"""Alerts about the API server and what it calls on: is it ready, who asks too much, what serves an aggregated API."""

from collections.abc import Sequence

from commands.alertreads import ScrapeTarget, ScrapeTargets
from commands.finding import Finding, Light
from commands.model import Cause, Confidence, Gap
from commands.site import ClusterSite
from commands.triage import targets
from commands.triage.measured import (
    Gauge,
    Locating,
    Place,
    Reading,
    each_second,
    matchers,
    measured,
    seconds,
    share,
)
from commands.triage.ownword import HEALTH, KEY, asked_of_eks, managed, own_word, ready
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import ApiHealth
from commands.wording import one_line, unread


def down(subject: Subject, site: ClusterSite) -> Diagnosing:
    """The API server, or only the way to its numbers."""
    asked = ScrapeTargets(subject.scrape_job or "apiserver")
    seen = yield (ApiHealth(), asked, *asked_of_eks(site))
    failed: tuple[str, ...] | Gap = seen[ApiHealth()]
    scraped: tuple[ScrapeTarget, ...] | Gap = seen[asked]
    bad = [] if isinstance(scraped, Gap) else [target for target in scraped if target.health == "down"]
    findings = (
        ready(failed),
        _scraped(scraped, bad),
        *(managed(seen[each]) for each in asked_of_eks(site)),
    )
    return Diagnosis(_cause_of_down(failed, scraped, bad, site), findings, HEALTH)


def _scraped(scraped: Sequence[ScrapeTarget] | Gap, bad: Sequence[ScrapeTarget]) -> Finding:
    label = "Its targets in Prometheus"
    if isinstance(scraped, Gap):
        return unread(KEY, label, scraped)
    lines = tuple(f"{each.instance}: {targets.in_words(each.last_error)}" for each in bad)
    light = Light.RED if bad or not scraped else Light.GREEN
    return Finding(
        KEY, label, light, f"{len(bad)} of {len(scraped)} down" if scraped else "none", evidence=lines
    )


def _cause_of_down(
    failed: tuple[str, ...] | Gap,
    scraped: Sequence[ScrapeTarget] | Gap,
    bad: Sequence[ScrapeTarget],
    site: ClusterSite,
) -> Cause | None:
    if isinstance(failed, Gap):
        if not failed.silent:
            return None
        return Cause(
            f"the API server of {site.name} does not answer the bot either: {one_line(failed.reason)}",
            Confidence.LIKELY,
        )
    if failed:
        return Cause(
            f"the API server of {site.name} is not ready: {', '.join(failed[:3])} fails", Confidence.CERTAIN
        )
    if isinstance(scraped, Gap):
        return None
    why = targets.in_words(bad[0].last_error) if bad else "it finds no target for it"
    text = f"the API server of {site.name} answers and is ready; only Prometheus does not see it: {why}"
    return Cause(text, Confidence.LIKELY)


# --- errors and slowness --------------------------------------------------------------------------


def _api(subject: Subject, site: ClusterSite) -> Locating:
    return (yield from own_word(site))


_ALL = "sum(rate(apiserver_request_total{$here}[5m]))"
_OWN = "sum(rate(rest_client_requests_total{$here}[5m]))"
_FAILED = Gauge(
    "Requests that fail (5xx)",
    f'(sum(rate(apiserver_request_total{{$here,code=~"5.."}}[5m])) or 0 * {_ALL}) / {_ALL}',
    share,
    ("apiserver_request_total",),
    bad=0.01,
)
_FAILED_BY = Gauge(
    "Failing requests by verb and resource",
    f'topk(5, sum by (verb, resource, code) (rate(apiserver_request_total{{$here,code=~"5.."}}[5m]))) or 0 * {_ALL}',
    each_second,
    ("apiserver_request_total",),
    ("verb", "resource", "code"),
    none="none",
)
_SLOW = Gauge(
    "Slowest requests (99 %)",
    "topk(5, histogram_quantile(0.99, sum by (le, verb, resource) (rate(apiserver_request_duration_seconds_bucket"
    '{$here,verb!~"WATCH|CONNECT"}[5m]))))',
    seconds,
    ("apiserver_request_duration_seconds_bucket",),
    ("verb", "resource"),
    bad=1,
)
_HOOKS = Gauge(
    "Slowest admission webhooks (99 %)",
    "topk(5, histogram_quantile(0.99, sum by (le, name) (rate(apiserver_admission_webhook_admission_duration_seconds_bucket"
    f"{{$here}}[5m])))) or 0 * {_ALL}",
    seconds,
    ("apiserver_admission_webhook_admission_duration_seconds_bucket",),
    ("name",),
    bad=1,
    none="no webhook was called",
)
_REFUSED = Gauge(
    "Requests turned away, by flow",
    "topk(5, sum by (flow_schema, reason) (rate(apiserver_flowcontrol_rejected_requests_total{$here}[5m])))"
    f" or 0 * {_ALL}",
    each_second,
    ("apiserver_flowcontrol_rejected_requests_total",),
    ("flow_schema", "reason"),
    bad=0.1,
    none="none",
)
_TERMINATED = Gauge(
    "Requests the API server broke off",
    f"(sum(rate(apiserver_request_terminations_total{{$here}}[5m])) or 0 * {_ALL}) / {_ALL}",
    share,
    ("apiserver_request_terminations_total",),
    bad=0.01,
)
_CLIENTS = Gauge(
    "Requests of this client that fail",
    '(sum by (code) (rate(rest_client_requests_total{$here,code=~"5..|<error>"}[5m]))'
    f" or 0 * {_OWN}) / ignoring (code) group_left () {_OWN}",
    share,
    ("rest_client_requests_total",),
    ("code",),
    bad=0.01,
    none="none",
)
_ANSWERS = {"5": "the API server answers", "<": "it gets no answer at all"}


def _burning(where: str, readings: Sequence[Reading]) -> str:
    failed, by, slow, hooks, _ = readings
    if failed.value >= 0.01:
        return f"{failed.words} of the requests to {where} fail{f', most of all {by.name}' if by.top else ''}"
    if hooks.value >= 1:
        return f"{where} is slow, because webhook {hooks.name} takes {hooks.words}"
    if slow.value >= 1:
        return f"{where} is slow: {slow.name} takes {slow.words}"
    return ""


def _terminated(where: str, readings: Sequence[Reading]) -> str:
    ended, refused, _ = readings
    who = f"; most of flow {refused.labels[0]} ({refused.labels[1]})" if refused.top else ""
    return f"{where} breaks off {ended.words} of its requests: more is asked than it can answer{who}"


def _erring(where: str, readings: Sequence[Reading]) -> str:
    failed, _ = readings
    why = _ANSWERS.get(failed.name[:1], "")
    return f"{failed.words} of the requests of {where} to the API server fail: {why} {failed.name}".rstrip()


def _client(subject: Subject, site: ClusterSite) -> Locating:
    place = yield from own_word(site)
    who = " ".join(part for part in (subject.scrape_job, subject.instance) if part) or "a client"
    return Place(who, {"here": matchers(subject, "instance", "job")}, place.findings, place.suggestions)


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeAPIDown", "KubernetesApiServerDown"),
        "Prometheus does not see the API server any more.",
        down,
        (
            "Does kubectl get --raw /readyz answer? Then it is only the scrape.",
            "On EKS see the cluster's health, and AWS.",
        ),
    ),
    Rule(
        (
            "KubeAPIErrorBudgetBurn",
            "KubernetesApiServerErrors",
            "KubeAPILatencyHigh",
            "KubernetesApiServerLatency",
            "KubeAPIErrorsHigh",
        ),
        "The API server fails or is slow more often than its objective allows.",
        measured(_api, (_FAILED, _FAILED_BY, _SLOW, _HOOKS, _REFUSED), _burning, lambda readings: HEALTH),
        (
            "Errors or slowness, and of which verb and resource?",
            "A slow admission webhook slows every write: look at its pods.",
            "LISTs of everything by one client: find who asks.",
        ),
    ),
    Rule(
        ("KubeAPITerminatedRequests",),
        "The API server breaks off requests, because more is asked than it can answer.",
        measured(_api, (_TERMINATED, _REFUSED, _SLOW), _terminated, lambda readings: HEALTH),
        (
            "See which flow is turned away, and who is in it.",
            "Usually a controller that lists everything in a loop.",
        ),
    ),
    Rule(
        ("KubeClientErrors", "KubernetesClientErrors"),
        "A component's own requests to the API server fail.",
        measured(_client, (_CLIENTS, _FAILED), _erring, lambda readings: HEALTH),
        ("One client or all of them? All: the API server; one: its network or its credentials.",),
    ),
)
