"""`node cordon` and `node uncordon`: close a node to new pods, and open it again.

What runs there goes on. Opening clears the bot's own note and nobody else's taint. Both ask for the same
approval, and what is so already is left as it is.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from commands import reads
from commands.change import Doing, Planning, Verifying, Who, blocked
from commands.effects import Cordon, Uncordon
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap
from commands.node import capacity, header
from commands.node.choice import choice, labelled
from commands.node.permission import held_to
from commands.phrase import counted
from commands.plan import Plan, Result, Step, Verdict, Wave
from commands.scheduling import NodeDetail, NodeDetails, Placements
from commands.site import ClusterSite
from commands.wording import unread

_WAVES = {"cordon": "Close to new pods", "uncordon": "Open to new pods"}


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    chosen = choice(args)
    title = f"{args.verb.capitalize()} {args.name or args.flags.get('selector', '')}"
    closing = args.verb == "cordon"
    wanted = (reads.Now(), NodeDetails(), *((Placements(),) if closing else ()))
    seen = yield wanted
    nodes = seen[NodeDetails()]
    if isinstance(nodes, Gap):
        return blocked(title, (replace(unread("node.unread", "Nodes", nodes), light=Light.RED),))
    wrong = chosen.wrong(nodes)
    if wrong:
        return blocked(title, wrong)
    now = None if isinstance(seen[reads.Now()], Gap) else seen[reads.Now()]
    targets = chosen.of(nodes)
    if closing:
        made = _closing(title, targets, now, who)
        made = replace(made, findings=_closing_findings(nodes, targets, seen[Placements()], now))
    else:
        made = _opening(title, targets, now)
    return (yield from held_to(made, made.steps[0].effect)) if made.steps else made


def _closing(title: str, targets: tuple[NodeDetail, ...], now: datetime | None, who: Who) -> Plan:
    to_close = tuple(node for node in targets if not node.unschedulable)
    steps = tuple(
        Step(f"cordon {node.target.uid}", Cordon(node.target, who.cause), f"Close {node.name} to new pods")
        for node in to_close
    )
    return replace(
        _framed(title, targets, now, "cordon", steps),
        undo=f"node uncordon {','.join(node.name for node in to_close)}" if to_close else "",
    )


def _opening(title: str, targets: tuple[NodeDetail, ...], now: datetime | None) -> Plan:
    to_open = tuple(node for node in targets if node.unschedulable)
    steps = tuple(
        Step(f"uncordon {node.target.uid}", Uncordon(node.target), f"Open {node.name} to new pods")
        for node in to_open
    )
    return replace(
        _framed(title, targets, now, "uncordon", steps),
        findings=tuple(_opening_findings(targets, now)),
        undo=f"node cordon {','.join(node.name for node in to_open)}" if to_open else "",
    )


def _framed(
    title: str, targets: tuple[NodeDetail, ...], now: datetime | None, verb: str, steps: tuple[Step, ...]
) -> Plan:
    return Plan(
        title=title,
        waves=(Wave(_WAVES[verb], steps),) if steps else (),
        facts=(
            *(line for node in targets for line in header.facts(node, now)),
            *(header.identity(node) for node in targets if verb == "cordon"),
        ),
        scope=tuple(f"node {node.name} {node.target.uid}" for node in targets),
        before=tuple((str(node.target), "closed" if node.unschedulable else "open") for node in targets),
        locks=tuple(f"node/{node.name}" for node in targets),
        nodes=labelled(targets),
    )


def _closing_findings(
    nodes: tuple[NodeDetail, ...],
    targets: tuple[NodeDetail, ...],
    placements: object,
    now: datetime | None,
) -> tuple[Finding, ...]:
    already = tuple(
        Finding("cordon.already", node.name, Light.GREEN, f"closed already {header.closed_by(node)}")
        for node in targets
        if node.unschedulable
    )
    if len(already) == len(targets):
        return already
    others = (finding for node in targets for finding in header.findings(node, now))
    actors = (finding for finding in others if finding.key == "node.actor")
    return (*already, *actors, _room(nodes, targets, placements))


def _room(nodes: tuple[NodeDetail, ...], targets: tuple[NodeDetail, ...], placements: object) -> Finding:
    if isinstance(placements, Gap):
        return unread("cordon.spare-unread", "Room elsewhere", placements)
    assert isinstance(placements, tuple), "the answer of Placements"
    return capacity.spare(nodes, frozenset(node.name for node in targets), placements)


def _opening_findings(targets: tuple[NodeDetail, ...], now: datetime | None) -> Iterable[Finding]:
    for node in targets:
        if not node.unschedulable:
            yield Finding("uncordon.already", node.name, Light.GREEN, "open already")
            continue
        value = f"closed {header.closed_by(node)}; kubelet {node.kubelet or 'unknown'}"
        yield Finding("uncordon.closed", node.name, Light.GREEN, value)
        if node.ready != "True":
            value = f"{header.readiness(node, now)}: open or not, no pod is put there"
            yield Finding(
                "uncordon.unready", node.name, Light.YELLOW, value, evidence=(node.ready_reason,),
                suggestions=(Suggestion("Look at it", f"node show {node.name}"),),
            )  # fmt: skip
        taints = tuple(str(taint) for taint in node.taints if not taint.key.endswith("/unschedulable"))
        if taints:
            value = f"{counted(len(taints), 'taint')} that stay and keep pods off"
            yield Finding("uncordon.taints", node.name, Light.YELLOW, value, evidence=taints)


# --- Proof ----------------------------------------------------------------------------------------


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    if not doing.plan.steps:
        return Verdict(Result.SUCCEEDED, summary="there was nothing left to do")
    names = tuple(step.effect.target.name for step in doing.plan.steps)
    seen = yield (NodeDetails(names),)
    nodes = seen[NodeDetails(names)]
    if isinstance(nodes, Gap):
        reason = f"the nodes cannot be seen: {nodes.reason}"
        if not doing.is_over:
            return Verdict(Result.WAITING, waiting=(reason,))
        finding = Finding("node.unseen", "Proof", Light.UNKNOWN, reason, mend=nodes.mend)
        return Verdict(Result.PARTIAL, left=(reason,), summary="the result is unknown", findings=(finding,))
    there = {node.target.uid: node for node in nodes}
    proved = tuple(step.key for step in doing.plan.steps if _is_true(step, there.get(step.effect.target.uid)))
    missing = tuple(s for s in doing.plan.steps if s.key not in proved)
    if not missing:
        return _well(doing, proved)
    lines = tuple(_missing(step, doing, step.effect.target.uid in there) for step in missing)
    if not doing.is_over:
        return Verdict(Result.WAITING, proved, lines)
    retry = Suggestion("Again", f"node {doing.args.verb} {','.join(s.effect.target.name for s in missing)}")
    return Verdict(
        Result.PARTIAL if proved else Result.FAILED,
        proved, (), lines, f"{len(proved)} of {counted(len(doing.plan.steps), 'node')} done", (), (retry,),
    )  # fmt: skip


def _is_true(step: Step, node: NodeDetail | None) -> bool:
    return node is not None and node.unschedulable == isinstance(step.effect, Cordon)


def _missing(step: Step, doing: Doing, is_there: bool) -> str:
    name = step.effect.target.name
    if not is_there:
        return f"{name}: no longer a node of the cluster"
    mark = doing.progress.marks.get(step.key)
    return f"{name}: {mark.note or mark.standing.value}" if mark is not None else f"{name}: not tried"


def _well(doing: Doing, proved: tuple[str, ...]) -> Verdict:
    names = [step.effect.target.name for step in doing.plan.steps]
    take = "take" if names[1:] else "takes"
    said = f"{take} no new pods" if doing.args.verb == "cordon" else f"{take} pods again"
    back = (Suggestion("Undo", doing.plan.undo),) if doing.plan.undo else ()
    return Verdict(Result.SUCCEEDED, proved, summary=f"{', '.join(names)} {said}", suggestions=back)
