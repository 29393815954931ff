"""`node drain`: move every pod off a node, one budget's turn after the other, and prove that they are gone.

The plan of one or several nodes: all are closed first, so that no pod hops onto the next one, then they are
emptied one after the other. Nothing here goes past a disruption budget.
"""

from collections.abc import Generator, Iterable
from dataclasses import replace
from datetime import timedelta

from commands import reads
from commands.change import Planning, Who, blocked
from commands.effects import Cordon, Evict
from commands.finding import Finding, Light
from commands.model import Args, Gap, Reads, Seen
from commands.node import availability, budgets, capacity, header, storage
from commands.node.cases import UNCOUNTED, Case, Kind, named
from commands.node.choice import Choice, choice, labelled
from commands.node.permission import held_to
from commands.node.scene import Scene, claims, evidence, further, pods_of, put_together
from commands.phrase import counted, mebibytes, millicores, span
from commands.plan import Plan, Step, Wave
from commands.scheduling import (
    AttachLimits,
    Backends,
    Budgets,
    NodeDetail,
    NodeDetails,
    Placements,
    PodsOnNode,
    Webhooks,
)
from commands.site import ClusterSite
from commands.wording import KEPT, unread

SHORTEST, LONGEST = timedelta(minutes=5), timedelta(hours=1)
# Every effect is asked for in a dry run up to this many; budgets are not counted there, so more say no more.
REHEARSED = 25


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    chosen = choice(args)
    title = f"Drain {args.name or args.flags.get('selector', '')}"
    first = yield (reads.Now(), NodeDetails(), Budgets(), *map(PodsOnNode, chosen.names))
    wrong = _wrong(chosen, first)
    if wrong:
        return blocked(title, wrong)
    targets = chosen.of(first[NodeDetails()])
    pods = yield from pods_of(first, targets)
    gaps = [held for held in pods.values() if isinstance(held, Gap)]
    if gaps:
        return blocked(title, (replace(unread("drain.unread", "Pods", gap), light=Light.RED) for gap in gaps))
    read = tuple(pod for held in pods.values() if not isinstance(held, Gap) for pod in held)
    second = yield further(read, site)
    made = _plan(put_together(site, chosen, who, first, targets, pods, second))
    if "dry-run" in args.flags and made.steps:
        return (yield from _rehearsed(made))
    return (yield from held_to(made, Cordon(targets[0].target, who.cause)))


def _wrong(chosen: Choice, seen: Seen) -> tuple[Finding, ...]:
    """What has to be known and is not: then nothing can be planned."""
    gaps = [(label, seen[read]) for label, read in (("Nodes", NodeDetails()), ("Budgets", Budgets()))]
    red = [
        replace(unread("drain.unread", label, gap), light=Light.RED)
        for label, gap in gaps
        if isinstance(gap, Gap)
    ]
    return tuple(red) or chosen.wrong(seen[NodeDetails()])


# --- Putting it together --------------------------------------------------------------------------


def _plan(scene: Scene) -> Plan:
    books = budgets.accounts(scene.all, scene.budgets)
    estimate = _estimate(scene, books)
    timeout = scene.chosen.timeout or min(max(2 * estimate, SHORTEST), LONGEST)
    found = (*_findings(scene, books), *_too_long(estimate, timeout))
    to_close = tuple(node for node in scene.targets if not node.unschedulable)
    names = ",".join(node.name for node in scene.targets)
    return Plan(
        title=f"Drain {', '.join(node.name for node in scene.targets)}",
        findings=_worst_first(found),
        waves=(*_closing(to_close, scene.who), *_emptying(scene, books)),
        facts=_facts(scene),
        stays=tuple(_stays(scene)),
        scope=_scope(scene),
        undo=f"node uncordon {','.join(node.name for node in to_close)}" if to_close else "",
        before=_before(scene),
        approvers=2 if any(each.kind is Kind.ORPHAN for each in scene.all) else 1,
        locks=(
            *(() if scene.site.drain.parallel else ("drain",)),
            *(f"node/{name}" for name in names.split(",")),
        ),
        nodes=labelled(scene.targets),
        estimate=estimate,
        timeout=timeout,
    )


def _findings(scene: Scene, books: budgets.Accounts) -> tuple[Finding, ...]:
    placements = scene.answer(Placements())
    backends = [answer for read, answer in scene.seen.items() if isinstance(read, Backends)]
    gap = next((each for each in backends if isinstance(each, Gap)), None)
    around = availability.Surroundings(
        scene.site, scene.known, scene.leaving, placements,
        gap or tuple(view for held in backends for view in held), scene.answer(Webhooks()),
    )  # fmt: skip
    sick = frozenset(node.name for node in scene.targets if node.ready != "True")
    where = () if isinstance(placements, Gap) else placements
    return (
        *_idle(scene),
        *(finding for node in scene.targets for finding in header.findings(node, scene.time)),
        *budgets.findings(books, budgets.Around(where, scene.known, sick)),
        *storage.findings(scene.all, scene.chosen, claims(scene), evidence(scene)),
        *availability.findings(scene.all, around),
        *capacity.findings(_crowd(scene), scene.all),
        *_stuck(scene),
        *_firing(scene),
    )


def _worst_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    order = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)
    return tuple(
        replace(f, evidence=f.evidence[:KEPT]) for f in sorted(found, key=lambda f: order.index(f.light))
    )


def _idle(scene: Scene) -> tuple[Finding, ...]:
    """Nothing to close and nobody to move is an answer, too."""
    if any(each.kind.is_moved for each in scene.all) or not all(node.unschedulable for node in scene.targets):
        return ()
    return (Finding("drain.done", "Drained", Light.GREEN, "closed already, and no pod is left to move"),)


def _crowd(scene: Scene) -> capacity.Crowded:
    limits = scene.answer(AttachLimits())
    scaler = scene.answer(reads.Deployment(scene.site.namespaces.system, scene.site.autoscaler.deployment))
    return capacity.Crowded(
        scene.nodes, scene.leaving, scene.answer(Placements()), claims(scene),
        limits or {}, scaler or None,
    )  # fmt: skip


def _stuck(scene: Scene) -> Iterable[Finding]:
    """A pod whose grace is long over waits for something that no eviction brings about."""
    ending = [each for each in scene.all if each.kind is Kind.TERMINATING]
    if isinstance(scene.now, Gap):
        if ending:
            yield unread("drain.stuck", "Stuck pods", scene.now)
        return
    late = [
        f"{each.path}: its time was over {span(scene.now - each.pod.deleted)} ago"
        for each in ending
        if each.pod.deleted and scene.now - each.pod.deleted > timedelta(minutes=1)
    ]
    if late:
        value = f"{counted(len(late), 'pod')} that should be gone already (a finalizer, or the kubelet)"
        yield Finding("drain.stuck", "Stuck pods", Light.YELLOW, value, evidence=tuple(late))


# --- The parts of the plan ------------------------------------------------------------------------


def _closing(nodes: tuple[NodeDetail, ...], who: Who) -> tuple[Wave, ...]:
    steps = tuple(
        Step(f"cordon {node.target.uid}", Cordon(node.target, who.cause), f"Close {node.name} to new pods")
        for node in nodes
    )
    return (Wave("Close to new pods", steps),) if steps else ()


def _emptying(scene: Scene, books: budgets.Accounts) -> Iterable[Wave]:
    for node in scene.targets:
        moved = [each for each in scene.cases[node.name] if each.kind.is_moved]
        moved.sort(key=lambda each: (books.turn(each).number, each.pod.priority, each.path))
        if moved:
            yield Wave(f"Empty {node.name}", tuple(_step(each, node, scene, books) for each in moved))


def _step(each: Case, node: NodeDetail, scene: Scene, books: budgets.Accounts) -> Step:
    turn = books.turn(each)
    grace = each.pod.grace if scene.chosen.grace is None else scene.chosen.grace
    kind, _, path = each.workload.partition(" ")
    owner = "" if kind == "Pod" else f" ({kind} {path.rpartition('/')[2]})"
    later = f", turn {turn.number}" if turn.number > 1 else ""
    asked = f"; budget {turn.lane.rpartition('/')[2]}{later}" if turn.lane else ""
    details = "; ".join((f"grace {grace} s", *_asks(each), *each.reasons))
    return Step(
        key=f"evict {each.pod.target.uid}",
        effect=Evict(each.pod.target, node.name, scene.chosen.grace),
        text=f"Evict {each.path}{owner}: {details}{asked}",
        lane=turn.lane,
    )


def _asks(each: Case) -> Iterable[str]:
    requests = each.pod.needs.requests
    if requests.get("cpu") or requests.get("memory"):
        yield f"asks for {millicores(requests.get('cpu', 0.0))}, {mebibytes(requests.get('memory', 0.0))}"
    if not each.pod.ready and each.kind is not Kind.FINISHED:
        yield f"{each.pod.phase}, not ready"


def _stays(scene: Scene) -> Iterable[str]:
    for each in scene.all:
        if not each.kind.is_moved:
            yield f"{each.path}: {'; '.join(each.reasons)}"


def _scope(scene: Scene) -> tuple[str, ...]:
    """What nothing makes anew is named one by one, and so is whose local data goes."""
    nodes = (f"node {node.name} {node.target.uid}" for node in scene.targets)
    lost = (each.pod.target for each in scene.all if each.kind is Kind.ORPHAN)
    orphans = sorted(f"{target} {target.uid}" for target in lost)
    kept = (each for each in scene.all if each.kind.is_moved and each.kind is not Kind.ORPHAN)
    workloads = sorted({each.workload for each in kept})
    moved = (each for each in scene.all if each.kind in (Kind.EVICT, Kind.ORPHAN))
    data = sorted({f"emptyDir of {each.workload}" for each in moved if each.pod.has_scratch})
    return (*nodes, *orphans, *workloads, *data, *scene.chosen.options)


_WHAT_BECOMES = {
    Kind.EVICT: "to move",
    Kind.ORPHAN: "that nothing makes anew",
    Kind.FINISHED: "finished",
    Kind.TERMINATING: "ending already",
    Kind.DAEMON: "of DaemonSets, which stay",
    Kind.MIRROR: "static, which stay",
}


def _facts(scene: Scene) -> tuple[str, ...]:
    heads = (line for node in scene.targets for line in header.facts(node, scene.time))
    numbers = {kind: sum(each.kind is kind for each in scene.all) for kind in Kind}
    pods = ", ".join(f"{number} {_WHAT_BECOMES[kind]}" for kind, number in numbers.items() if number)
    placements = scene.answer(Placements())
    where = () if isinstance(placements, Gap) else placements
    return (
        *heads,
        f"{counted(len(scene.all), 'pod')}" + (f": {pods}" if pods else ""),
        *budgets.idle(scene.budgets, scene.all, where),
        *map(header.identity, scene.targets),
    )


def _firing(scene: Scene) -> Iterable[Finding]:
    """Somebody may be at work on something worse already."""
    for read, answer in scene.seen.items():
        if not isinstance(read, reads.Query):
            continue
        if isinstance(answer, Gap):
            yield unread("drain.alerts", "Alerts", answer)
        elif answer.samples:
            names = sorted(sample.labels.get("alertname", "?") for sample in answer.samples)
            value = f"{counted(len(names), 'critical alert')} firing now"
            yield Finding("drain.alerts", "Alerts", Light.YELLOW, value, evidence=tuple(names))


def _before(scene: Scene) -> tuple[tuple[str, str], ...]:
    """How the nodes were, and how many of each workload were ready: the proof compares with that."""
    nodes = ((f"Node {node.name}", "closed" if node.unschedulable else "open") for node in scene.targets)
    moved = {each.workload for each in scene.all if each.kind is Kind.EVICT and not each.is_of_a_job}
    ready: dict[str, int] = {}
    for view in scene.known.known.values():
        if named(view) in moved:
            ready[named(view)] = ready.get(named(view), 0) + view.ready
    counts = ((name, f"{ready[name]} ready" if name in ready else UNCOUNTED) for name in sorted(moved))
    return (*nodes, *counts)


def _estimate(scene: Scene, books: budgets.Accounts) -> timedelta:
    """Each turn waits for the longest grace, and, when another follows, for the replacements to be ready."""
    whole = timedelta()
    for held in scene.cases.values():
        moved = [each for each in held if each.kind.is_moved]
        if not moved:
            continue
        turns = max(books.turn(each).number for each in moved)
        own = scene.chosen.grace
        grace = timedelta(seconds=max(each.pod.grace if own is None else own for each in moved))
        whole += turns * grace + turns * availability.startup(moved)
    ends = [each.pod.deleted for each in scene.all if each.kind is Kind.TERMINATING and each.pod.deleted]
    if ends and scene.time:
        whole = max(whole, max(ends) - scene.time)
    return whole or timedelta(seconds=10)


def _too_long(estimate: timedelta, timeout: timedelta) -> Iterable[Finding]:
    if estimate > timeout:
        value = f"takes about {span(estimate)}, and is given up after {span(timeout)}"
        mend = "give it a longer --timeout, or drain fewer nodes at a time"
        yield Finding("drain.time", "Time", Light.YELLOW, value, mend=mend)


def _rehearsed(made: Plan) -> Generator[Reads, Seen, Plan]:
    asked = made.steps[:REHEARSED]
    seen = yield tuple(reads.DryRun(step.effect) for step in asked)
    lines = [
        f"{len(asked)} of {counted(len(made.steps), 'step')} tried without effect; budgets are not counted"
    ]
    for step in asked:
        answer = seen[reads.DryRun(step.effect)]
        if isinstance(answer, Gap):
            lines.append(f"{step.effect.target}: unknown, {answer.reason}")
            continue
        word = "would be taken" if answer.would else "would be refused"
        lines.append(": ".join(each for each in (str(step.effect.target), word, answer.said) if each))
        lines.extend(f"{step.effect.target}: warning: {warning}" for warning in answer.warnings)
    return replace(made, rehearsal=tuple(lines))
