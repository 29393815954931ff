"""How far a rollout is, by kubectl's own rules, and the arithmetic of its strategy."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands.finding import Light
from commands.phrase import counted, span
from commands.templates import template_hash
from commands.wording import one_line
from commands.workloads import MemberView, RevisionView, WorkloadView

# After the deadline of a Deployment the controller still has to say so.
_AFTER_DEADLINE = timedelta(seconds=60)
_USUAL_DEADLINE = timedelta(seconds=600)
# StatefulSets and DaemonSets have no deadline, and replace one pod after the other.
_PER_POD = timedelta(minutes=2)
_LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a rollout stands: done or not, and in words."""

    is_done: bool
    said: str


def stand(view: WorkloadView) -> Stand:
    if view.observed < view.generation:
        return Stand(False, f"its controller has not seen the change yet (generation {view.generation})")
    match view.target.kind:
        case "Deployment":
            return _deployment(view)
        case "StatefulSet":
            return _stateful_set(view)
    return _daemon_set(view)


def _deployment(view: WorkloadView) -> Stand:
    if view.updated < view.replicas:
        return Stand(False, f"{view.updated} of {view.replicas} updated")
    if view.total > view.updated:
        old = counted(view.total - view.updated, "old pod")
        return Stand(False, f"{view.updated} of {view.replicas} updated, {old} still there")
    if view.available < view.updated:
        return Stand(False, f"{view.updated} of {view.replicas} updated, {view.available} available")
    return Stand(True, _all(view.replicas))


def _daemon_set(view: WorkloadView) -> Stand:
    if view.strategy.type == "OnDelete":
        return Stand(True, "set; each pod takes it when it is deleted (OnDelete)")
    if view.updated < view.replicas or view.available < view.replicas:
        return Stand(False, f"{view.updated} of {view.replicas} updated, {view.available} available")
    return Stand(True, _all(view.replicas))


def _stateful_set(view: WorkloadView) -> Stand:
    if view.strategy.type == "OnDelete":
        return Stand(True, "set; each pod takes it when it is deleted (OnDelete)")
    wanted = max(view.replicas - view.strategy.partition, 0)
    if view.ready < view.replicas or view.total != view.replicas:
        return Stand(False, f"{view.updated} of {wanted} updated, {view.ready} of {view.replicas} ready")
    if view.strategy.partition:
        said = f"{view.updated} of {wanted} above the partition updated"
        return Stand(view.updated >= wanted, said)
    if view.update != view.current:
        return Stand(False, f"{view.updated} of {wanted} updated")
    return Stand(True, _all(view.replicas))


def _all(count: int) -> str:
    return f"all {count} updated and available" if count else "updated; it has no pods"


# --- Strategy -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Margins:
    """Pods above, and pods below the number asked for, while a rollout goes on."""

    surge: int
    unavailable: int


def margins(view: WorkloadView) -> Margins:
    """Of percentages the surge rounds up and the rest down; were both nothing, one may be missing."""
    if view.strategy.type == "Recreate":
        return Margins(0, view.replicas)
    if view.target.kind == "StatefulSet":
        return Margins(
            0, min(max(_share(view.strategy.unavailable, view.replicas, math.floor), 1), view.replicas)
        )
    surge = _share(view.strategy.surge, view.replicas, math.ceil)
    unavailable = _share(view.strategy.unavailable, view.replicas, math.floor)
    if not surge and not unavailable:
        unavailable = 1
    return Margins(surge, min(unavailable, view.replicas))


def _share(value: int | str, replicas: int, rounded: Any) -> int:
    """An IntOrString of this many pods."""
    if isinstance(value, int):
        return value
    number = value.removesuffix("%")
    return int(rounded(int(number) * replicas / 100)) if number.isdecimal() else 0


def strategy_said(view: WorkloadView) -> str:
    """ "RollingUpdate: up to 1 extra pod and 0 missing at a time, gives up after 10 min"."""
    kind = view.strategy.type
    if kind == "OnDelete":
        return "OnDelete: a pod changes when somebody deletes it"
    if kind == "Recreate":
        return f"Recreate: all {view.replicas} pods end before the first new one starts"
    room = margins(view)
    said = f"{kind}: up to {counted(room.surge, 'extra pod')} and {room.unavailable} missing at a time"
    if view.target.kind == "StatefulSet" and view.strategy.is_ordered:
        said += ", highest ordinal first"
    if view.strategy.deadline is not None:
        said += f", gives up after {span(view.strategy.deadline)}"
    return said


def timeout(view: WorkloadView, replicas: int | None = None) -> timedelta:
    """How long a rollout may take before it counts as failed."""
    if view.target.kind == "Deployment":
        return min((view.strategy.deadline or _USUAL_DEADLINE) + _AFTER_DEADLINE, _LONGEST)
    count = view.replicas if replicas is None else replicas
    return min(max(_USUAL_DEADLINE, count * _PER_POD) + _AFTER_DEADLINE, _LONGEST)


def estimate(view: WorkloadView) -> timedelta:
    """A guess: twenty seconds for each round of pods that are replaced together."""
    room = margins(view)
    rounds = math.ceil(view.replicas / max(room.surge + room.unavailable, 1))
    return timedelta(seconds=20) * max(rounds, 1)


# --- Pods -----------------------------------------------------------------------------------------

# Words that do not go away by themselves, or not soon.
CRASHES = ("CrashLoopBackOff", "OOMKilled", "Error", "RunContainerError", "ContainerCannotRun")


def own(
    view: WorkloadView, revisions: Iterable[RevisionView], members: Iterable[MemberView]
) -> list[MemberView]:
    """The pods that are really this workload's, whoever else bears its labels; none that is on its way out."""
    owners = {view.target.uid, *(each.source.uid for each in revisions)}
    return [each for each in members if each.owner in owners and not each.is_leaving]


def marks(template: Mapping[str, Any], revisions: Iterable[RevisionView]) -> frozenset[str]:
    """The labels by which pods of this template are known."""
    wanted = template_hash(template)
    return frozenset(each.mark for each in revisions if each.mark and template_hash(each.template) == wanted)


def troubled(members: Iterable[MemberView], now: datetime) -> tuple[str, ...]:
    """ "web-7d9 ImagePullBackOff since 40 s", of every pod that is not ready, those with a reason first."""
    unready = [each for each in members if not each.is_ready]
    return tuple(
        _trouble(each, now) for each in sorted(unready, key=lambda each: (not each.trouble, each.name))
    )


def _trouble(member: MemberView, now: datetime) -> str:
    since = f" since {span(now - member.since)}" if member.since else ""
    said = f": {one_line(member.message)}" if member.message else ""
    return f"{member.name} {member.trouble or 'not ready'}{since}{said}"


def member_light(member: MemberView) -> Light:
    if member.is_ready:
        return Light.GREEN
    return Light.RED if member.trouble else Light.YELLOW
