"""`review mine`: what being on call cost the asker, for nobody else's eyes; sre-lead sees everybody.

Answered at once and to the asker alone, because a channel sees only the numbers of all together (OM-3).
"""

from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from commands.alertreads import Occurrences
from commands.called import names_of
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light
from commands.grammar import duration
from commands.model import Args, Inquiry, Section
from commands.numbers.firings import of, told
from commands.numbers.oncall import Hours, Load, calls_of, loads, pages, work
from commands.numbers.window import until
from commands.phrase import counted, span
from commands.reads import Now, Whoami
from commands.responsereads import Incidents, OnCallTurns
from commands.review.metrics import WINDOW
from commands.review.telling import lasting
from commands.site import ClusterSite

LEAD = "sre-lead"
TITLE = "Time on call"
_WEEK = timedelta(weeks=1)


def parts(args: Args, site: ClusterSite) -> Parts:
    """Raises UsageError over a window that cannot be meant."""
    return {"mine": Part(TITLE, inquiry(site, duration(args.flags.get("window", "7d"))))}


def inquiry(site: ClusterSite, length: timedelta) -> Inquiry:
    now = (yield (Now(),))[Now()]
    window = until(now, length)
    incidents, alerts = Incidents(window.start, now, site.name), Occurrences(length, site.name)
    duty = OnCallTurns(window.start, now)
    seen = yield (Whoami(), incidents, alerts, duty)
    who, held, known = seen[Whoami()], seen[duty], seen[incidents]
    fired = of(seen[alerts])
    calls = (*calls_of(site, told(fired)), *pages(known))
    everybody = loads(held.turns, calls, work(known, fired, now), window, ZoneInfo(held.zone))
    shown = [each for each in everybody if LEAD in who.roles or each.user == who.user]
    names = yield from names_of(each.user for each in shown)
    findings = tuple(_finding(site, each, who.user, names, length) for each in shown)
    since = seen[alerts].since
    note = f"alerts since {since:%d %b %H:%M} UTC only" if since > window.start + timedelta(minutes=1) else ""
    told_to = "sre-lead sees everybody" if LEAD in who.roles else "only you see this, and sre-lead"
    return Section(
        "mine", f"{TITLE} · last {span(length)}", True, findings or (_none(length),), note or told_to
    )


def _none(length: timedelta) -> Finding:
    value = f"none: not on call, called or at work in {span(length)}"
    return Finding("OM-3.3", "You", Light.GREEN, value)


def _finding(
    site: ClusterSite, load: Load, asker: str, names: Mapping[str, str], length: timedelta
) -> Finding:
    target = site.targets.oncall_hours_week
    weekly = load.worked.total_seconds() / max(length / _WEEK, 1.0)
    label = "You" if load.user == asker else names.get(load.user, load.user)
    said = f"{lasting(weekly)} of work a week, {counted(len(load.calls), 'call')}"
    hours = ", ".join(
        f"{count} in {kind.value}" for kind, count in load.hours.items() if count and kind is not Hours.WORK
    )
    said += f" ({hours})" if hours else ""
    lines = (
        f"on call for {span(load.on_call)}",
        f"at most {counted(load.busiest, 'call')} in one 12-h shift",
    )
    light = Light.RED if weekly >= 3600 * target else Light.GREEN
    return Finding("OM-3.3", label, light, said, f"under {target:g} h a week", lines)


MINE = Command(
    word="review",
    verbs=("mine",),
    summary="My own calls and hours of work on call, for my eyes only; sre-lead sees everybody's.",
    rows=("OM-3.3",),
    parts=parts,
    examples=("review mine", "review mine --window 30d"),
    flags=(WINDOW,),
    immediate=True,
)
