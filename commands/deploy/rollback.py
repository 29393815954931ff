"""The plan of `deploy rollback`: to which revision, what that changes, and what it may break.

The number is fixed here, never "the one before": an approval is for this revision and no other. Only the pod
template goes back; replicas, strategy, selector, annotations and volume claims stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.change import Planning, Who, blocked
from commands.deploy import owners, readiness, references, risks, rollout, room
from commands.deploy.revisions import age, apart_from_restarts, before, current, lines, numbered, said_by
from commands.deploy.target import Found, checked, line, search
from commands.differences import differences, images_said
from commands.effects import RollBack
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Reads, Seen
from commands.phrase import counted
from commands.plan import Plan, Step, Wave
from commands.reads import DryRun, Vector
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.wording import one_line, unread
from commands.workloads import (
    Autoscalers,
    AutoscalerView,
    Members,
    Quotas,
    Revisions,
    RevisionView,
    WorkloadView,
)

_STAYS = (
    "replicas, strategy, selector and autoscaler",
    "annotations, but for kubernetes.io/change-cause, which names this change",
)


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where: `now` is None where no revision kept means the present template."""

    found: Found
    revisions: tuple[RevisionView, ...]
    now: RevisionView | None
    to: RevisionView

    @property
    def view(self) -> WorkloadView:
        return self.found.view

    def effect(self, who: Who) -> RollBack:
        return RollBack(
            self.view.target,
            self.to.number,
            self.to.source,
            template_hash(self.view.template),
            template_hash(self.to.template),
            f"rollback to revision {self.to.number} {who.cause}",
        )


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    checked(args)
    found = yield from search(args, site)
    if isinstance(found, Finding):
        return blocked(f"Roll back {args.name}", (found,))
    view = found.view
    title = f"Roll back {view.target}"
    about = _about(view)
    seen = yield about.reads
    revisions = seen[about.revisions]
    stops = (*risks.leaving(view), *risks.paused(view))
    if isinstance(revisions, Gap):
        value = f"its revisions were not read: {one_line(revisions.reason)}"
        return blocked(
            title, (*stops, Finding("rollback.unread", "Revisions", Light.RED, value, mend=revisions.mend))
        )
    way = _way(args, found, revisions)
    if isinstance(way, Finding):
        return blocked(title, (*stops, way))
    wants, images = references.references(way.to.template), risks.image_reads(site, way.to.template)
    rehearsal, ready = DryRun(way.effect(who)), readiness.queries(site, way.to, revisions)
    space = view.target.namespace
    extra = rollout.margins(view).surge if way.to.source.kind == "ReplicaSet" else 0
    needed = room.reads(way.to.source, extra)
    more = yield (rehearsal, *(each.read(space) for each in wants), *images, *ready, *needed)
    counts = [more[query] for query in ready]
    refused, said = risks.rehearsed(rehearsal, more)
    findings = (
        *stops,
        *_breaks(way, about, seen),
        *references.judged(wants, space, more),
        *risks.image_findings(images, more),
        *room.findings(way.to.source, extra, "while it rolls out", more),
        *readiness.findings(way.to, counts),
        *refused,
        _candidates(way, counts),
    )
    facts = (*_facts(way, seen[about.autoscalers]), *readiness.facts(way.to, counts))
    return _whole(way, rehearsal.effect, findings, said, facts)


@dataclass(frozen=True, slots=True)
class _About:
    revisions: Revisions
    members: Members
    autoscalers: Autoscalers
    quotas: Quotas

    @property
    def reads(self) -> Reads:
        return (self.revisions, self.members, self.autoscalers, self.quotas)


def _about(view: WorkloadView) -> _About:
    space = view.target.namespace
    return _About(
        Revisions(view.target, view.selector),
        Members(space, view.selector),
        Autoscalers(space),
        Quotas(space),
    )


# --- Where to -------------------------------------------------------------------------------------


def _way(args: Args, found: Found, revisions: tuple[RevisionView, ...]) -> Way | Finding:
    view = found.view
    now = current(view, revisions)
    number = int(args.flags.get("to-revision") or 0)
    to = numbered(number, revisions) if number else before(now, revisions)
    if to is None:
        return _not_kept(view, number, now, revisions) if number else _no_history(view, revisions)
    if template_hash(to.template) == template_hash(view.template):
        value = f"revision {to.number} is what {view.target} runs already"
        return Finding("rollback.identical", "Nothing to do", Light.GREEN, value)
    return Way(found, revisions, now, to)


def _no_history(view: WorkloadView, revisions: Sequence[RevisionView]) -> Finding:
    if view.history_limit == 0:
        value, mend = (
            "its revisionHistoryLimit is 0, so no earlier revision is kept",
            "Set revisionHistoryLimit.",
        )
    elif len(revisions) > 1:
        value, mend = "no revision but the present one bears a number", ""
    else:
        value, mend = "there is no revision before the present one", ""
    return Finding("rollback.none", "No history", Light.RED, value, mend=mend)


def _not_kept(
    view: WorkloadView, number: int, now: RevisionView | None, revisions: Sequence[RevisionView]
) -> Finding:
    kept = [f"{each.number} (now)" if each is now else str(each.number) for each in revisions if each.number]
    others = [each.number for each in revisions if each is not now and each.number][:3]
    return Finding(
        "rollback.gap",
        "Not kept",
        Light.RED,
        f"there is no revision {number}; kept are {', '.join(kept) or 'none'}",
        suggestions=tuple(
            Suggestion(f"To {each}", line("rollback", view, to_revision=str(each))) for each in others
        ),
    )


# --- What it may break ----------------------------------------------------------------------------


def _breaks(way: Way, about: _About, seen: Seen) -> tuple[Finding, ...]:
    view, members, scalers = way.view, seen[about.members], seen[about.autoscalers]
    pods = members if isinstance(members, Gap) else rollout.own(view, way.revisions, members)
    extra = rollout.margins(view).surge
    return (
        *owners.findings(view),
        *_no_undo(way),
        *_only_restarted(way),
        *risks.on_delete(view, Light.YELLOW),
        *risks.stall(view, pods, way.found.now),
        *_unread_pods(members),
        *risks.outage(view),
        *risks.quota(seen[about.quotas], extra, risks.asked(way.to.template), "while it rolls out"),
        *_base_changes(way, scalers),
    )


def _unread_pods(members: object) -> tuple[Finding, ...]:
    return (unread("deploy.pods", "Pods", members),) if isinstance(members, Gap) else ()


def _no_undo(way: Way) -> tuple[Finding, ...]:
    if way.now is not None and way.now.number:
        return ()
    value = "no revision is kept of the present template, so this cannot be undone by the bot"
    return (Finding("rollback.undo", "No undo", Light.YELLOW, value),)


def _only_restarted(way: Way) -> tuple[Finding, ...]:
    """A restart makes a revision, too, and so is what one step back undoes."""
    same = apart_from_restarts(way.view.template)
    if apart_from_restarts(way.to.template) != same:
        return ()
    other = next((r for r in way.revisions if r.number and apart_from_restarts(r.template) != same), None)
    value = f"revision {way.to.number} differs in the time of a restart only"
    offered: tuple[Suggestion, ...] = ()
    if other is not None:
        value += f"; the newest that differs in more is {other.number}"
        offered = (
            Suggestion(f"To {other.number}", line("rollback", way.view, to_revision=str(other.number))),
        )
    return (Finding("rollback.restart", "Same version", Light.YELLOW, value, suggestions=offered),)


def _base_changes(way: Way, scalers: Sequence[AutoscalerView] | Gap) -> tuple[Finding, ...]:
    """An autoscaler measures use against requests; other requests are another number of pods."""
    if isinstance(scalers, Gap):
        return (owners.unread_autoscalers(scalers),)
    found = owners.autoscaler(way.view, scalers)
    if found is None or _requests(way.view.template) == _requests(way.to.template):
        return ()
    value = f"requests differ, so HPA {found.name} will want another number of pods"
    return (Finding("rollback.hpa", "Autoscaler", Light.YELLOW, value),)


def _requests(template: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in risks.asked(template).items() if key.startswith("requests.")}


# --- How it is shown ------------------------------------------------------------------------------


def _candidates(way: Way, counts: Sequence[Vector | Gap]) -> Finding:
    now = str(way.now.number) if way.now else "a template of no revision"
    rows = readiness.marked(lines(way.view, way.revisions, way.found.now), way.revisions, counts)
    value = f"{now} → {way.to.number}, of {len(way.revisions)} kept"
    return Finding("rollback.candidates", "Revisions", Light.GREEN, value, evidence=rows)


def _facts(way: Way, scalers: Sequence[AutoscalerView] | Gap) -> tuple[str, ...]:
    view = way.view
    found = None if isinstance(scalers, Gap) else owners.autoscaler(view, scalers)
    return (
        *(f"{word} {_described(way, each)}" for word, each in (("from", way.now), ("to", way.to)) if each),
        f"{view.ready} of {counted(view.replicas, 'pod')} ready" + _unfinished(view),
        rollout.strategy_said(view),
        *((owners.autoscaler_said(found),) if found else ()),
    )


def _unfinished(view: WorkloadView) -> str:
    """How far the rollout is that this one ends."""
    stand = rollout.stand(view)
    return "" if stand.is_done else f"; {stand.said}"


def _described(way: Way, revision: RevisionView) -> str:
    by = said_by(way.view, revision, way.now)
    parts = (
        f"revision {revision.number}, made {age(revision, way.found.now)}",
        f"by {by}" if by else "",
        f"change-cause: {one_line(revision.cause)}" if revision.cause else "",
    )
    return ", ".join(part for part in parts if part)


def _whole(
    way: Way, effect: Any, findings: tuple[Finding, ...], said: tuple[str, ...], facts: tuple[str, ...]
) -> Plan:
    view, target = way.view, way.view.target
    step = Step(f"roll-back {target}", effect, f"put the pod template of revision {way.to.number} back")
    claims = ("volume claims and what is in them",) if view.claims else ()
    number = way.now.number if way.now else 0
    return Plan(
        title=f"Roll back {target} to revision {way.to.number}",
        findings=findings,
        waves=(Wave("Roll back", (step,)),),
        facts=facts,
        stays=(*_STAYS, *claims),
        diff=differences(view.template, way.to.template),
        scope=(
            f"{target} template {template_hash(view.template)}",
            f"to revision {way.to.number} {template_hash(way.to.template)}",
        ),
        undo=line("rollback", view, to_revision=str(number)) if number else "",
        before=(("revision", str(number or "unknown")), ("images", images_said(view.template))),
        locks=(view.lock,),
        rehearsal=said,
        estimate=rollout.estimate(view),
        timeout=rollout.timeout(view),
    )
