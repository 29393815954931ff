"""Targets that Prometheus cannot scrape: what it says itself about each, and the pods behind them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commands.alertreads import ScrapeTarget, ScrapeTargets
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.nodestatus import is_ready, status
from commands.phrase import counted, shortly
from commands.podreads import PodDetail, PodDetails
from commands.podstatus import status_light
from commands.reads import Endpoints, EndpointView, Nodes, NodeView
from commands.site import ClusterSite
from commands.triage.machine import is_called
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import KEPT, one_line, unread

KEY = "AL-30"
LOOKED_AT = 3  # pods behind targets that are down


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one of Prometheus' errors says. mend: what one does about it, in plain words."""

    pattern: re.Pattern[str]
    words: str
    mend: str


def _when(pattern: str, words: str, mend: str) -> Meaning:
    return Meaning(re.compile(pattern, re.IGNORECASE), words, mend)


MEANINGS = (
    _when("connection refused", "nothing listens on the port", "is the process up, and is it this port?"),
    _when("no route to host|network is unreachable", "there is no way to the address", "is its node still there?"),
    _when("no such host", "the name does not exist in DNS", "is the Service or the host name right?"),
    _when("server misbehaving|lookup .* timeout", "the DNS server does not answer properly", "see CoreDNS"),
    _when("dial tcp.*i/o timeout", "packets to it are dropped", "a network policy, a security group, or a dead node"),
    _when(
        "context deadline exceeded|Client.Timeout|i/o timeout",
        "it does not answer within the scrape timeout",
        "too slow a page, or packets that are dropped",
    ),
    _when("HTTP status 401", "it wants to know who asks (401)", "give the scrape its credentials"),
    _when("HTTP status 403", "it refuses Prometheus (403)", "the right to its metrics is missing (RBAC, token, proxy)"),
    _when("HTTP status 404", "there is no metrics page at this path (404)", "check the path of the scrape"),
    _when("HTTP status 429", "it is asked too often (429)", "scrape less often"),
    _when(r"HTTP status 5\d\d", "its metrics page fails", "its log says why"),
    _when("certificate has expired|not yet valid", "its certificate is out of date", "renew it, or set the clock"),
    _when("unknown authority", "its certificate is signed by an authority that Prometheus does not know", "set ca_file"),
    _when("certificate is (not )?valid for|validate certificate|x509", "its certificate is not for this name",
          "set server_name"),
    _when("first record does not look like a TLS|HTTP response to HTTPS client", "it speaks plain HTTP", "scheme: http"),
    _when("malformed HTTP response|HTTP request to an HTTPS server|HTTP status 400", "it wants HTTPS", "scheme: https"),
    _when("connection reset|EOF|broken pipe", "it hangs up", "it restarts, or a proxy or mesh stands before it"),
    _when("limit exceeded|limit: |body size", "it tells more than the configured limit", "raise the limit, or tell less"),
    _when(
        "content-type|parse|expected|invalid|unsupported", "its page is no metrics page", "is it the right port and path?"
    ),
)  # fmt: skip


def meaning(error: str) -> Meaning | None:
    return next((each for each in MEANINGS if each.pattern.search(error)), None)


def in_words(error: str) -> str:
    """An error of Prometheus as people say it, with what to look at."""
    found = meaning(error)
    return f"{found.words} ({found.mend})" if found else one_line(error) or "Prometheus does not say why"


# --- the diagnosis --------------------------------------------------------------------------------


def down(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What Prometheus says of the targets of this job, and what their pods do."""
    asked, endpoints = ScrapeTargets(subject.scrape_job), _endpoints(subject)
    seen = yield (asked, *endpoints)
    targets: tuple[ScrapeTarget, ...] | Gap = seen[asked]
    behind = seen[endpoints[0]] if endpoints else ()
    if isinstance(targets, Gap):
        findings = (unread(KEY, "Targets", targets), *_backed(subject, behind))
        return Diagnosis(_unbacked(subject, behind), findings, _steps(()))
    meant = [target for target in targets if _is_meant(target, subject)]
    bad = [target for target in meant if target.health == "down"]
    pods = _pods(bad, () if isinstance(behind, Gap) else behind)
    answers = yield (*pods, *((Nodes(),) if bad else ()))
    details = {read: answers[read] for read in pods}
    nodes: Sequence[NodeView] | Gap = answers.get(Nodes(), ())
    dead = _dead(bad, () if isinstance(nodes, Gap) else nodes)
    findings = (
        _told(meant, bad, subject),
        *_backed(subject, behind),
        *_machines(nodes, dead),
        *(_pod(read, details[read]) for read in details),
    )
    sick = [pod for found in details.values() if not isinstance(found, Gap) for pod in found if _is_sick(pod)]
    if dead:
        return Diagnosis(_dead_cause(subject, bad, dead), findings, _steps(sick))
    return Diagnosis(_cause(subject, meant, bad, sick), findings, _steps(sick))


def _endpoints(subject: Subject) -> tuple[Endpoints, ...]:
    if subject.namespace and subject.service:
        return (Endpoints(subject.namespace, subject.service),)
    return ()


def _is_meant(target: ScrapeTarget, subject: Subject) -> bool:
    """Of the same namespace, service and instance, as far as the alert and the target say."""
    named = (("namespace", subject.namespace), ("service", subject.service), ("instance", subject.instance))
    held = {**target.labels, "instance": target.instance}
    return all(not value or held.get(label, value) == value for label, value in named)


def _pods(bad: Sequence[ScrapeTarget], behind: Sequence[EndpointView]) -> list[PodDetails]:
    by_address = {each.address: each.pod for each in behind if each.pod}
    found = [(_namespace(target), _pod_name(target, by_address)) for target in bad]
    named = dict.fromkeys((namespace, pod) for namespace, pod in found if namespace and pod)
    return [PodDetails(namespace=namespace, name=pod) for namespace, pod in list(named)[:LOOKED_AT]]


def _namespace(target: ScrapeTarget) -> str:
    return target.labels.get("namespace") or target.discovered.get("__meta_kubernetes_namespace", "")


def _pod_name(target: ScrapeTarget, by_address: dict[str, str]) -> str:
    known = target.labels.get("pod") or target.discovered.get("__meta_kubernetes_pod_name", "")
    return known or by_address.get(_host(target), "")


_ON_NODE = ("node", "__meta_kubernetes_pod_node_name", "__meta_kubernetes_node_name")


def _dead(bad: Sequence[ScrapeTarget], nodes: Sequence[NodeView]) -> list[NodeView]:
    """Nodes that are not Ready and that a target is on, or is."""
    names = {
        name
        for target in bad
        for name in (
            _host(target),
            *({**target.discovered, **target.labels}.get(key, "") for key in _ON_NODE),
        )
        if name
    }
    return [node for node in nodes if not is_ready(node) and any(is_called(node, name) for name in names)]


def _host(target: ScrapeTarget) -> str:
    return re.sub(r":\d+$", "", target.instance).strip("[]")


def _is_sick(pod: PodDetail) -> bool:
    ready, _, wanted = pod.ready.partition("/")
    return status_light(pod.status) is Light.RED or pod.phase != "Running" or ready != wanted


# --- in words -------------------------------------------------------------------------------------


def _told(meant: Sequence[ScrapeTarget], bad: Sequence[ScrapeTarget], subject: Subject) -> Finding:
    label = f"Targets of {subject.scrape_job}" if subject.scrape_job else "Targets"
    if not meant:
        return Finding(KEY, label, Light.RED, "none: Prometheus finds nothing to scrape")
    lines = tuple(_lines(bad[:KEPT]))
    light = Light.RED if bad else Light.GREEN
    return Finding(KEY, label, light, f"{len(bad)} of {len(meant)} down", "all up", lines)


def _lines(bad: Iterable[ScrapeTarget]) -> Iterable[str]:
    """What an error means is said with the first that has it."""
    told: set[str] = set()
    for target in bad:
        words = in_words(target.last_error)
        means = "" if words in told else f"{words}: "
        told.add(words)
        yield f"{shortly(target.instance)}: {means}{one_line(target.last_error)}"


def _backed(subject: Subject, behind: Sequence[EndpointView] | Gap) -> tuple[Finding, ...]:
    if not (subject.namespace and subject.service):
        return ()
    label = f"Endpoints of {subject.namespace}/{subject.service}"
    if isinstance(behind, Gap):
        return (unread(KEY, label, behind),)
    ready = sum(each.ready for each in behind)
    lines = tuple(
        f"{each.pod or each.address}: {'ready' if each.ready else 'not ready'}"
        for each in sorted(behind, key=lambda each: each.ready)
    )
    light = Light.GREEN if ready == len(behind) and behind else Light.RED if not ready else Light.YELLOW
    return (Finding(KEY, label, light, f"{ready} of {len(behind)} ready", evidence=lines),)


def _pod(read: PodDetails, pods: Sequence[PodDetail] | Gap) -> Finding:
    label = f"Pod {read.namespace}/{read.name}"
    if isinstance(pods, Gap):
        return unread(KEY, label, pods)
    if not pods:
        return Finding(KEY, label, Light.RED, "is gone")
    pod = pods[0]
    said = (one_line(pod.message),) if pod.message else ()
    value = f"{pod.status}, {pod.ready} ready, {counted(pod.restarts, 'restart')}"
    return Finding(KEY, label, Light.RED if _is_sick(pod) else Light.GREEN, value, evidence=said)


def _machines(nodes: Sequence[NodeView] | Gap, dead: Sequence[NodeView]) -> tuple[Finding, ...]:
    """The nodes that explain targets; nothing where they are well."""
    label = "Nodes behind them"
    if isinstance(nodes, Gap):
        return (unread(KEY, label, nodes),)
    lines = tuple(f"{node.name}: {status(node)}" for node in dead)
    return (Finding(KEY, label, Light.RED, f"{len(dead)} not Ready", evidence=lines),) if dead else ()


def _dead_cause(subject: Subject, bad: Sequence[ScrapeTarget], dead: Sequence[NodeView]) -> Cause:
    job, first = subject.scrape_job or "the job", dead[0]
    more = f" (and {len(dead) - 1} more)" if len(dead) > 1 else ""
    text = f"{counted(len(bad), 'target')} of {job} down: node {shortly(first.name)} is {status(first)}{more}"
    return Cause(
        text, Confidence.LIKELY, (Suggestion(f"Show {shortly(first.name)}", f"node show {first.name}"),)
    )


def _cause(
    subject: Subject, meant: Sequence[ScrapeTarget], bad: Sequence[ScrapeTarget], sick: Sequence[PodDetail]
) -> Cause | None:
    job = subject.scrape_job or "the job"
    if not meant:
        text = f"Prometheus finds no target of {job} at all: its Service or its pods are gone, or the selector does not fit"
        return Cause(text, Confidence.LIKELY, _steps(sick))
    if not bad:
        text = f"{counted(len(meant), 'target')} of {job}, and none is down any more"
        return Cause(text, Confidence.CERTAIN)
    which = f"{len(bad)} of {counted(len(meant), 'target')} of {job} {'is' if len(bad) == 1 else 'are'} down"
    if sick:
        text = f"{which}: pod {sick[0].place} is {sick[0].status}, {sick[0].ready} ready"
        return Cause(text, Confidence.LIKELY, _steps(sick))
    error, count = Counter(in_words(target.last_error) for target in bad).most_common(1)[0]
    most = "" if count == len(bad) else f" (most of them, {count})"
    return Cause(
        f"{which}: {error}{most}", Confidence.CERTAIN if meaning(bad[0].last_error) else Confidence.LIKELY
    )


def _unbacked(subject: Subject, behind: Sequence[EndpointView] | Gap) -> Cause | None:
    """What its Service alone tells, while Prometheus says nothing of its targets."""
    if isinstance(behind, Gap) or not subject.service or any(each.ready for each in behind):
        return None
    place = f"{subject.namespace}/{subject.service}"
    if not behind:
        text = f"no pod stands behind Service {place}: its pods are gone, or its selector fits none"
        return Cause(text, Confidence.LIKELY)
    return Cause(f"Service {place} has no pod that is ready (of {len(behind)})", Confidence.LIKELY)


def _steps(sick: Sequence[PodDetail]) -> tuple[Suggestion, ...]:
    shown = tuple(Suggestion(f"Show {pod.name}", f"pod show {pod.place}") for pod in sick[:1])
    return (*shown, Suggestion("Monitoring", "health monitoring"))


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "TargetDown",
            "InstanceDown",
            "PrometheusTargetDown",
            "PrometheusTargetMissing",
            "PrometheusJobMissing",
            "PrometheusAllTargetsMissing",
        ),
        "Prometheus cannot fetch the numbers of some of a job's targets, so alerts on them are blind.",
        down,
        (
            "Read what Prometheus says of each target: refused, timed out, forbidden, not found.",
            "See whether the pods behind it run and are ready.",
            "All of them well: look at the port, the path, the scheme and the network policies of the scrape.",
        ),
    ),
)
