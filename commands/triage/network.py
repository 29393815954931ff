"""The way to a service: its wiring, its name, its ports, what is lost on the way, and the policies about it.

Names and ports are tried from the worker, and only where it stands in the cluster's network. The same for
`debug net`, for the second part of the search for lost time, and for alerts that name a Service.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap, Reads, Seen
from commands.phrase import counted
from commands.podreads import PodDetail, PodDetails, PodRow, PodRows, Policies, PolicyView
from commands.queries import query
from commands.reads import Endpoints, EndpointView, Http, PodHttp, Query
from commands.site import ClusterSite, ServiceSite
from commands.triage import dependencies, saturation, served, tried, wiring
from commands.triage.measured import Gauge, each_second, read, seconds, share
from commands.triage.rule import Diagnosing, Diagnosis, Subject
from commands.triagereads import Connect, PodSpec, PodSpecOf, Resolve
from commands.wording import missing, one_line, took, unread
from commands.workloads import ServicesOf, ServiceView, selects

_WINDOW = timedelta(minutes=5)
_TRIED = 12  # endpoints whose port is tried
_OUTSIDE = Gap(
    "not tried: the bot is outside of the cluster's network (`monitoring.access` is proxy)",
    "Run the worker in the cluster with `monitoring.access: direct`.",
)
_RETRANSMITTED = Gauge(
    "TCP segments sent again, by node",
    "max by (instance) (rate(node_netstat_Tcp_RetransSegs[5m]) / rate(node_netstat_Tcp_OutSegs[5m]))",
    share,
    ("node_netstat_Tcp_RetransSegs", "node_netstat_Tcp_OutSegs"),
    ("instance",),
    0.01,
)


def of_labels(subject: Subject, site: ClusterSite) -> Diagnosing:
    """For an alert that names a Service and nothing more."""
    return (yield from diagnose(served.of(subject, site), site))


def diagnose(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    found = yield from _behind(service)
    if isinstance(found, Diagnosis):
        return found
    seen, spec = yield from _looked(found, site)
    ready = [] if isinstance(found.endpoints, Gap) else wiring.standing(found.endpoints)
    tries = yield from _tries(found, site, ready[:_TRIED], spec if isinstance(spec, PodSpec) else None)
    findings = (
        wiring.selected(service.namespace, found.view, found.pods, found.example),
        *wiring.ports(found.view, spec),
        wiring.endpoints(found.view.name, found.endpoints),
        *_names(found, site, seen),
        *tries,
        *_lost(service, site, seen),
        _policies(found, seen[Policies(service.namespace)]),
    )
    offers = (Suggestion("Why pods are not ready", f"debug startup {served.place(service)}"),)
    return Diagnosis(_cause(service, found, findings), findings, offers)


def wired(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """Only what the API server says of it: selector, ports, endpoints."""
    found = yield from _behind(service)
    if isinstance(found, Diagnosis):
        return found
    asked = _specs(found)
    seen = (yield asked) if asked else Seen({})
    findings = (
        wiring.selected(service.namespace, found.view, found.pods, found.example),
        *wiring.ports(found.view, seen[asked[0]] if asked else None),
        wiring.endpoints(found.view.name, found.endpoints),
    )
    return Diagnosis(_cause(service, found, findings), findings)


# --- The Service and its pods -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Behind:
    """example: a pod of the workload of that name, which the selector should find."""

    service: ServiceSite
    view: ServiceView
    endpoints: Sequence[EndpointView] | Gap
    pods: Sequence[PodDetail] | Gap
    example: PodDetail | None = field(default=None)

    @property
    def host(self) -> str:
        return f"{self.view.name}.{self.service.namespace}.svc"


def _behind(service: ServiceSite) -> Generator[Reads, Seen, "_Behind | Diagnosis"]:
    services, rows = ServicesOf(service.namespace), PodRows(service.namespace)
    seen = yield (services, rows)
    known: Sequence[ServiceView] | Gap = seen[services]
    if isinstance(known, Gap):
        return Diagnosis(None, (unread(wiring.KEY, "Services", known),))
    listed: Sequence[PodRow] = () if isinstance(seen[rows], Gap) else seen[rows]
    example = yield from _example(service, listed)
    view = _meant(service, known, example)
    if view is None:
        where, names = f" in {service.namespace}", [f"{service.namespace}/{each.name}" for each in known]
        none = missing(wiring.KEY, "Service", service.service or service.name, where, names, "debug net")
        return Diagnosis(None, (none,))
    asked = (
        Endpoints(service.namespace, view.name),
        PodDetails(service.namespace, selector=wiring.selector(view)),
    )
    more = yield asked
    return _Behind(service, view, more[asked[0]], more[asked[1]], example)


def _example(service: ServiceSite, rows: Sequence[PodRow]) -> Generator[Reads, Seen, PodDetail | None]:
    mine = served.pods(service, rows)
    if not mine:
        return None
    asked = PodDetails(service.namespace, mine[0].name)
    found = (yield (asked,))[asked]
    return found[0] if found and not isinstance(found, Gap) else None


def _meant(
    service: ServiceSite, known: Sequence[ServiceView], example: PodDetail | None
) -> ServiceView | None:
    """By its name; else the one that finds the pods of the workload of that name."""
    for name in (service.service, service.name):
        named = next((each for each in known if each.name == name), None)
        if named:
            return named
    labels = example.labels if example else {}
    return next((each for each in known if example and selects({"matchLabels": each.selector}, labels)), None)


# --- What is asked ----------------------------------------------------------------------------------------


def _numbers(service: ServiceSite, site: ClusterSite) -> tuple[Query, Query, Query]:
    lost = query(site, "Q-netdrop", window=_WINDOW, namespace=service.namespace)
    return lost, query(site, "Q-dns", window=_WINDOW), _RETRANSMITTED.asked({})


def _is_inside(site: ClusterSite) -> bool:
    return site.monitoring.access == "direct"


def _specs(found: _Behind) -> tuple[PodSpecOf, ...]:
    """How one of its pods is declared: they are all made from one template."""
    pod = found.pods[0] if found.pods and not isinstance(found.pods, Gap) else found.example
    return (PodSpecOf(pod.namespace, pod.name),) if pod else ()


def _looked(found: _Behind, site: ClusterSite) -> Generator[Reads, Seen, tuple[Seen, PodSpec | Gap | None]]:
    names: tuple[Resolve, ...] = (Resolve(found.host, tried.TIMES),) if _is_inside(site) else ()
    specs = _specs(found)
    seen = yield (*_numbers(found.service, site), Policies(found.service.namespace), *names, *specs)
    return seen, seen[specs[0]] if specs else None


def _tries(
    found: _Behind, site: ClusterSite, ready: Sequence[EndpointView], spec: PodSpec | None
) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    """Every endpoint's port, the Service's own, and the page that says how the pod is."""
    tcp = [port for port in found.view.ports if port.protocol == "TCP"]
    inside = [
        (f"{each.pod or each.address}{f' on {each.node}' if each.node else ''}, port {number}",
         Connect(each.address, number))
        for each in ready for port in tcp if (number := wiring.target(port, spec))
    ]  # fmt: skip
    own = [(f"ClusterIP {found.view.address}:{port.port}", Connect(found.view.address, port.port))
           for port in tcp if found.view.address]  # fmt: skip
    pages = _pages(found.service, ready)
    asked = dict.fromkeys(read for _, read in (*own, *inside)) if _is_inside(site) else {}
    wanted: Reads = (*asked, *pages.values())
    seen = (yield wanted) if wanted else Seen({})
    return (*_opened(own, inside, site, seen), *_healthy(found.service, pages, seen))


def _opened(
    own: Sequence[tuple[str, Connect]],
    inside: Sequence[tuple[str, Connect]],
    site: ClusterSite,
    seen: Seen,
) -> tuple[Finding, ...]:
    if not _is_inside(site):
        return (unread("T2-2.1", "Ports", _OUTSIDE),)
    whole = [(who, seen[read]) for who, read in own]
    each = [(who, seen[read]) for who, read in inside]
    first = (tried.ports("T2-5.2", "Port of the Service", whole),) if whole else ()
    return (*first, tried.ports("T2-2.1", "Ports of its endpoints", each))


def _pages(service: ServiceSite, ready: Sequence[EndpointView]) -> dict[str, PodHttp]:
    """Of a service of the configuration, whose paths are known."""
    if not (service.port and service.paths.health):
        return {}
    return {
        each.pod or each.address: PodHttp(
            service.namespace, each.pod, each.address, service.port, service.paths.health
        )
        for each in ready
    }


def _healthy(service: ServiceSite, pages: dict[str, PodHttp], seen: Seen) -> tuple[Finding, ...]:
    if not pages:
        return ()
    key, label = "T2-5.2", f"GET {service.paths.health}"
    answers: list[tuple[str, Http | Gap]] = [(who, seen[page]) for who, page in pages.items()]
    silent = [answer for _, answer in answers if isinstance(answer, Gap)]
    if len(silent) == len(answers):
        return (unread(key, label, silent[0]),)
    bad = tuple(f"{who}: {_said(answer)}" for who, answer in answers if not _is_good(answer))
    good = [answer.took for _, answer in answers if isinstance(answer, Http) and _is_good(answer)]
    value = f"{len(good)} of {counted(len(answers), 'pod')} well" + (
        f", p95 {took(tried.p95(good))}" if good else ""
    )
    return (Finding(key, label, Light.RED if bad else Light.GREEN, value, evidence=bad),)


def _is_good(answer: Http | Gap) -> bool:
    return isinstance(answer, Http) and answer.status < 400


def _said(answer: Http | Gap) -> str:
    return one_line(answer.reason) if isinstance(answer, Gap) else f"answers {answer.status}"


# --- In words ---------------------------------------------------------------------------------------------


def _names(found: _Behind, site: ClusterSite, seen: Seen) -> tuple[Finding, ...]:
    if not _is_inside(site):
        return (unread("T2-5.1", f"Name {found.host}", _OUTSIDE),)
    expected = (found.view.address,) if found.view.address else ()
    return (tried.name("T2-5.1", found.host, seen[Resolve(found.host, tried.TIMES)], expected),)


def _lost(service: ServiceSite, site: ClusterSite, seen: Seen) -> tuple[Finding, ...]:
    lost, dns, again = _numbers(service, site)
    return (
        _dropped(service, lost, seen),
        _resolver(dns, seen),
        read(_RETRANSMITTED, seen[again], "T2-2.3").finding,
    )


def _dropped(service: ServiceSite, asked: Query, seen: Seen) -> Finding:
    key, label = "T2-2.3", "Packets dropped or bad"
    if isinstance(seen[asked], Gap):
        return unread(key, label, seen[asked])
    found = saturation.mine(seen[asked], service) or {}
    lines = tuple(f"{who}: {each_second(value)}" for who, value in found.items())
    value = f"{len(found)} of its pods lose some" if found else "none at its pods"
    return Finding(key, label, Light.YELLOW if found else Light.GREEN, value, evidence=lines)


def _resolver(asked: Query, seen: Seen) -> Finding:
    limit = tried.SLOW.total_seconds()
    gauge = Gauge("CoreDNS, p95", "", seconds, ("coredns_dns_request_duration_seconds_bucket",))
    found = read(gauge, seen[asked], "T2-2.2")
    slow = found.top and found.value > limit
    told = found.finding
    return Finding(told.key, told.label, Light.YELLOW if slow else told.light, told.value,
                   f"≤ {seconds(limit)}", told.evidence, mend=told.mend)  # fmt: skip


def _policies(found: _Behind, answer: Sequence[PolicyView] | Gap) -> Finding:
    """Those about its pods: whoever is not let in by one of them is kept out."""
    key, label = "T2-2.1", "Network policies"
    if isinstance(answer, Gap):
        return unread(key, label, answer)
    pods = () if isinstance(found.pods, Gap) else found.pods
    labels = pods[0].labels if pods else found.example.labels if found.example else {}
    about = [each for each in answer if selects(each.selector, labels)]
    lines = tuple(f"{each.target.name}: {_opens(each)}" for each in about)
    shut = [each for each in about if not each.allows]
    value = f"{counted(len(about), 'policy').replace('policys', 'policies')} about its pods"
    return Finding(key, label, Light.YELLOW if shut else Light.GREEN, value, evidence=lines)


def _opens(policy: PolicyView) -> str:
    return f"lets through {' and '.join(sorted(policy.allows))}" if policy.allows else "lets nothing through"


def _cause(service: ServiceSite, found: _Behind, findings: Sequence[Finding]) -> Cause | None:
    """The first thing that is broken: what comes before it in the list is well."""
    first = next((each for each in findings if each.light is Light.RED), None)
    if first is None:
        return None
    detail = f" ({first.evidence[0]})" if first.evidence else ""
    text = f"{service.namespace}/{found.view.name}: {first.label}: {first.value}{detail}"
    return Cause(one_line(text, 400), Confidence.LIKELY, first.suggestions)


# --- Outside ----------------------------------------------------------------------------------------------


def outside(site: ClusterSite) -> Diagnosing:
    """The names of what the configuration calls a dependency (T2-4.3)."""
    hosts = dict.fromkeys(host for each in site.dependencies if (host := dependencies.host(each.url)))
    if not hosts:
        return Diagnosis(None, dependencies.told(()))
    asked = {host: Resolve(host, 3) for host in hosts}
    pages = dependencies.reads(site)
    seen = yield (*asked.values(), *pages)
    names = tuple(tried.name("T2-4.3", host, seen[read]) for host, read in asked.items())
    return Diagnosis(None, (*names, *dependencies.told(dependencies.answers(site, seen))))
