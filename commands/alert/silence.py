"""`alert silence`: hide alerts for a while, after a look at what that would hide now.

A change like any other (plan, confirm, apply, verify), which its requester may confirm. How long it lasts counts from
the confirmation: the plan is made anew then, and with it the time at which the silence ends. A repeated effect makes
no second silence (workers/silencing.py).
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from commands import silences
from commands.alert import selection
from commands.alert.selection import Wanted
from commands.alertreads import AmAlert, AmAlerts, GroupOf, Silences, SilenceView
from commands.alertroutes import severity_of
from commands.change import Change, Doing, Planning, Verifying, Who, blocked
from commands.command import Command, Flag, Parts
from commands.effects import Silence, Target
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.matchers import Matcher
from commands.model import AlertGroup, Args, Gap, Severity
from commands.phrase import counted, span
from commands.plan import Plan, Result, Standing, Step, Verdict, Wave
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import one_line

SHOWN, MANY = 10, 20

_KEY = "alert.silence"


def check(args: Args, site: ClusterSite) -> Parts:
    """What can be refused before anything is read."""
    selection.wanted(args)
    if not args.flags.get("why"):
        raise UsageError("Say why, for those who wonder where the alert is: add `--why TEXT`.")
    return {}


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    want = selection.wanted(args)
    chosen = want.matchers
    here: tuple[Matcher, ...] = ()
    title = f"Silence {args.name if want.group else _written(chosen)}"
    if want.group:
        group = (yield (GroupOf(want.group),))[GroupOf(want.group)]
        problem = _not_here(want.group, group, site)
        if problem:
            return blocked(title, (problem,))
        title = f"Silence {group.name}"
        here = _of_cluster(group, site.alerts.cluster_label)
        chosen = tuple(dict.fromkeys((*selection.of_group(group), *want.matchers)))
    if not any(map(selection.narrows, chosen)):
        return blocked(title, (_too_wide(chosen),))
    chosen = tuple(dict.fromkeys((*chosen, *here)))
    found = AmAlerts(tuple(map(str, chosen)))
    seen = yield (found, Silences(), Now())
    gaps = [seen[read] for read in (found, Silences(), Now()) if isinstance(seen[read], Gap)]
    if gaps:
        return blocked(title, (_unread(gap) for gap in gaps))
    findings = (*_preview(seen[found], site), *_covered(seen[found], seen[Silences()]))
    return _made(title, want, chosen, findings, seen[found], seen[Now()], who)


def _of_cluster(group: AlertGroup, label: str) -> tuple[Matcher, ...]:
    """The cluster that all its alerts name: an Alertmanager that serves several has the same alert of another one."""
    named = {alert.labels.get(label, "") for alert in group.alerts}
    return tuple(Matcher(label, "=", value) for value in named if len(named) == 1 and value)


def _made(
    title: str,
    want: Wanted,
    chosen: tuple[Matcher, ...],
    findings: tuple[Finding, ...],
    alerts: tuple[AmAlert, ...],
    now: datetime,
    who: Who,
) -> Plan:
    until = now + want.length
    effect = Silence(
        target=Target("Silence", selection.namespace(chosen), who.request, ""),
        matchers=tuple(map(str, chosen)),
        until=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        by=who.user,
        request=who.request,
        why=who.why,
    )
    said = f"hide what {_written(chosen)} finds, for {span(want.length)} from the confirmation on"
    active = sum(alert.state == "active" for alert in alerts)
    return Plan(
        title,
        findings,
        waves=(
            Wave("Silence", (Step("silence", effect, f"{said} (until {until:%H:%M} UTC if that is now)"),)),
        ),
        facts=(f"matchers: {_written(chosen)}",),
        stays=(
            "what fires later and is found by these matchers is hidden as well",
            "Prometheus goes on evaluating; an alert that still fires when the silence ends is told again",
        ),
        scope=(*map(str, chosen), f"for {span(want.length)}"),
        undo=f"alert unsilence {who.request}",
        before=(("alerts found", f"{len(alerts)}, of which {active} active"),),
    )


# --- What speaks against it -----------------------------------------------------------------------


def _not_here(id: str, group: AlertGroup | Gap | None, site: ClusterSite) -> Finding | None:
    if isinstance(group, Gap):
        return _unread(group)
    if group is None:
        value = f"the store has no alert {id} (any more)"
        return Finding(f"{_KEY}.group", "Alert", Light.RED, value)
    if group.cluster and group.cluster != site.name:
        value = f"it is of cluster {group.cluster}, and this is {site.name}"
        return Finding(f"{_KEY}.cluster", "Cluster", Light.RED, value, mend=f"add --cluster {group.cluster}")
    return None


def _too_wide(chosen: tuple[Matcher, ...]) -> Finding:
    value = (
        f"{_written(chosen) or 'no matcher at all'} finds everything: that would hide every alert there is"
    )
    mend = 'name what to hide: alertname="…", namespace="…"'
    return Finding(f"{_KEY}.everything", "Matchers", Light.RED, value, mend=mend)


def _unread(gap: Gap) -> Finding:
    value = f"unknown: {one_line(gap.reason)}"
    return Finding(f"{_KEY}.unread", "Alertmanager", Light.RED, value, mend=gap.mend)


def _preview(alerts: tuple[AmAlert, ...], site: ClusterSite) -> tuple[Finding, ...]:
    """What it finds now, counted, and what of that wants a second look."""
    if not alerts:
        value = "nothing that fires now: only what fires later would be hidden"
        return (Finding(f"{_KEY}.none", "Finds", Light.YELLOW, value),)
    names = Counter(alert.labels.get("alertname", "") for alert in alerts)
    lines = [f"{_labels(alert)}{_state(alert)}" for alert in alerts[:SHOWN]]
    more = [f"and {len(alerts) - SHOWN} more: {_counts(alerts)}"] if len(alerts) > SHOWN else []
    found = [Finding(f"{_KEY}.finds", "Finds", Light.GREEN, _counts(alerts), evidence=(*lines, *more))]
    critical = [a for a in alerts if severity_of(site.alerts, a.labels) is Severity.CRITICAL]
    if critical:
        value = f"{counted(len(critical), 'critical alert')} would be hidden, too"
        evidence = tuple(map(_labels, critical[:SHOWN]))
        found.append(Finding(f"{_KEY}.critical", "Critical", Light.YELLOW, value, evidence=evidence))
    if len(names) > 1:
        value = f"{len(names)} different alerts: {_tally(names)}"
        found.append(Finding(f"{_KEY}.names", "Several", Light.YELLOW, value))
    if len(alerts) > MANY:
        found.append(Finding(f"{_KEY}.many", "Many", Light.YELLOW, f"{len(alerts)} alerts at once"))
    return tuple(found)


def _covered(alerts: tuple[AmAlert, ...], known: tuple[SilenceView, ...]) -> tuple[Finding, ...]:
    """Silences that hide some of it already."""
    used = Counter(id for alert in alerts for id in alert.silenced_by)
    lines = [f"{_named(each)}: {used[each.id]} of {len(alerts)}" for each in known if each.id in used]
    if not lines:
        return ()
    value = f"hidden already by {counted(len(lines), 'silence')}"
    is_all = all(alert.silenced_by for alert in alerts)
    light = Light.YELLOW if is_all else Light.GREEN
    return (
        Finding(f"{_KEY}.already", "All of it" if is_all else "Some", light, value, evidence=tuple(lines)),
    )


def _named(silence: SilenceView) -> str:
    said = f": {one_line(silence.comment, 80)}" if silence.comment else ""
    return f"{silence.id[:8]} until {silence.ends_at:%d %b %H:%M} UTC by {one_line(silence.created_by, 40)}{said}"


def _counts(alerts: Iterable[AmAlert]) -> str:
    counts = Counter(
        f"{a.labels.get('alertname', '')} in {a.labels.get('namespace') or 'no namespace'}" for a in alerts
    )
    return f"{counted(counts.total(), 'alert')}: {_tally(counts)}"


def _tally(counts: Counter[str]) -> str:
    said = ", ".join(f"{count} × {name}" if count > 1 else name for name, count in counts.most_common(5))
    return f"{said} and {len(counts) - 5} more" if len(counts) > 5 else said


def _labels(alert: AmAlert) -> str:
    own = (f"{label}={value}" for label, value in sorted(alert.labels.items()) if label != "alertname")
    return one_line(f"{alert.labels.get('alertname', '')} {' '.join(own)}")


def _state(alert: AmAlert) -> str:
    if alert.silenced_by:
        return " (silenced already)"
    return " (inhibited)" if alert.inhibited_by else ""


def _written(chosen: tuple[Matcher, ...]) -> str:
    return " ".join(map(str, chosen))


# --- Proof ----------------------------------------------------------------------------------------


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    step = doing.plan.steps[0]
    effect = step.effect
    assert isinstance(effect, Silence)
    if doing.progress.standing(step) is Standing.FAILED:
        return _failed(doing, step)
    found = AmAlerts(effect.matchers)
    seen = yield (Silences(), found)
    known, alerts = seen[Silences()], seen[found]
    gap = next((each for each in (known, alerts) if isinstance(each, Gap)), None)
    if gap is not None:
        return _waiting(doing, f"Alertmanager cannot be asked: {gap.reason}")
    own = next((s for s in known if silences.request_of(s.comment) == effect.request), None)
    if own is None:
        return _waiting(doing, "Alertmanager does not list the silence yet")
    if own.state == "expired":
        return Verdict(Result.FAILED, summary=f"the silence has ended already, at {own.ends_at:%H:%M} UTC")
    loud = [alert for alert in alerts if own.id not in alert.silenced_by]
    if loud or own.state != "active":
        return _waiting(doing, f"{len(loud)} of {counted(len(alerts), 'alert')} not hidden yet")
    hidden = counted(len(alerts), "alert")
    summary = f"silenced until {own.ends_at:%H:%M} UTC: {hidden} hidden (silence {own.id[:8]})"
    return Verdict(Result.SUCCEEDED, (step.key,), summary=summary)


def _waiting(doing: Doing, reason: str) -> Verdict:
    if not doing.is_over:
        return Verdict(Result.WAITING, waiting=(reason,))
    return Verdict(Result.PARTIAL, left=(reason,), summary="the silence is not proved")


def _failed(doing: Doing, step: Step) -> Verdict:
    note = doing.progress.marks[step.key].note
    return Verdict(Result.FAILED, left=(note,), summary="nothing is silenced")


SILENCE = Command(
    word="alert",
    verbs=("silence",),
    summary="Hide an alert, or all that label matchers find, for at most 4 h. You may confirm it yourself.",
    rows=("AL-50", "AL-14"),
    parts=check,
    examples=(
        'alert silence A1b2c3d4e5f6a7b8c --for 30m --why "node is being replaced"',
        'alert silence alertname="KubePodCrashLooping" namespace=~"shop" --why "known, fixed at noon"',
    ),
    flags=(
        Flag("for", "how long, from the confirmation on; 1h when left out, 4h at most", "30m"),
        Flag("only", "of an alert's group, only what this label matcher finds", "MATCHER"),
    ),
    names="ALERT MATCHER…",
    change=Change(plan, verify),
)
