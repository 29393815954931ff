"""`deploy list`, `deploy show` and `deploy history`: what runs, in which version, since when and by whom."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from commands.command import Part, Parts
from commands.deploy import owners, references, risks, rollout
from commands.deploy.revisions import age, current, said_by, table
from commands.deploy.target import Found, kind, line, search
from commands.deploy.telling import told
from commands.differences import SAME, differences, environment, images_said
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Args, Gap, Inquiry, Section, Seen
from commands.phrase import counted, span
from commands.podreads import Events, EventView
from commands.site import ClusterSite
from commands.wording import KEPT, aligned, one_line, shown_and_kept, unread, worst_first
from commands.workloads import (
    Autoscalers,
    Members,
    MemberView,
    ReferredView,
    Revisions,
    RevisionView,
    Workloads,
    WorkloadView,
)

_STEPS = 11  # revisions between which differences are told
_ROWS = 25  # of a table in the thread; a longer one comes as a file


def namespace(args: Args, site: ClusterSite) -> str:
    """Where to look: "" for every namespace."""
    asked = args.flags.get("namespace", "") or site.namespaces.app
    return "" if asked == "all" else asked


# --- list -----------------------------------------------------------------------------------------


def listed(args: Args, site: ClusterSite) -> Parts:
    kind(args)  # refuses one that there is not
    where = args.flags.get("namespace", "") or site.namespaces.app
    return {"workloads": Part(f"Workloads · {where}", _list(args, site))}


def _list(args: Args, site: ClusterSite) -> Inquiry:
    where = namespace(args, site)
    asked = Workloads(where)
    seen = yield (asked,)
    found = seen[asked]
    title = f"Workloads · {where or 'all namespaces'}"
    if isinstance(found, Gap):
        return Section("workloads", title, True, (unread("deploy.list", "Workloads", found),))
    views = [each for each in found if _is_asked_for(each, args)]
    if not views:
        value = f"none named like {args.name}" if args.name else "none"
        return Section("workloads", title, True, (Finding("deploy.list", "Workloads", Light.YELLOW, value),))
    rows = [_row(view, with_namespace=not where) for view in sorted(views, key=_worst_first)]
    header = ("NAME", "KIND", "READY", "ROLLOUT", "IMAGES")
    shown, files = shown_and_kept(aligned(header, rows), _ROWS, "workloads.txt", title)
    return Section("workloads", title, True, (_counts(views),), attachments=files, table=shown)


def _is_asked_for(view: WorkloadView, args: Args) -> bool:
    return args.name.casefold() in view.target.name and kind(args) in ("", view.target.kind)


def _worst_first(view: WorkloadView) -> tuple[bool, str]:
    return (light(view) is Light.GREEN, view.target.path)


def light(view: WorkloadView) -> Light:
    """Red is for what nobody is there to do; what is asked to be nothing is well."""
    if view.replicas and not view.ready:
        return Light.RED
    is_well = view.ready >= view.replicas and rollout.stand(view).is_done and not view.is_paused
    return Light.GREEN if is_well else Light.YELLOW


def _counts(views: Sequence[WorkloadView]) -> Finding:
    lights = [light(view) for view in views]
    bad = [(light(view), f"{view.target}: {_said(view)}") for view in views if light(view) is not Light.GREEN]
    value = f"{lights.count(Light.GREEN)} of {len(views)} complete"
    first = next((view for view in views if light(view) is worst(lights)), views[0])
    offered = (Suggestion(f"Show {first.target.name}", line("show", first)),)
    return Finding(
        "deploy.list", "Workloads", worst(lights), value, evidence=worst_first(bad), suggestions=offered
    )


def _said(view: WorkloadView) -> str:
    words = [f"{view.ready} of {view.replicas} ready", rollout.stand(view).said]
    return ", ".join([*words, *(["paused"] if view.is_paused else [])])


def _row(view: WorkloadView, *, with_namespace: bool) -> tuple[str, ...]:
    return (
        view.target.path if with_namespace else view.target.name,
        view.target.kind,
        f"{view.ready}/{view.replicas}",
        "paused" if view.is_paused else "done" if rollout.stand(view).is_done else "under way",
        one_line(images_said(view.template), 100),
    )


# --- history --------------------------------------------------------------------------------------


def history(args: Args, site: ClusterSite) -> Parts:
    return {"history": Part(f"History · {args.name}", _history(args, site))}


def _history(args: Args, site: ClusterSite) -> Inquiry:
    found = yield from search(args, site)
    if isinstance(found, Finding):
        return _absent("history", f"History · {args.name}", found)
    view, asked = found.view, Revisions(found.view.target, found.view.selector)
    seen = yield (asked,)
    revisions = seen[asked]
    title = f"History · {view.target}"
    if isinstance(revisions, Gap):
        return Section("history", title, True, (unread("T1-4", "Revisions", revisions),))
    steps = tuple(_steps(revisions))
    whole = table(view, revisions, found.now)
    shown, files = shown_and_kept(whole, _ROWS, "history.txt", title)
    note = "BY: who wrote last, as far as the cluster remembers" if "BY" in whole[0].split() else ""
    findings = (_present(found, revisions), *steps)
    return Section("history", title, True, findings, note, attachments=files, table=shown)


def _present(found: Found, revisions: Sequence[RevisionView]) -> Finding:
    view, now = found.view, current(found.view, revisions)
    back = Suggestion("Roll back…", line("rollback", view))
    offered = (back,) if len(revisions) > 1 else ()
    if now is None:
        value = "the present template belongs to no revision that is kept"
        return Finding("T1-4", "Now", Light.YELLOW, value, suggestions=offered)
    by = said_by(view, now, now)
    value = f"revision {now.number}, made {age(now, found.now)}" + (f" by {by}" if by else "")
    return Finding("T1-4", "Now", Light.GREEN, value, suggestions=offered)


def _steps(revisions: Sequence[RevisionView]) -> list[Finding]:
    """What each revision changed against the one before it that is kept."""
    return [_step(older, newer) for newer, older in pairwise(revisions[:_STEPS])]


def _step(older: RevisionView, newer: RevisionView) -> Finding:
    label = f"{older.number or '?'} → {newer.number or '?'}"
    lines = differences(older.template, newer.template)
    if not lines:
        return Finding("T1-4", label, Light.GREEN, "the same template")
    gone = [line[2:] for line in lines if line.startswith("- ")]
    come = [line[2:] for line in lines if line.startswith("+ ")]
    if len(lines) == 3 and len(gone) == len(come) == 1:  # one field under the name of its group
        return Finding("T1-4", label, Light.GREEN, f"{gone[0]} → {come[0].partition(': ')[2]}")
    groups = [line.strip() for line in lines if line.startswith("  ") and not line.startswith(SAME)]
    told = tuple(line for line in lines if not line.startswith("  ")) or lines
    return Finding("T1-4", label, Light.GREEN, ", ".join(groups), evidence=told[:KEPT])


# --- show -----------------------------------------------------------------------------------------


def show(args: Args, site: ClusterSite) -> Parts:
    return {"workload": Part(f"Workload · {args.name}", _show(args, site))}


def _absent(key: str, title: str, why: Finding) -> Section:
    """To somebody who only looks, what was not read is unknown; only a plan is stopped by it."""
    is_unread = why.key == "deploy.unread"
    light = Light.UNKNOWN if is_unread else Light.YELLOW
    shown = Finding(
        why.key, why.label, light, why.value, "", why.evidence, None, why.suggestions, mend=why.mend
    )
    return Section(key, title, True, (shown,))


def _show(args: Args, site: ClusterSite) -> Inquiry:
    found = yield from search(args, site)
    if isinstance(found, Finding):
        return _absent("workload", f"Workload · {args.name}", found)
    view, space = found.view, found.view.target.namespace
    history, members = Revisions(view.target, view.selector), Members(space, view.selector)
    scalers, events = Autoscalers(space), Events(space, warnings=True)
    wants = references.references(view.template)
    seen = yield (history, members, scalers, events, *(each.read(space) for each in wants))
    revisions = seen[history]
    findings = (
        *risks.leaving(view),
        _rollout(found, revisions),
        _pods(found, revisions, seen[members]),
        *_events(view, seen[events], found.now),
        *references.judged(wants, space, seen),
        *_changed(found, revisions, wants, seen),
        *_scaled(view, seen[scalers]),
        *_keepers(view),
        *_conditions(found),
    )
    note = f"{rollout.strategy_said(view)} · {images_said(view.template)}"
    title = f"Workload · {view.target}"
    shown, files = shown_and_kept(
        environment(view.template), _ROWS, "settings.txt", f"Settings of {view.target}"
    )
    return Section("workload", title, True, findings, one_line(note, 300), attachments=files, table=shown)


def _rollout(found: Found, revisions: Sequence[RevisionView] | Gap) -> Finding:
    view, stand = found.view, rollout.stand(found.view)
    if isinstance(revisions, Gap):
        said = f"{stand.said}; its revisions were not read: {one_line(revisions.reason)}"
        return Finding("TF-1.3", "Rollout", Light.UNKNOWN, said, mend=revisions.mend)
    now = current(view, revisions)
    made = f"revision {now.number}, made {age(now, found.now)}" if now else "no revision that is kept"
    paused = "; paused" if view.is_paused else ""
    offered = [Suggestion("History", line("history", view))]
    if light(view) is not Light.GREEN and len(revisions) > 1:
        offered.append(Suggestion("Roll back…", line("rollback", view)))
    return Finding(
        "TF-1.3",
        "Rollout",
        light(view),
        f"{made}: {stand.said}{paused}",
        suggestions=tuple(offered),
    )


def _pods(found: Found, revisions: Any, members: Sequence[MemberView] | Gap) -> Finding:
    if isinstance(members, Gap):
        return unread("TF-1.3", "Pods", members)
    own = rollout.own(found.view, () if isinstance(revisions, Gap) else revisions, members)
    if isinstance(revisions, Gap):  # then nobody knows which ReplicaSets are its own
        own = list(members)
    bad = rollout.troubled(own, found.now)
    restarts = sum(each.restarts for each in own)
    value = f"{sum(each.is_ready for each in own)} of {len(own)} ready"
    value += f", {counted(restarts, 'restart')} in all" if restarts else ""
    lights = [rollout.member_light(each) for each in own] or [Light.GREEN]
    # A rollout that is stuck is not mended by starting its pods once more.
    is_stuck = not rollout.stand(found.view).is_done
    restart = (Suggestion("Restart…", line("restart", found.view)),) if bad and not is_stuck else ()
    return Finding("TF-1.3", "Pods", worst(lights), value, evidence=bad[:KEPT], suggestions=restart)


def _events(view: WorkloadView, events: Sequence[EventView] | Gap, now: datetime) -> tuple[Finding, ...]:
    """Warnings about it and what it made: their names begin with its own."""
    if isinstance(events, Gap):
        return (unread("TF-1.3", "Warnings", events),)
    name = view.target.name
    about = [each for each in events if each.name == name or each.name.startswith(f"{name}-")]
    if not about:
        return ()
    lines = tuple(_event(each, now) for each in reversed(about))
    value = (
        f"{counted(sum(each.count for each in about), 'warning')} in the cluster's memory of about an hour"
    )
    return (Finding("TF-1.3", "Warnings", Light.YELLOW, value, evidence=lines[:KEPT]),)


def _event(event: EventView, now: datetime) -> str:
    seen = f"{span(now - event.last)} ago: " if event.last else ""
    return f"{seen}{event.kind} {event.name} {event.reason}: {one_line(event.message)} ({event.count}x)"


def _changed(
    found: Found,
    revisions: Sequence[RevisionView] | Gap,
    wants: tuple[references.Reference, ...],
    seen: Seen,
) -> tuple[Finding, ...]:
    """What was written after the rollout, and is in force only where pods were started since."""
    now = None if isinstance(revisions, Gap) else current(found.view, revisions)
    if now is None or now.created is None:
        return ()
    changed = []
    for each in wants:
        answer: ReferredView | Gap = seen[each.read(found.view.target.namespace)]
        if not isinstance(answer, Gap) and answer.changed and answer.changed > now.created:
            changed.append(f"{each} was changed {span(found.now - answer.changed)} ago")
    if not changed:
        return ()
    said, lines = told(changed, "things were changed")
    value = f"since the rollout of revision {now.number}: {said}"
    return (Finding("TF-1.3", "Changed", Light.YELLOW, value, evidence=lines),)


def _scaled(view: WorkloadView, scalers: Any) -> tuple[Finding, ...]:
    if isinstance(scalers, Gap):
        return (owners.unread_autoscalers(scalers),)
    found = owners.autoscaler(view, scalers)
    if found is None:
        return ()
    is_full = found.now >= found.high
    value = owners.autoscaler_said(found) + (", at its maximum" if is_full else "")
    return (Finding("TF-1.3", "Autoscaler", Light.YELLOW if is_full else Light.GREEN, value),)


def _keepers(view: WorkloadView) -> tuple[Finding, ...]:
    kept = ", ".join(f"{each.name} ({each.sign})" for each in owners.keepers(view))
    return (Finding("TF-1.3", "Kept by", Light.GREEN, kept),) if kept else ()


def _conditions(found: Found) -> tuple[Finding, ...]:
    """Only what is not as it should be: the others say that all is well."""
    wrong = [
        f"{each.type} {each.status}: {each.reason} {one_line(each.message)}".strip()
        for each in found.view.conditions
        if (each.status != "True") is (each.type != "ReplicaFailure")
    ]
    if not wrong:
        return ()
    value, lines = told(wrong, "are not as they should be")
    return (Finding("TF-1.3", "Conditions", Light.YELLOW, value, evidence=lines),)
