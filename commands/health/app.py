"""The application, pod by pod: endpoints, traffic generator, /metrics, /healthz, /readyz.

A Service sends requests to ready pods only, so asking through it can hardly fail; every pod is asked by
its own address, the ones that are not ready too.
"""

from collections.abc import Callable, Sequence

from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap, Inquiry, Read, Section, Seen
from commands.phrase import counted
from commands.reads import (
    Deployment,
    DeploymentView,
    Endpoints,
    EndpointView,
    Exposition,
    Http,
    PodExposition,
    PodHttp,
)
from commands.site import ClusterSite, ServiceSite
from commands.wording import Fact, buttons, one_line, took, unread, worst_first

# Every pod costs two requests. Beyond this many (the ones that are not ready come first) the rest is
# counted as not asked: a morning check is no load test.
PODS = 20
PAGES = 3  # pods whose /metrics is read: it is the big page, and the same image serves it everywhere


def inquiry(site: ClusterSite, service: ServiceSite) -> Inquiry:
    behind = Endpoints(service.namespace, service.service)
    generators = [one for one in site.services.values() if one.role == "synthetic"]
    deployments = [Deployment(one.namespace, one.deployment) for one in generators]
    seen = yield (behind, *deployments)
    endpoints = seen[behind]
    pods = () if isinstance(endpoints, Gap) else _to_ask(endpoints)
    reads = _pod_reads(service, pods)
    answers = (yield reads) if reads else Seen({})
    pods_gap = endpoints if isinstance(endpoints, Gap) else Gap("no pod to ask")
    findings = (
        _endpoints(service, endpoints),
        *(_generator(one, seen[read]) for one, read in zip(generators, deployments, strict=True)),
        *_pages(service, pods, answers, pods_gap, _count(endpoints)),
    )
    return Section("app", f"Application · {service.name}", True, findings, _note(endpoints, pods, generators))


def _pod_reads(service: ServiceSite, pods: Sequence[EndpointView]) -> tuple[Read, ...]:
    paths = service.paths
    reads: list[Read] = [_expose(service, pod) for pod in _to_scrape(pods)] if paths.metrics else []
    for path in dict.fromkeys(path for path in (paths.health, paths.ready) if path):
        reads += [_get(service, pod, path) for pod in pods]
    return tuple(reads)


def _pages(
    service: ServiceSite, pods: Sequence[EndpointView], answers: Seen, nobody: Gap, standing: int
) -> tuple[Finding, ...]:
    """The three pages; a path set to "" is a page the service does not have.

    standing: how many pods there are, of which `pods` are those asked.
    """
    paths = service.paths
    found: list[Finding] = []
    if paths.metrics:
        found.append(_metrics(service, pods, answers, nobody, standing))
    if paths.health:
        found.append(_probed("DH-4.5", "Health", paths.health, service, pods, answers, nobody, _health_fact))
    if paths.ready:
        found.append(_probed("DH-4.6", "Readiness", paths.ready, service, pods, answers, nobody, _ready_fact))
    return tuple(found)


def _note(
    endpoints: Sequence[EndpointView] | Gap, pods: Sequence[EndpointView], generators: list[ServiceSite]
) -> str:
    notes = []
    if _count(endpoints) > len(pods):
        notes.append(f"{len(pods)} of {_count(endpoints)} pods asked, those not ready first")
    if not generators:
        notes.append("no service of role synthetic in the configuration: traffic generator not checked")
    return " · ".join(notes)


# --- who is behind the Service --------------------------------------------------------------------


def _standing(endpoints: Sequence[EndpointView]) -> list[EndpointView]:
    """Without the pods that are on their way out: a rollout is not an outage."""
    return [endpoint for endpoint in endpoints if not endpoint.terminating]


def _count(endpoints: Sequence[EndpointView] | Gap) -> int:
    return 0 if isinstance(endpoints, Gap) else len(_standing(endpoints))


def _to_ask(endpoints: Sequence[EndpointView]) -> tuple[EndpointView, ...]:
    return tuple(sorted(_standing(endpoints), key=lambda one: (one.ready, _who(one)))[:PODS])


def _to_scrape(pods: Sequence[EndpointView]) -> tuple[EndpointView, ...]:
    return tuple(sorted(pods, key=lambda one: not one.ready)[:PAGES])


def _who(endpoint: EndpointView) -> str:
    return endpoint.pod or endpoint.address


def _get(service: ServiceSite, pod: EndpointView, path: str) -> PodHttp:
    return PodHttp(service.namespace, pod.pod, pod.address, service.port, path)


def _expose(service: ServiceSite, pod: EndpointView) -> PodExposition:
    return PodExposition(service.namespace, pod.pod, pod.address, service.port, service.paths.metrics)


def _endpoints(service: ServiceSite, endpoints: Sequence[EndpointView] | Gap) -> Finding:
    key, label, threshold = "DH-4.1", f"Endpoints of {service.service}", "expected all ready"
    if isinstance(endpoints, Gap):
        return unread(key, label, endpoints, threshold)
    standing = _standing(endpoints)
    waiting = [one for one in standing if not one.ready]
    ready = len(standing) - len(waiting)
    light = Light.RED if not ready else Light.YELLOW if waiting else Light.GREEN
    leaving = len(endpoints) - len(standing)
    value = f"{ready}/{len(standing)} ready" if standing else "no endpoint"
    value += f", {leaving} terminating" if leaving else ""
    node = {one.address: f" on {one.node}" if one.node else "" for one in waiting}
    return Finding(
        key,
        label,
        light,
        value,
        threshold,
        tuple(f"{_who(one)}{node[one.address]}: not ready" for one in waiting),
        suggestions=buttons(
            light,
            Suggestion("Debug", f"debug layers {service.name}"),
            Suggestion("Pods", f"pod list -n {service.namespace}"),
        ),
    )


# --- traffic generator ----------------------------------------------------------------------------


def _generator(service: ServiceSite, view: DeploymentView | Gap | None) -> Finding:
    key, label = "DH-4.2", f"Deployment {service.deployment}"
    if isinstance(view, Gap):
        return unread(key, label, view, "expected all ready")
    if view is None:
        mend = f"Install it, or take services.{service.name} out of the configuration."
        return Finding(key, label, Light.YELLOW, "not installed", "expected all ready", mend=mend)
    light, facts = _replicas(view, service.replicas)
    offer = Suggestion("Show it", f"deploy show {service.namespace}/{service.deployment}")
    value = f"{view.ready}/{view.replicas} ready"
    return Finding(key, label, light, value, "expected all ready", facts, suggestions=buttons(light, offer))


def _replicas(view: DeploymentView, wanted: int | None) -> tuple[Light, tuple[str, ...]]:
    facts = []
    scaled = f"scaled to {view.replicas or 'zero'}"
    if wanted is not None and view.replicas < wanted:
        facts.append(f"{scaled}, the configuration expects {wanted}")
    elif wanted is None and not view.replicas:
        facts.append(scaled)
    stuck = next(
        (one for one in view.conditions if one.type == "Progressing" and one.status == "False"), None
    )
    if view.observed_generation < view.generation:
        facts.append("its last change is not rolled out yet")
    elif stuck and view.updated < view.replicas:
        why = f" ({one_line(stuck.reason)})" if stuck.reason else ""
        facts.append(f"its rollout is stuck{why}: {view.updated} of {view.replicas} updated")
    if view.replicas and not view.ready:
        return Light.RED, tuple(facts)
    return Light.YELLOW if facts or view.ready < view.replicas else Light.GREEN, tuple(facts)


# --- pages ----------------------------------------------------------------------------------------


def _metrics(
    service: ServiceSite, pods: Sequence[EndpointView], answers: Seen, nobody: Gap, standing: int
) -> Finding:
    key, label, threshold = "DH-4.4", f"Metrics {service.paths.metrics}", _exported(service)
    asked = _to_scrape(pods)
    if not asked:
        return unread(key, label, nobody, threshold)
    pages = [answers[_expose(service, pod)] for pod in asked]
    facts = [_page_fact(service, pod, page) for pod, page in zip(asked, pages, strict=True)]
    good = sum(light is Light.GREEN for light, _ in facts)
    value = f"{good} of {counted(len(asked), 'page')} complete"
    value += f", {len(asked)} of {standing} pods asked" if len(asked) < standing else ""
    return _summed(key, label, threshold, facts, value, _mend(asked, pages))


def _exported(service: ServiceSite) -> str:
    return (
        f"{counted(len(service.must_export), 'metric')} required"
        if service.must_export
        else "Prometheus format"
    )


def _page_fact(service: ServiceSite, pod: EndpointView, answer: Exposition | Gap) -> Fact:
    who = _who(pod)
    if isinstance(answer, Gap):
        return _unanswered(pod, answer)
    if answer.status != 200:
        return Light.RED, f"{who}: HTTP {answer.status}"
    if answer.error or not answer.names:
        return Light.RED, f"{who}: {one_line(answer.error) or 'no metric on the page'}"
    missing = [name for name in service.must_export if name not in answer.names]
    if missing:
        return Light.RED, f"{who}: lacks {', '.join(missing)}"
    return Light.GREEN, f"{who}: {counted(len(answer.names), 'metric')}"


def _probed(
    key: str,
    label: str,
    path: str,
    service: ServiceSite,
    pods: Sequence[EndpointView],
    answers: Seen,
    nobody: Gap,
    judge: Callable[[EndpointView, Http], Fact],
) -> Finding:
    label = f"{label} {path}"
    if not pods:
        return unread(key, label, nobody, "expected from every pod")
    pages: list[Http | Gap] = [answers[_get(service, pod, path)] for pod in pods]
    facts = [
        _unanswered(pod, page) if isinstance(page, Gap) else judge(pod, page)
        for pod, page in zip(pods, pages, strict=True)
    ]
    heard = [page for page in pages if not isinstance(page, Gap)]
    good = sum(page.status == 200 for page in heard)
    if not good and all(light is not Light.UNKNOWN for light, _ in facts):
        facts = [(Light.RED, text) for _, text in facts]
    slowest = f", slowest {took(max(page.took for page in heard))}" if heard else ""
    value = f"{good}/{len(pods)} answer 200{slowest}"
    return _summed(key, label, "expected from every pod", facts, value, _mend(pods, pages))


def _unanswered(pod: EndpointView, gap: Gap) -> Fact:
    if _is_down(pod, gap):
        return Light.YELLOW, f"{_who(pod)}: does not answer, gets no requests: {one_line(gap.reason)}"
    return Light.UNKNOWN, f"{_who(pod)}: unknown: {one_line(gap.reason)}"


def _is_down(pod: EndpointView, gap: Gap) -> bool:
    """A pod that is not ready and silent crashes or starts: that is known, and its Endpoints say it too.

    Of a ready one it is not: the way from the bot to the pods may be closed.
    """
    return gap.silent and not pod.ready


def _mend(pods: Sequence[EndpointView], pages: Sequence[object]) -> str:
    """What makes the first of the unknown pages readable."""
    asked = zip(pods, pages, strict=True)
    gaps = [page for pod, page in asked if isinstance(page, Gap) and not _is_down(pod, page)]
    return next((gap.mend for gap in gaps if gap.mend), "")


def _health_fact(pod: EndpointView, answer: Http) -> Fact:
    """A sick pod that is ready gets requests all the same: users feel it."""
    if answer.status == 200:
        return Light.GREEN, ""
    return (Light.RED if pod.ready else Light.YELLOW), f"{_who(pod)}: {_status(answer)}"


def _ready_fact(pod: EndpointView, answer: Http) -> Fact:
    if answer.status == 200:
        return Light.GREEN, ""
    place = "still gets requests" if pod.ready else "gets no requests"
    return Light.YELLOW, f"{_who(pod)}: {_status(answer)}, {place}"


def _status(answer: Http) -> str:
    body = f" ({one_line(answer.body, 80)})" if answer.body.strip() else ""
    return f"HTTP {answer.status} after {took(answer.took)}{body}"


def _summed(key: str, label: str, threshold: str, facts: Sequence[Fact], value: str, mend: str) -> Finding:
    """One finding for a page of all pods: the worst of them, and only those that are not green named."""
    bad = [fact for fact in facts if fact[0] is not Light.GREEN]
    light = worst([light for light, _ in facts])
    return Finding(key, label, light, value, threshold, worst_first(bad), mend=mend)
