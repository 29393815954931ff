"""`alert unsilence`: end a silence that was made from here before its time, so that its alerts are told again.

What was made elsewhere is left alone: whoever made it there knows why.
"""

import re
from datetime import datetime

from commands import silences
from commands.alert import selection
from commands.alertreads import AmAlert, AmAlerts, GroupOf, Silences, SilenceView
from commands.change import Change, Doing, Planning, Verifying, Who, blocked
from commands.command import Command, Parts
from commands.effects import Target, Unsilence
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.matchers import Matcher, parse
from commands.model import AlertGroup, Args, Gap, Read
from commands.phrase import counted
from commands.plan import Plan, Result, Standing, Step, Verdict, Wave
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import one_line

_KEY = "alert.unsilence"
_REQUEST = re.compile(r"R[A-Z0-9]{1,20}", re.IGNORECASE | re.ASCII)
_SILENCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check(args: Args, site: ClusterSite) -> Parts:
    if not any(form.fullmatch(args.name) for form in (_REQUEST, _SILENCE, selection.GROUP)):
        raise UsageError(
            "Say which silence: `alert unsilence R…` with the request that made it, or `A…` with the alert that it "
            "hides. In the thread of an alert that may be left out."
        )
    return {}


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    title = f"End the silence of {args.name}"
    group = GroupOf("A" + args.name[1:].lower()) if selection.GROUP.fullmatch(args.name) else None
    wanted: tuple[Read, ...] = (Silences(), Now(), *((group,) if group else ()))
    seen = yield wanted
    gaps = [seen[read] for read in wanted if isinstance(seen[read], Gap)]
    if gaps:
        return blocked(title, map(_unread, gaps))
    told: AlertGroup | None = seen[group] if group else None
    title = f"End the silence of {told.name}" if told else title
    meant = _meant(args.name, told, seen[Silences()])
    foreign = [each for each in meant if not silences.request_of(each.comment)]
    if not meant or foreign:
        return blocked(title, (_elsewhere(foreign[0]) if foreign else _unknown(args.name),))
    running = tuple(each for each in meant if each.state != "expired")
    if not running:
        over = f"has ended already, at {meant[-1].ends_at:%d %b %H:%M} UTC"
        return Plan(title, (Finding(f"{_KEY}.over", "Silence", Light.GREEN, over),))
    found = tuple(AmAlerts(each.matchers) for each in running)
    heard = yield tuple(dict.fromkeys(found))
    return _ending(title, running, [heard[read] for read in found], seen[Now()])


def _meant(name: str, group: AlertGroup | None, known: tuple[SilenceView, ...]) -> tuple[SilenceView, ...]:
    if group is not None:
        ids = {each.id for each in group.care.silences if not each.ended}
        return tuple(each for each in known if each.id in ids)
    asked = name.upper()
    return tuple(s for s in known if name == s.id or silences.request_of(s.comment) == asked)


def _unknown(name: str) -> Finding:
    value = f"this cluster's Alertmanager has no silence of {name} (any more)"
    return Finding(f"{_KEY}.unknown", "Silence", Light.RED, value)


def _elsewhere(silence: SilenceView) -> Finding:
    value = f"was not made from here but by {one_line(silence.created_by, 60) or 'somebody'}"
    mend = "end it where it was made, or in Alertmanager itself"
    return Finding(f"{_KEY}.elsewhere", "Silence", Light.RED, value, mend=mend)


def _unread(gap: Gap) -> Finding:
    return Finding(
        f"{_KEY}.unread", "Alertmanager", Light.RED, f"unknown: {one_line(gap.reason)}", mend=gap.mend
    )


def _ending(
    title: str, running: tuple[SilenceView, ...], heard: list[tuple[AmAlert, ...] | Gap], now: datetime
) -> Plan:
    steps = tuple(
        Step(
            f"unsilence {each.id}",
            Unsilence(_target(each)),
            f"end silence {each.id[:8]}: {' '.join(each.matchers)}",
        )
        for each in running
    )
    return Plan(
        title,
        tuple(_loud(silence, alerts) for silence, alerts in zip(running, heard, strict=True)),
        waves=(Wave("End it", steps),),
        facts=tuple(
            f"{s.id[:8]} by {one_line(s.created_by, 60)}: {one_line(s.comment, 120)}" for s in running
        ),
        scope=tuple(f"silence {each.id}" for each in running),
        undo=_again(running[0], now) if len(running) == 1 else "",
        before=tuple((f"silence {each.id}", f"until {each.ends_at:%d %b %H:%M} UTC") for each in running),
    )


def _target(silence: SilenceView) -> Target:
    return Target("Silence", selection.namespace(_parsed(silence)), silence.id, silence.id)


def _parsed(silence: SilenceView) -> tuple[Matcher, ...]:
    """Those that can be read; an expression that only Alertmanager understands names no namespace to us."""
    found = []
    for each in silence.matchers:
        try:
            found.append(parse(each))
        except UsageError:
            continue
    return tuple(found)


def _loud(silence: SilenceView, alerts: tuple[AmAlert, ...] | Gap) -> Finding:
    if isinstance(alerts, Gap):
        return Finding(
            f"{_KEY}.alerts",
            "Told again",
            Light.UNKNOWN,
            f"unknown: {one_line(alerts.reason)}",
            mend=alerts.mend,
        )
    alone = [alert for alert in alerts if alert.silenced_by == (silence.id,)]
    names = ", ".join(sorted({alert.labels.get("alertname", "") for alert in alone})[:5])
    fire = "fires" if len(alone) == 1 else "fire"
    value = (
        f"{counted(len(alone), 'alert')} that still {fire}: {names}" if alone else "nothing that fires now"
    )
    return Finding(f"{_KEY}.alerts", "Told again", Light.GREEN, value)


def _again(silence: SilenceView, now: datetime) -> str:
    minutes = int((silence.ends_at - now).total_seconds() // 60)
    if minutes < 1:
        return ""
    return f'alert silence {" ".join(silence.matchers)} --for {minutes}m --why "silenced again"'


# --- Proof ----------------------------------------------------------------------------------------


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    seen = yield (Silences(),)
    known = seen[Silences()]
    if isinstance(known, Gap):
        return _open(doing, (), f"Alertmanager cannot be asked: {known.reason}")
    running = {each.id for each in known if each.state != "expired"}
    proved = tuple(s.key for s in doing.plan.steps if s.effect.target.uid not in running)
    if len(proved) == len(doing.plan.steps):
        return Verdict(Result.SUCCEEDED, proved, summary="the silence has ended: its alerts are told again")
    failed = [doing.progress.marks[s.key].note for s in doing.failed()]
    return _open(doing, proved, *(failed or ["Alertmanager still has the silence"]))


def _open(doing: Doing, proved: tuple[str, ...], *reasons: str) -> Verdict:
    if not doing.is_over:
        return Verdict(Result.WAITING, proved, waiting=reasons)
    is_failed = any(doing.progress.standing(step) is Standing.FAILED for step in doing.plan.steps)
    result = Result.FAILED if is_failed and not proved else Result.PARTIAL
    return Verdict(result, proved, left=reasons, summary="the silence may still hide its alerts")


UNSILENCE = Command(
    word="alert",
    verbs=("unsilence",),
    summary="End a silence that was made from here, so that its alerts are told again.",
    rows=("AL-50",),
    parts=check,
    examples=("alert unsilence R7KQ2M4XP", "alert unsilence A1b2c3d4e5f6a7b8c"),
    names="SILENCE",
    change=Change(plan, verify),
)
