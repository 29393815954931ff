"""The five layers between a user and the cloud, each asked by itself: what is wrong there, or what was not seen.

1 users, 2 Kubernetes (here); 3 containers, 4 nodes, 5 infrastructure (ground.py). Each is a diagnosis of its own, so
that one that is slow keeps no other waiting. Used by `debug layers`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.podreads import Events, EventView, PodRow, PodRows
from commands.podstatus import status_light
from commands.queries import amounts, error_budget, query
from commands.reads import Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage import ground, network, onset, pods, refused, served, tails
from commands.triage.beside import beside
from commands.triage.eventline import event_line
from commands.triage.measured import each_second, plain, seconds, share
from commands.triage.rule import Diagnosing, Diagnosis, Subject
from commands.triage.scene import is_well
from commands.wording import one_line, unread

_NOW = timedelta(minutes=5)
_WEEK = timedelta(days=7)
_PODS = 6  # whose containers are looked at
_SHOWN = 6
_FLOOR = 0.001  # a share of errors below is none that began

Layer = Callable[[ServiceSite, ClusterSite], Diagnosing]


# --- 1. Users -----------------------------------------------------------------------------------------------

_SLI: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Q-error", "Errors", share),
    ("Q-p95", "Latency, p95", seconds),
    ("Q-rps", "Requests", each_second),
)


def users(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """What they feel, now and at the same time a week ago."""
    asked = {name: query(site, name, service=service, window=_NOW) for name, _, _ in _SLI}
    past = {name: QueryRange(read.expr, _NOW, _WEEK, most=1) for name, read in asked.items()}
    lately = QueryRange(asked["Q-error"].expr, onset.WINDOW, step=onset.STEP, most=1)
    seen = yield (*asked.values(), *past.values(), lately)
    limits = {
        "Q-error": float(error_budget(site)),
        "Q-p95": site.slo.latency.target_ms / 1000,
    }
    findings = tuple(
        _sli(label, words, seen[asked[name]], seen[past[name]], limits.get(name))
        for name, label, words in _SLI
    )
    errors, rate = _one(seen[asked["Q-error"]]), _one(seen[asked["Q-rps"]])
    felt = errors is not None and errors > limits["Q-error"]
    began = (
        None if isinstance(seen[lately], Gap) else onset.onset(onset.points(seen[lately]), None, floor=_FLOOR)
    )
    since = f" {began.words}" if began and began.words else ""
    affected = f"users affected: {share(errors or 0)} of {plain(rate or 0)} requests a second fail{since}"
    text = affected if felt and rate else ""
    place = served.place(service)
    offers = (
        Suggestion("Why they fail", f"debug 5xx {place}"),
        Suggestion("Why so slow", f"debug latency {place}"),
    )
    return Diagnosis(Cause(text, Confidence.CERTAIN, offers[:1]) if text else None, findings, offers)


def _one(answer: Vector | Gap) -> float | None:
    return None if isinstance(answer, Gap) else amounts(answer, ()).get(())


def _sli(
    label: str, words: Callable[[float], str], answer: Vector | Gap, past: Matrix | Gap, limit: float | None
) -> Finding:
    key, threshold = "TF-1.1", f"≤ {words(limit)}" if limit is not None else ""
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    value = _one(answer)
    if value is None:
        why = (
            "no requests in 5 min"
            if answer.samples
            else "no data: is it scraped, and by this service's name?"
        )
        return unread(key, label, Gap(why), threshold)
    light = Light.RED if limit is not None and value > limit else Light.GREEN
    if light is Light.GREEN and not limit and value == 0:
        light = Light.YELLOW  # nobody asks: that is no proof of health
    return Finding(key, label, light, f"{words(value)}{_before(words, past)}", threshold)


def _before(words: Callable[[float], str], past: Matrix | Gap) -> str:
    points = () if isinstance(past, Gap) or not past.series else past.series[0].points
    return f", {words(points[-1][1])} a week ago" if points else ""


# --- 2. Kubernetes ------------------------------------------------------------------------------------------


def orchestration(service: ServiceSite, site: ClusterSite) -> Diagnosing:
    """Its pods, what the events warn of, its Service, and what it may not do."""
    rows, events = PodRows(service.namespace), Events(service.namespace, warnings=True)
    seen = yield (rows, events)
    listed: Sequence[PodRow] | Gap = seen[rows]
    mine = () if isinstance(listed, Gap) else served.pods(service, listed)
    ill = [row for row in mine if not is_well(row)]
    worst = sorted(ill, key=lambda row: status_light(row.status) is not Light.RED)[:1]
    found, said, *more = yield from beside(
        network.wired(service, site), _logs(mine), *(_pod(service, row, site) for row in worst)
    )
    findings = (
        _pods(listed, mine, ill, service),
        *(each for part in more for each in part.findings[:3]),
        *found.findings,
        _events(seen[events], service),
        _forbidden(seen[events]),
        *said.findings,
    )
    cause = next((part.cause for part in (*more, found) if part.cause), None) or _refused(
        seen[events], service
    )
    offers = (Suggestion("Events", f"pod events -n {service.namespace}"),)
    return Diagnosis(cause, findings, offers)


def _pod(service: ServiceSite, row: PodRow, site: ClusterSite) -> Diagnosing:
    return (yield from pods.diagnose(Subject("", {"namespace": service.namespace, "pod": row.name}), site))


def _logs(mine: Sequence[PodRow]) -> Diagnosing:
    """What the API server denies it, in its own log; nothing where it denies nothing."""
    said = yield from tails.heard(mine)
    rights = _rights(entry.text for entry in said.errors)
    if not rights:
        return Diagnosis()
    value = one_line(rights[0], 240)
    return Diagnosis(None, (Finding("TF-2.3", "Rights, in its log", Light.RED, value, evidence=rights[1:]),))


def _pods(
    listed: Sequence[PodRow] | Gap, mine: Sequence[PodRow], ill: Sequence[PodRow], service: ServiceSite
) -> Finding:
    key, label = "TF-2.1", f"Pods of {service.deployment or service.name}"
    if isinstance(listed, Gap):
        return unread(key, label, listed)
    if not mine:
        return Finding(key, label, Light.RED, f"none in {service.namespace}")
    lines = tuple(f"{row.name}: {row.status}, {row.ready} ready" for row in ill[:_SHOWN])
    is_dead = any(status_light(row.status) is Light.RED for row in ill)
    light = Light.RED if is_dead or len(ill) == len(mine) else Light.YELLOW if ill else Light.GREEN
    return Finding(key, label, light, f"{len(mine) - len(ill)} of {len(mine)} well", evidence=lines)


def _events(found: Sequence[EventView] | Gap, service: ServiceSite) -> Finding:
    key, label = "TF-2.1", "Warnings"
    if isinstance(found, Gap):
        return unread(key, label, found)
    name = service.deployment or service.name
    mine = [each for each in reversed(found) if each.name.startswith(name)]
    lines = tuple(event_line(each, is_named=True) for each in mine[:_SHOWN])
    light = Light.YELLOW if mine else Light.GREEN
    return Finding(key, label, light, _kinds(len(mine)), evidence=lines)


def _kinds(number: int) -> str:
    return f"{counted(number, 'kind')} of events" if number else "none of its own"


_FORBIDDEN = re.compile(
    r'User "(?P<who>[^"]+)" cannot (?P<verb>\w+) resource "(?P<what>[^"]+)"(?: in API group "(?P<group>[^"]*)")?'
)
_KEPT = "violates PodSecurity"


def _rights(texts: Iterable[str]) -> tuple[str, ...]:
    found = (match for text in texts if (match := _FORBIDDEN.search(text)))
    return tuple(dict.fromkeys(f"{m['who']} may not {m['verb']} {m['what']}" for m in found))


def _forbidden(found: Sequence[EventView] | Gap) -> Finding:
    """Rights that are missing, by verb and resource, and Pod Security that keeps pods out (C55)."""
    key, label = "TF-2.3", "Rights and Pod Security"
    if isinstance(found, Gap):
        return unread(key, label, found)
    kept = dict.fromkeys(refused.refused(each.message).text for each in found if _KEPT in each.message)
    facts = (*_rights(each.message for each in found), *kept)
    if not facts:
        return Finding(key, label, Light.GREEN, "nothing forbidden in the events of its namespace")
    return Finding(key, label, Light.RED, one_line(facts[0], 240), evidence=facts[1:])


def _refused(found: Sequence[EventView] | Gap, service: ServiceSite) -> Cause | None:
    last = None if isinstance(found, Gap) else refused.latest(found, service.deployment or service.name)
    if last is None:
        return None
    show = Suggestion("Show it", f"deploy show {served.place(service)}")
    return Cause(f"no new pod of {service.name} is made: {last[1].text}", Confidence.LIKELY, (show,))


LAYERS: Mapping[int, tuple[str, Layer]] = {
    1: ("Users", users),
    2: ("Kubernetes", orchestration),
    3: ("Containers", ground.containers),
    4: ("Nodes", ground.nodes),
    5: ("Infrastructure", ground.infrastructure),
}
