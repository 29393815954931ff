"""`pod top`: who uses how much CPU and memory now, the greediest first.

From metrics-server, whose containers are summed as `kubectl top` does it; where it does not answer, from
Prometheus, and the answer says so. With --pod, one pod container by container against its limits.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from commands.command import Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted, mebibytes, millicores
from commands.pod.scope import Where, where
from commands.podreads import (
    ContainerUsage,
    ContainerView,
    PodDetail,
    PodDetails,
    PodMetrics,
    PodRow,
    PodRows,
    PodUsage,
)
from commands.queries import amounts, query
from commands.reads import Vector
from commands.site import ClusterSite
from commands.wording import aligned, missing, one_line, shown_and_kept, unread

ROWS = 20
_KEYS = {"cpu": "WM-2.8", "memory": "WM-2.7"}


def top(args: Args, site: ClusterSite) -> Parts:
    place, order = where(args, site), args.name or "cpu"
    if args.flags.get("pod"):
        pod = args.flags["pod"]
        return {"pod-top": Part(f"Use of {pod}", _one(place, site, pod))}
    if order not in _KEYS:
        raise UsageError(
            f"`pod top` sorts by `cpu` or `memory`; for the containers of one pod: `/sre pod top --pod {order}`."
        )
    return {"pod-top": Part(f"Pods by {order} · {place.said}", _all(place, site, order))}


@dataclass(frozen=True, slots=True)
class _Use:
    pods: Sequence[PodUsage]
    source: str
    gap: Gap | None = None
    mend: str = ""


def _use(place: Where, site: ClusterSite, metrics: Sequence[PodUsage] | Gap) -> Generator[Reads, Seen, _Use]:
    if not isinstance(metrics, Gap):
        return _Use(metrics, "metrics-server")
    cpu, memory = (query(site, name, namespace=place.namespace) for name in ("Q-podcpu", "Q-podmem"))
    seen = yield (cpu, memory)
    why = one_line(metrics.reason)
    for answer in (seen[cpu], seen[memory]):
        if isinstance(answer, Gap):
            return _Use((), "", Gap(f"{why}; {one_line(answer.reason)}", metrics.mend or answer.mend))
    pods = _from_prometheus(seen[cpu], seen[memory])
    if not pods:
        return _Use((), "", Gap(f"{why}; Prometheus: no data", metrics.mend))
    return _Use(pods, f"Prometheus, because {why}", mend=metrics.mend)


def _from_prometheus(cpu: Vector, memory: Vector) -> list[PodUsage]:
    labels = ("namespace", "pod", "container")
    cores, held = amounts(cpu, labels), amounts(memory, labels)
    pods: dict[tuple[str, str], list[ContainerUsage]] = {}
    for namespace, pod, container in sorted(cores.keys() | held.keys()):
        place = (namespace, pod, container)
        usage = ContainerUsage(container, cores.get(place, 0.0), held.get(place, 0.0))
        pods.setdefault((namespace, pod), []).append(usage)
    return [PodUsage(namespace, pod, tuple(found)) for (namespace, pod), found in pods.items()]


# --- all pods -------------------------------------------------------------------------------------


def _all(place: Where, site: ClusterSite, order: str) -> Inquiry:
    read = PodMetrics(place.namespace)
    seen = yield (read,)
    use = yield from _use(place, site, seen[read])
    title, key = f"Pods by {order} · {place.said}", _KEYS[order]
    if use.gap:
        return Section("pod-top", title, True, (unread(key, "Pods", use.gap),))
    ranked = sorted(use.pods, key=lambda pod: (-getattr(pod, order), pod.namespace, pod.name))
    table = aligned(
        ("POD", "CPU", "MEMORY"),
        [(_place(pod, place), millicores(pod.cpu), mebibytes(pod.memory)) for pod in ranked],
    )
    lines, files = shown_and_kept(table, ROWS, f"pods-by-{order}.txt", title)
    found = _greediest(ranked, key, order, place)
    return Section("pod-top", title, True, (found,), f"from {use.source}", files, lines if ranked else ())


def _greediest(ranked: Sequence[PodUsage], key: str, order: str, place: Where) -> Finding:
    if not ranked:
        return Finding(key, "Pods", Light.GREEN, "none that runs is measured")
    cpu, memory = (sum(getattr(pod, kind) for pod in ranked) for kind in ("cpu", "memory"))
    value = f"{counted(len(ranked), 'pod')} use {millicores(cpu)} CPU and {mebibytes(memory)}"
    first, other = ranked[0], "memory" if order == "cpu" else "cpu"
    offers = (
        Suggestion(f"Containers of {first.name}", f"pod top --pod {first.namespace}/{first.name}"),
        Suggestion(f"By {other}", f"pod top {other} {place.flag}"),
    )
    return Finding(key, "Pods", Light.GREEN, value, suggestions=offers)


def _place(pod: PodUsage, place: Where) -> str:
    return pod.name if place.namespace else f"{pod.namespace}/{pod.name}"


# --- one pod --------------------------------------------------------------------------------------


def _one(place: Where, site: ClusterSite, typed: str) -> Inquiry:
    """Never the interactive tool: what it would show stands in the metrics."""
    namespace, _, name = typed.rpartition("/")
    place = Where(namespace) if namespace else place
    metrics, details = PodMetrics(place.namespace), PodDetails(place.namespace, name)
    seen = yield (metrics, details)
    title = f"Use of {name}"
    if seen[details] == ():
        rows = yield (PodRows(place.namespace),)
        none = _no_such(name, place, rows[PodRows(place.namespace)])
        return Section("pod-top", title, True, (none,))
    use = yield from _use(place, site, seen[metrics])
    if use.gap:
        return Section("pod-top", title, True, (unread("T2-5.3", "Containers", use.gap),))
    usage = next((pod for pod in use.pods if pod.name == name), None)
    pods: Sequence[PodDetail] | Gap = seen[details]
    limits = {} if isinstance(pods, Gap) else {each.name: each for each in pods[0].containers}
    if usage is None:
        gap = Gap("nothing is measured of it: it does not run, or is younger than a minute or two")
        return Section("pod-top", title, True, (unread("T2-5.3", "Containers", gap),))
    table = aligned(("CONTAINER", "CPU", "OF LIMIT", "MEMORY", "OF LIMIT"), _containers(usage, limits))
    offers = (Suggestion("Show pod", f"pod show {usage.namespace}/{name}"),)
    value = f"{counted(len(usage.containers), 'container')} use {millicores(usage.cpu)} CPU"
    found = Finding(
        "T2-5.3", "Containers", Light.GREEN, f"{value} and {mebibytes(usage.memory)}", suggestions=offers
    )
    unlimited = (unread("T2-5.3", "Limits", pods),) if isinstance(pods, Gap) else ()
    return Section("pod-top", title, True, (found, *unlimited), f"from {use.source}", table=table)


def _no_such(name: str, place: Where, rows: Iterable[PodRow] | Gap) -> Finding:
    if isinstance(rows, Gap):
        return unread("T2-5.3", "Pod", rows)
    known = [row.name if place.namespace else f"{row.namespace}/{row.name}" for row in rows]
    return missing("T2-5.3", "Pod", name, f" in {place.said}", known, "pod top --pod")


def _containers(usage: PodUsage, limits: Mapping[str, ContainerView]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for each in sorted(usage.containers, key=lambda one: -one.cpu):
        resources = limits[each.name].resources if each.name in limits else None
        cpu = resources.cpu_limit if resources else None
        memory = resources.memory_limit if resources else None
        rows.append(
            (
                each.name,
                millicores(each.cpu),
                f"{100 * each.cpu / cpu:.0f} %" if cpu else "no limit",
                mebibytes(each.memory),
                f"{100 * each.memory / memory:.0f} %" if memory else "no limit",
            )
        )
    return rows
