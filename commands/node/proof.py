"""Whether a drain did what it said, as the cluster shows it: closed, emptied by uid, and all well elsewhere.

Pods are counted by uid: one of the same name that came back is another pod. Pure; called by the engine every
second while a drain runs, so a large cluster is read only where this node's pods were.
"""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from commands import reads
from commands.change import Doing, Verifying
from commands.effects import Cordon, Evict
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Read, Reads, Seen
from commands.node.cases import READ_KINDS, UNCOUNTED, Controllers, is_daemon, named
from commands.node.scene import known_from, scopes
from commands.phrase import counted, span
from commands.plan import Result, Standing, Step, Verdict
from commands.podstatus import status_light
from commands.scheduling import Budgets, BudgetView, NodeDetail, NodeDetails, Owners, PodDetail, PodsOnNode
from commands.site import ClusterSite
from commands.wording import age

# Controllers write their counts down a moment after a pod is gone: until then the old count still stands.
SETTLING = timedelta(seconds=1)
# By which controllers a workload is counted: a Deployment by its ReplicaSets, what an operator owns (a Rollout,
# a Prometheus) by either.
_COUNTED = {"Deployment": ("ReplicaSet",), **{kind: (kind,) for kind in READ_KINDS}}
_OPERATED = ("ReplicaSet", "StatefulSet")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of the nodes now. nodes: None for one that is gone, or another one of its name."""

    doing: Doing
    now: datetime
    nodes: Mapping[str, NodeDetail | None]
    pods: Mapping[str, tuple[PodDetail, ...]]
    budgets: tuple[BudgetView, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.doing.plan.steps

    @property
    def here(self) -> Mapping[str, PodDetail]:
        return {pod.target.uid: pod for held in self.pods.values() for pod in held}

    def is_true(self, step: Step) -> bool:
        effect = step.effect
        if isinstance(effect, Cordon):
            node = self.nodes.get(effect.target.name)
            was = self.doing.progress.standing(step) is Standing.PROVED
            return node is None or node.unschedulable or was
        return effect.target.uid not in self.here

    @property
    def proved(self) -> tuple[str, ...]:
        return tuple(step.key for step in self.steps if self.is_true(step))

    @property
    def unmoved(self) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if isinstance(s.effect, Evict) and not self.is_true(s))

    @property
    def others(self) -> tuple[PodDetail, ...]:
        """Pods that are no part of the plan and do not belong to the node."""
        planned = {step.effect.target.uid for step in self.steps}
        movable = (pod for pod in self.here.values() if not pod.mirror and not is_daemon(pod.owner))
        return tuple(pod for pod in movable if pod.target.uid not in planned)

    @property
    def open(self) -> tuple[str, ...]:
        """Nodes that somebody opened again meanwhile."""
        return tuple(name for name, node in self.nodes.items() if node is not None and not node.unschedulable)


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    uids = drained(doing.plan.scope)
    blocked = any(mark.standing is Standing.BLOCKED for mark in doing.progress.marks.values())
    seen = yield (
        reads.Now(),
        NodeDetails(tuple(uids)),
        *map(PodsOnNode, uids),
        *((Budgets(),) if blocked else ()),
    )
    gap = next(
        (answer for read, answer in seen.items() if isinstance(answer, Gap) and read != Budgets()), None
    )
    if gap is not None:
        return _unseen(doing, gap)
    sight = _sight(doing, uids, seen)
    if sight.unmoved or not set(doing.plan.steps) <= {s for s in sight.steps if sight.is_true(s)}:
        return _under_way(sight)
    return (yield from _arrived(sight))


def drained(scope: Iterable[str]) -> dict[str, str]:
    """The nodes and their uids, as the approved scope has them."""
    found = (line.split() for line in scope)
    return {words[1]: words[2] for words in found if words[0] == "node" and len(words) == 3}


def _sight(doing: Doing, uids: Mapping[str, str], seen: Seen) -> Sight:
    there = {node.name: node for node in seen[NodeDetails(tuple(uids))]}
    nodes = {
        name: there[name] if name in there and there[name].target.uid == uid else None
        for name, uid in uids.items()
    }
    held: Any = seen.get(Budgets(), ())
    return Sight(
        doing, seen[reads.Now()], nodes, {name: seen[PodsOnNode(name)] for name in uids},
        () if isinstance(held, Gap) else held,
    )  # fmt: skip


def _unseen(doing: Doing, gap: Gap) -> Verdict:
    reason = f"what became of it cannot be seen: {gap.reason}"
    if not doing.is_over:
        return Verdict(Result.WAITING, waiting=(reason,))
    finding = Finding("drain.unseen", "Proof", Light.UNKNOWN, reason, mend=gap.mend)
    return Verdict(
        Result.PARTIAL, left=(reason,), findings=(finding,), summary="the result is unknown",
        suggestions=_next(doing),
    )  # fmt: skip


# --- Not all gone yet -----------------------------------------------------------------------------


def _under_way(sight: Sight) -> Verdict:
    waiting = tuple(_waiting(sight))
    if not sight.doing.is_over:
        return Verdict(Result.WAITING, sight.proved, waiting)
    left = tuple(_left(step, sight) for step in sight.steps if not sight.is_true(step))
    evicted = any(isinstance(step.effect, Evict) and sight.is_true(step) for step in sight.steps)
    whole = sum(isinstance(step.effect, Evict) for step in sight.steps)
    gone = whole - len(sight.unmoved)
    return Verdict(
        Result.PARTIAL if evicted else Result.FAILED,
        sight.proved, waiting, (*left, *_opened(sight)), _standing(sight, f"{gone} of {counted(whole, 'pod')} moved"),
        tuple(_foreign(sight)), _next(sight.doing),
    )  # fmt: skip


def _standing(sight: Sight, what: str) -> str:
    closed = [name for name, node in sight.nodes.items() if node is not None and node.unschedulable]
    why = " (cancelled)" if sight.doing.is_cancelled else ""
    stay = "stay" if closed[1:] else "stays"
    return f"{what}{why}" + (f"; {', '.join(closed)} {stay} closed to new pods" if closed else "")


def _waiting(sight: Sight) -> Iterable[str]:
    yield from _budget_lines(sight)
    ending = [pod for pod in sight.here.values() if pod.deleted is not None]
    for pod in sorted(ending, key=lambda pod: (pod.deleted or sight.now, pod.target.path))[:10]:
        yield f"{pod.target.path} is ending{_for(pod, sight.now)}"
    if len(ending) > 10:
        yield f"… and {len(ending) - 10} more pods are ending"
    yield from _opened(sight)


def _for(pod: PodDetail, now: datetime) -> str:
    """Its deletion was asked for one grace period before its deletionTimestamp."""
    assert pod.deleted is not None, "only of a pod that ends"
    asked = pod.deleted - timedelta(seconds=pod.grace)
    late = f", {span(now - pod.deleted)} over its time" if now > pod.deleted else ""
    return f"{age(asked, now)} (has {pod.grace} s{late})"


def _budget_lines(sight: Sight) -> Iterable[str]:
    marks = sight.doing.progress.marks
    waits: dict[str, list[Step]] = {}
    for step in sight.unmoved:
        mark = marks.get(step.key)
        if mark is not None and mark.standing is Standing.BLOCKED:
            waits.setdefault(step.lane, []).append(step)
    for lane, steps in waits.items():
        since = min(marks[step.key].at for step in steps)
        budget = next((each for each in sight.budgets if each.target.path == lane), None)
        if budget is None:
            yield f"{steps[0].effect.target.path}: {marks[steps[0].key].note}{age(since, sight.now)}"
            continue
        yield (
            f"Budget {lane} lets no pod go{age(since, sight.now)}: {budget.healthy} healthy, "
            f"{budget.desired} wanted; {counted(_queue(sight, lane), 'pod')} to go"
        )


def _queue(sight: Sight, lane: str) -> int:
    return sum(step.lane == lane for step in sight.unmoved)


def _left(step: Step, sight: Sight) -> str:
    pod = sight.here.get(step.effect.target.uid)
    mark = sight.doing.progress.marks.get(step.key)
    if pod is not None and pod.deleted is not None:
        return f"{pod.target.path}: still ending{_for(pod, sight.now)}"
    if mark is None:
        return f"{step.effect.target.path}: not tried"
    return f"{step.effect.target.path}: {mark.note or mark.standing.value}"


def _opened(sight: Sight) -> Iterable[str]:
    """Only once the plan's own closing was seen, or where it had nothing to close."""
    closing = {s.effect.target.name: s for s in sight.steps if isinstance(s.effect, Cordon)}
    for name in sight.open:
        step = closing.get(name)
        if step is None or sight.doing.progress.standing(step) is Standing.PROVED:
            yield f"{name} is open to new pods: somebody opened it meanwhile"


def _foreign(sight: Sight) -> Iterable[Finding]:
    others = [pod.target.path for pod in sight.others if pod.deleted is None]
    if others:
        value = f"{counted(len(others), 'pod')} on the node that the plan did not have"
        yield Finding("drain.foreign", "Other pods", Light.YELLOW, value, evidence=tuple(sorted(others)))


# --- All gone: is everything well? ----------------------------------------------------------------


def _arrived(sight: Sight) -> Generator[Reads, Seen, Verdict]:
    ending = tuple(pod for pod in sight.others if pod.deleted is not None)
    waiting = [f"{pod.target.path} is ending{_for(pod, sight.now)}" for pod in ending]
    wanted = _recovery_reads(sight)
    seen: Mapping[Read, Any] = (yield wanted) if wanted else {}
    waiting += _unwell(sight, seen)
    if not _has_settled(sight):
        waiting.append("looking whether what was moved is ready again")
    if waiting and not sight.doing.is_over:
        return Verdict(Result.WAITING, sight.proved, tuple(waiting))
    left = (*waiting, *(f"{path} is still here" for path in _staying(sight)), *_opened(sight))
    whole = counted(sum(isinstance(step.effect, Evict) for step in sight.steps), "pod")
    summary = f"{whole} moved" if whole[0] != "0" else "closed"
    gone = [
        f"{name} is no longer a node of the cluster" for name, node in sight.nodes.items() if node is None
    ]
    return Verdict(
        Result.PARTIAL if left else Result.SUCCEEDED,
        sight.proved, (), left, "; ".join((_standing(sight, summary), *gone)),
        (*_foreign(sight), *_uncounted(sight)),
        _next(sight.doing) if left else _undone(sight.doing),
    )  # fmt: skip


def _staying(sight: Sight) -> tuple[str, ...]:
    return tuple(sorted(pod.target.path for pod in sight.others if pod.deleted is None))


def _has_settled(sight: Sight) -> bool:
    marks = [sight.doing.progress.marks.get(step.key) for step in sight.steps]
    times = [mark.at for mark in marks if mark is not None and mark.standing is Standing.PROVED]
    return not marks or (len(times) == len(marks) and sight.now - max(times) >= SETTLING)


def _workloads(sight: Sight) -> dict[str, int]:
    """How many of each moved workload were ready before."""
    found = ((what, value.partition(" ")[0]) for what, value in sight.doing.plan.before)
    return {what: int(number) for what, number in found if number.isdecimal()}


def _recovery_reads(sight: Sight) -> Reads:
    kinds: dict[str, set[str]] = {}
    for name in _workloads(sight):
        kind, _, path = name.partition(" ")
        for read in _COUNTED.get(kind, _OPERATED):
            kinds.setdefault(read, set()).add(path.partition("/")[0])
    namespaces = scopes(each for held in kinds.values() for each in held)
    owners = tuple(Owners(kind, scope) for kind, held in sorted(kinds.items()) for scope in scopes(held))
    return (*owners, *(reads.Pods(namespace) for namespace in namespaces)) if owners else ()


def _uncounted(sight: Sight) -> Iterable[Finding]:
    """Moved workloads of which nobody knows how many were ready before."""
    lines = tuple(what for what, value in sight.doing.plan.before if value == UNCOUNTED)
    if lines:
        value = f"unknown of {counted(len(lines), 'workload')}: how many were ready before was not read"
        yield Finding("drain.uncounted", "Ready again", Light.UNKNOWN, value, evidence=lines)


def _unwell(sight: Sight, seen: Mapping[Read, Any]) -> list[str]:
    known = known_from(seen)
    ready: dict[str, int] = {}
    for view in known.known.values():
        ready[named(view)] = ready.get(named(view), 0) + view.ready
    lines = [f"{kind}s cannot be seen: {gap.reason}" for kind, gap in known.gaps.items()]
    for workload, before in _workloads(sight).items():
        wanted = known.replicas(workload)
        if wanted is None:
            continue  # it was deleted meanwhile, or is told of as a gap
        goal = min(before, wanted)
        if ready[workload] < goal:
            lines.append(f"{workload}: {ready[workload]} of {goal} ready")
    return lines + list(_crashing(sight, seen, known))


def _crashing(sight: Sight, seen: Mapping[Read, Any], known: Controllers) -> Iterable[str]:
    """Pods of what was moved that are younger than the drain and do not come up."""
    moved = {
        (view.target.namespace, f"{view.target.kind}/{view.target.name}")
        for view in known.known.values()
        if named(view) in _workloads(sight)
    }
    elapsed = sight.now - sight.doing.progress.started + timedelta(seconds=5)
    for read, survey in seen.items():
        if not isinstance(read, reads.Pods):
            continue
        if isinstance(survey, Gap):
            yield f"pods cannot be seen: {survey.reason}"
            continue
        for pod in survey.sick:
            is_new = (pod.namespace, pod.owner) in moved and pod.age <= elapsed
            if is_new and status_light(pod.status) is Light.RED:
                yield f"{pod.namespace}/{pod.name}: {pod.status}"


# --- What next ------------------------------------------------------------------------------------


def _next(doing: Doing) -> tuple[Suggestion, ...]:
    names = ",".join(drained(doing.plan.scope))
    flags = "".join(
        f" --{name} {value}" if value else f" --{name}"
        for name, value in sorted(doing.args.flags.items())
        if name in ("orphans", "emptydir", "grace", "timeout")
    )
    return (
        Suggestion("Drain again", f"node drain {names}{flags}"),
        *_undone(doing),
        Suggestion("Open an incident", f'incident declare "drain of {names} is stuck"'),
    )


def _undone(doing: Doing) -> tuple[Suggestion, ...]:
    return (Suggestion("Open to pods again", doing.plan.undo),) if doing.plan.undo else ()
