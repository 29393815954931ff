"""What is frozen of a service: the record on each object, what was read of it now, and whether it is so.

The record is an annotation that is written in the same write as the field it is about (effects.Freeze), so there is
neither a stopped object without a record nor a record that lies. Called by `incident freeze` and `unfreeze`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.change import Doing, Verifying
from commands.effects import FROZEN, AllowTraffic, ExceptTraffic, Freeze, Target, Thaw
from commands.incident.proof import nothing_left, verdict
from commands.model import Gap, Read, Reads, Seen
from commands.phrase import counted
from commands.plan import Step
from commands.podreads import Policies, PolicyView
from commands.securityreads import Flag, FlagView, Scalers, ScalerView, Schedules, ScheduleView
from commands.site import ClusterSite, ServiceSite
from commands.wording import one_line
from commands.workloads import Workloads, WorkloadView

View = WorkloadView | ScalerView | ScheduleView | FlagView

REPLICAS, BEHAVIOR, SUSPEND = "/spec/replicas", "/spec/behavior", "/spec/suspend"


def data(key: str) -> str:
    """Where a key of a ConfigMap is; such a key has neither / nor ~."""
    return f"/data/{key}"


def policy_name(service: str, writer: str = "") -> str:
    """Of the policy that keeps a writer from the database; without one, how those of the service begin."""
    return f"sre-bot-freeze.{service}.{writer}".casefold()


def reads(service: ServiceSite) -> Reads:
    space, freeze = service.namespace, service.freeze
    flag = (Flag(space, freeze.config_map, freeze.key),) if freeze.config_map else ()
    return (Workloads(space), Scalers(space), Schedules(space), Policies(space), *flag)


# --- The record -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """was: the field as JSON, "" where it was not there. low, high: bounds of an autoscaler at that time."""

    request: str
    service: str
    field: str
    was: str
    low: int | None = None
    high: int | None = None


def record(annotation: str) -> Record | None:
    """What workers/patches.py wrote; None for anything else, which somebody may have put there."""
    try:
        held = json.loads(annotation)
        was = json.dumps(held["was"], sort_keys=True) if "was" in held else ""
        low, high = held.get("minReplicas"), held.get("maxReplicas")
        return Record(str(held["request"]), str(held["service"]), str(held["field"]), was, low, high)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """A frozen object as it is now; record None where its annotation cannot be understood."""

    view: View
    note: str
    record: Record | None

    @property
    def target(self) -> Target:
        return self.view.target


def views(seen: Seen, service: ServiceSite) -> Iterator[View]:
    """Everything that can be frozen and was read."""
    for read in reads(service):
        answer = seen[read]
        if isinstance(answer, Gap) or isinstance(read, Policies):
            continue
        if isinstance(read, Flag):
            yield from () if answer is None else (answer,)
        else:
            yield from answer


def held(found: Iterable[View], service: ServiceSite) -> Iterator[Held]:
    """Those that are frozen for this service, and those of which nobody can tell for which."""
    for view in found:
        if FROZEN in view.annotations:
            note = view.annotations[FROZEN]
            known = record(note)
            if known is None or known.service == service.name:
                yield Held(view, note, known if known and _fits(view, known) else None)


def _fits(view: View, known: Record) -> bool:
    """Whether a freeze of such an object writes this: whoever may annotate it does not choose what is put back."""
    was = json.loads(known.was) if known.was else None
    match view:
        case WorkloadView():
            return known.field == REPLICAS and (was is None or (type(was) is int and was >= 0))
        case ScalerView():
            bounds = all(bound is None or type(bound) is int for bound in (known.low, known.high))
            return known.field == BEHAVIOR and (was is None or isinstance(was, dict)) and bounds
        case ScheduleView():
            return known.field == SUSPEND and (was is None or isinstance(was, bool))
    above, _, key = known.field.rpartition("/")
    return f"{above}/" == data("") and bool(key) and (was is None or isinstance(was, str))


def policies(seen: Seen, service: ServiceSite) -> tuple[PolicyView, ...]:
    """Those that keep its writers from the database."""
    answer = seen[Policies(service.namespace)]
    begin = policy_name(service.name)
    return () if isinstance(answer, Gap) else tuple(p for p in answer if p.target.name.startswith(begin))


def is_stopped(view: View, value: str) -> bool:
    """Whether it is as a freeze leaves it. value: what the flag says then."""
    match view:
        case WorkloadView():
            return view.replicas == 0
        case ScalerView():
            return view.is_stopped
        case ScheduleView():
            return view.is_suspended
    return view.value == value


# --- Whether it is so -------------------------------------------------------------------------------


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    """Of a freeze and of its end: each field, and of a writer that is frozen, that no pod of it is left."""
    if not doing.plan.steps:
        return nothing_left()
    wanted = {step.key: _read(step) for step in doing.plan.steps}
    seen = yield tuple(dict.fromkeys(wanted.values()))
    missing = {s.key: why for s in doing.plan.steps if (why := _missing(s, wanted[s.key], seen))}
    return verdict(doing, missing, f"{doing.plan.title}: read back and so")


def _read(step: Step) -> Read:
    target, effect = step.effect.target, step.effect
    match target.kind:
        case "HorizontalPodAutoscaler":
            return Scalers(target.namespace)
        case "CronJob":
            return Schedules(target.namespace)
        case "NetworkPolicy":
            return Policies(target.namespace)
        case "ConfigMap":
            assert isinstance(effect, Freeze | Thaw)
            return Flag(target.namespace, target.name, effect.field.removeprefix("/data/"))
    return Workloads(target.namespace)


def _missing(step: Step, read: Read, seen: Seen) -> str:
    answer = seen[read]
    if isinstance(answer, Gap):
        return f"{step.effect.target}: not read back: {one_line(answer.reason)}"
    found = (answer,) if isinstance(read, Flag) else answer
    view = next((each for each in found if each is not None and _is(each, step.effect.target)), None)
    match step.effect:
        case ExceptTraffic():
            return "" if view else f"{step.effect.target} is not there yet"
        case AllowTraffic():
            return f"{step.effect.target} is there still" if view else ""
        case Freeze() as effect:
            return f"{effect.target} is gone" if view is None else _not_frozen(view, effect)
        case Thaw() as effect:
            return f"{effect.target} is gone" if view is None else _not_thawed(view, effect)
    raise LookupError(f"not a part of a freeze: {step.effect}")


def _is(view: Any, target: Target) -> bool:
    found: Target = view.target
    return found == target or (not target.uid and (found.kind, found.name) == (target.kind, target.name))


def _not_frozen(view: View, effect: Freeze) -> str:
    if FROZEN not in view.annotations:
        return f"{effect.target} is not frozen yet"
    match view:
        case (
            WorkloadView(replicas=0, total=0) | ScalerView(is_stopped=True) | ScheduleView(is_suspended=True)
        ):
            return ""
        case WorkloadView(replicas=0):
            return f"{effect.target}: {counted(view.total, 'pod')} still there"
        case FlagView(value=value) if value is not None and json.dumps(value) == effect.to:
            return ""
    return f"{effect.target} was frozen, and somebody changed it back"


def _not_thawed(view: View, effect: Thaw) -> str:
    if FROZEN in view.annotations:
        return f"{effect.target} is frozen still"
    to = json.loads(effect.to) if effect.to else None
    match view:
        case WorkloadView():
            return _not_ready(view, 1 if to is None else int(to))
        case ScheduleView():
            is_so = view.is_suspended is bool(to)
        case FlagView():
            is_so = view.value == to
        case ScalerView():
            is_so = not view.is_stopped or _stops(to)
    return "" if is_so else f"{effect.target} is not as it was: somebody changed it since"


def _not_ready(view: WorkloadView, to: int) -> str:
    if view.replicas != to:
        return f"{view.target} asks for {counted(view.replicas, 'pod')}, not for {to}"
    return "" if view.ready >= to else f"{view.target}: {view.ready} of {to} ready"


def _stops(behavior: Mapping[str, Any] | None) -> bool:
    ways = [(behavior or {}).get(way) or {} for way in ("scaleUp", "scaleDown")]
    return all(way.get("selectPolicy") == "Disabled" for way in ways)
