"""What it cost people: alerts that needed them, work on call, and what they did by hand again and again.

In a channel these are the numbers of all together: those of one person are shown to that person alone.
"""

from commands.alertroutes import route
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Section
from commands.numbers.oncall import Hours, Load
from commands.numbers.quality import Disposition, Quality, template
from commands.phrase import counted
from commands.review.facts import Facts
from commands.review.figures import Numbers, value
from commands.review.telling import compared, lasting, percent
from commands.site import Labels
from commands.wording import aligned, shown_and_kept, unread

TITLE = "Team"
TOP = 10  # templates
TOIL = 5  # lines
SHIFT = 2  # calls in a 12-h shift that still leave time for them
_WEEK = 7 * 24 * 3600.0
_MARK = "Mark what comes: the buttons of a card, or `alert mark A… actionable`."
_NOTE = "of all together; per person only to themselves and sre-lead: review mine"


def section(facts: Facts, now: Numbers, before: Numbers | None) -> Section:
    findings = (
        _alerts(facts, now, before),
        _noise(facts, now, before),
        _load(facts, now, before),
        _toil(facts, now),
    )
    noisy = [each for each in now.templates if each.noisy]
    labels = {template(card): card.first.labels for card in now.cards}
    header = ("noisiest alerts", "told", "noise", "unclassified", "owner")
    rows = aligned(header, (_row(facts, each, labels[each.template]) for each in noisy))
    table, files = shown_and_kept(rows, TOP, "noisy-alerts.txt", "All noisy alerts") if noisy else ((), ())
    return Section("team", TITLE, True, findings, _NOTE, files, table)


def _alerts_unread(facts: Facts, key: str, label: str, threshold: str) -> Finding:
    if isinstance(facts.alerts, Gap):
        return unread(key, label, facts.alerts, threshold)
    since = f"{facts.alerts.since:%d %b %H:%M} UTC"
    return Finding(
        key, label, Light.UNKNOWN, f"unknown: the bot's store reaches back to {since} only", threshold
    )


def _alerts(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    key, label, target = "OM-3.2", "Actionable alerts", facts.site.alerts.actionable_per_person_week
    threshold = f"fewer than {target} per person-week"
    if now.quality is None:
        return _alerts_unread(facts, key, label, threshold)
    if isinstance(facts.duty, Gap):
        return unread(key, label, facts.duty, threshold)
    if not now.weeks:
        mend = "Give roles.oncall a rota whose start lies before this window."
        return Finding(key, label, Light.UNKNOWN, "unknown: nobody was on call", threshold, mend=mend)
    count = now.quality.of(Disposition.ACTIONABLE)
    unmarked = now.quality.of(Disposition.UNCLASSIFIED)
    was = value("actionable", before)
    rate, most = count / now.weeks, (count + unmarked) / now.weeks
    said = f"{rate:.1f} ({count} in {now.weeks:.1f} person-weeks on call)"
    said += compared(was, rate, f"{was:.1f}" if was is not None else "")
    if rate >= target:
        return Finding(key, label, Light.RED, said, threshold, suggestions=_tune())
    if most >= target:
        said = f"unknown: {said}, {unmarked} not marked"
        return Finding(key, label, Light.UNKNOWN, said, threshold, mend=_MARK)
    return Finding(
        key, label, Light.GREEN, said + (f", {unmarked} not marked" if unmarked else ""), threshold
    )


def _tune() -> tuple[Suggestion, ...]:
    return (Suggestion("Noisy rules", "alert tune --window 30d"),)


def _noise(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    key, label = "OM-3.2", "Alert noise"
    found = now.quality
    if found is None:
        return _alerts_unread(facts, key, label, "")
    if not found.told:
        return Finding(key, label, Light.GREEN, "none: no alert was told")
    lines: tuple[str, ...] = (", ".join(f"{kind.value} {count}" for kind, count in found.counts.items()),)
    known = f"{found.classified} of {found.told} classified ({percent(found.coverage)})"
    if found.noise is None:
        return Finding(key, label, Light.UNKNOWN, f"unknown: {known}", evidence=lines, mend=_MARK)
    was = value("noise", before)
    said = f"{percent(found.noise)} noise ({found.noisy} of {found.classified}){compared(was, found.noise, percent(was))}"
    false = found.of(Disposition.FALSE_POSITIVE)
    if found.false is not None:
        judged = false + found.of(Disposition.ACTIONABLE)
        lines = (*lines, f"false of true and false ones: {percent(found.false)} ({false} of {judged}); what should have "
                 "fired and did not is in no such rate")  # fmt: skip
    light = Light.YELLOW if found.noise > 50 else Light.GREEN
    return Finding(key, label, light, f"{said}, {known}", "at most 50 %", lines)


def _row(facts: Facts, each: Quality, labels: Labels) -> tuple[str, ...]:
    owner = route(facts.site, [labels], {}).owner or "nobody"
    noise = f"{each.noisy} = {percent(each.noise)}"
    return _shortly(each.template), str(each.told), noise, str(each.of(Disposition.UNCLASSIFIED)), owner


def _shortly(name: str) -> str:
    """A template without the names of its labels."""
    return " ".join(part.partition("=")[2] or part for part in name.split(" "))


# --- on call --------------------------------------------------------------------------------------


def _load(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    """Judged by each person, told of all: nobody is named."""
    key, label, target = "OM-3.3", "Work on call", facts.site.targets.oncall_hours_week
    threshold = f"under {target:g} h a week for each"
    if now.loads is None:
        if isinstance(facts.duty, Gap):
            return unread(key, label, facts.duty, threshold)
        return _alerts_unread(facts, key, label, threshold)
    if not now.loads:
        return Finding(key, label, Light.GREEN, "none: nobody was on call or called", threshold)
    over = [each for each in now.loads if weekly(each, now) >= 3600 * target]
    worked = sum(each.worked.total_seconds() for each in now.loads)
    said = (
        f"{len(now.loads) - len(over)} of {counted(len(now.loads), 'person')} under it"
        if len(now.loads) != 1
        else ""
    )
    said = said.replace("persons", "people")
    total = f"{lasting(worked)} in all"
    was = value("on_call_work", before)
    rate = worked / now.weeks if now.weeks else None
    mean = f", {lasting(rate)} per person-week{compared(was, rate, lasting(was))}" if rate is not None else ""
    said = f"{said + ', ' if said else ''}{total}{mean}"
    return Finding(key, label, Light.RED if over else Light.GREEN, said, threshold, _interruptions(now.loads))


def weekly(load: Load, now: Numbers) -> float:
    """Seconds of work in a week of the window; one shorter than a week is not blown up to it."""
    return load.worked.total_seconds() / max(now.window.length.total_seconds() / _WEEK, 1.0)


def _interruptions(loads: tuple[Load, ...]) -> tuple[str, ...]:
    calls = sum(len(each.calls) for each in loads)
    if not calls:
        return ("nobody was called",)
    hours = {kind: sum(each.hours[kind] for each in loads) for kind in Hours}
    busiest = max(each.busiest for each in loads)
    over = "" if busiest <= SHIFT else f", more than {SHIFT}"
    return (
        f"{counted(calls, 'call')}: "
        + ", ".join(f"{count} in {kind.value}" for kind, count in hours.items()),
        f"at most {counted(busiest, 'call')} in one 12-h shift{over}",
    )


# --- toil -----------------------------------------------------------------------------------------


def _toil(facts: Facts, now: Numbers) -> Finding:
    key, label = "OM-3.1", "Done by hand again and again"
    if isinstance(facts.commands, Gap):
        return unread(key, label, facts.commands)
    if now.toil is None:
        since = f"{facts.commands.since:%d %b %H:%M} UTC"
        return Finding(key, label, Light.UNKNOWN, f"unknown: the trail was read back to {since} only",
                       mend="Ask for a shorter --window.")  # fmt: skip
    if not now.toil:
        return Finding(key, label, Light.GREEN, "none: nothing was done twice")
    minutes = sum(each.minutes for each in now.toil)
    first = now.toil[0]
    said = (
        f"about {lasting(60.0 * minutes)}, most of it {first.line} {first.object}".rstrip()
        + f" ({first.times} times)"
    )
    lines = tuple(
        f"{each.line} {each.object}".rstrip() + f": {each.times} times, about {lasting(60.0 * each.minutes)}"
        for each in now.toil[:TOIL]
    )
    return Finding(key, label, Light.YELLOW, said, "automate the first", lines)
