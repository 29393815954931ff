"""What went wrong and how fast it was over: time to restore, time between failures, failed changes, missing alerts."""

from collections.abc import Iterable

from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Section
from commands.numbers.changes import Changes
from commands.numbers.coverage import Coverage
from commands.numbers.durations import Measure
from commands.numbers.failures import Failures
from commands.numbers.population import Population
from commands.phrase import counted
from commands.review.facts import Facts
from commands.review.figures import Numbers, value
from commands.review.telling import compared, lasting, many, named, percent, spread_said
from commands.wording import one_line, unread

TITLE = "Incidents and changes"
_TIMES = {
    "resolve": "Time to resolve",
    "respond": "Time to respond (alert to acknowledgement)",
    "ttd": "Time to detect",
    "tta_page": "Page to acknowledgement",
    "time_to_ic": "Declared to commander",
}


def section(facts: Facts, now: Numbers, before: Numbers | None) -> Section:
    if isinstance(facts.incidents, Gap):
        return Section("operations", TITLE, True, (unread("OM-2.0", "Incidents", facts.incidents),))
    findings = (
        _restore(facts, now, before), _between(facts, now, before), _changes(facts, now, before), _coverage(now),
    )  # fmt: skip
    return Section("operations", TITLE, True, findings, _note(now))


def _note(now: Numbers) -> str:
    assert now.incidents is not None
    excluded = "; ".join(f"{reason} {len(ids)}" for reason, ids in now.incidents.excluded.items()) or "none"
    told = f"{counted(len(now.incidents.counted), 'incident')} resolved · left out: {excluded}"
    return f"{told} · still open: {len(now.incidents.censored)}"


# --- time to restore ------------------------------------------------------------------------------


def _restore(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    assert now.incidents is not None
    key, label, target = "OM-2.1", "Time to restore", facts.site.targets.mttr_min
    found, threshold = now.measures["restore"], f"mean under {target:g} min"
    lines = (*_unmeasured(found), *_open(now.incidents), *_times(now))
    if found.spread is None:
        return _unrestored(key, label, threshold, now, lines)
    was = value("restore_mean", before)
    said = spread_said(found.spread) + compared(was, found.spread.mean, lasting(was))
    if found.spread.mean >= 60 * target:
        return Finding(key, label, Light.RED, said, threshold, lines)
    if found.missing or found.inverted:
        bad = (*found.missing, *found.inverted)
        mend = f"Complete the times of {named(bad)}: started and mitigated."
        return Finding(key, label, Light.UNKNOWN, f"unknown: {said}, and {many(bad, 'more')} not measured", threshold,
                       lines, mend=mend)  # fmt: skip
    return Finding(key, label, Light.GREEN, said, threshold, lines)


def _unrestored(key: str, label: str, threshold: str, now: Numbers, lines: tuple[str, ...]) -> Finding:
    """No time is no good time: nothing happened, or nobody can say."""
    assert now.incidents is not None
    bad = (*now.measures["restore"].missing, *now.measures["restore"].inverted)
    if bad:
        mend = f"Complete the times of {named(bad)}: started and mitigated."
        return Finding(key, label, Light.UNKNOWN, f"unknown: {many(bad, 'incident')} without these times", threshold,
                       lines, mend=mend)  # fmt: skip
    if now.incidents.censored:
        return Finding(key, label, Light.UNKNOWN, "unknown: what there was is still open", threshold, lines)
    return Finding(key, label, Light.GREEN, "none: no incident was resolved", threshold, lines)


def _unmeasured(found: Measure) -> Iterable[str]:
    if found.missing:
        yield f"not measured, a time is missing: {named(found.missing)}"
    if found.inverted:
        yield f"not measured, mitigated before started: {named(found.inverted)}"
    if found.approximate:
        yield f"{counted(found.approximate, 'time')} called approximate"


def _open(found: Population) -> Iterable[str]:
    if found.censored:
        yield f"still open, in no mean: {named([each.id for each in found.censored])}"


def _times(now: Numbers) -> Iterable[str]:
    for key, label in _TIMES.items():
        measure = now.measures[key]
        unanswered = f"; {counted(measure.unanswered, 'page')} not answered" if measure.unanswered else ""
        if measure.spread or unanswered:
            yield f"{label}: {spread_said(measure.spread)}{unanswered}"
    if now.left_out:
        yield f"{counted(now.left_out, 'Sev4 incident')} not among them"


# --- time between failures ------------------------------------------------------------------------


def _between(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    key, label, threshold = "OM-2.2", "Time between failures", "Sev1 and Sev2"
    failed = sorted(
        (each for each in now.failures.values() if each.mtbf is not None), key=lambda f: f.mtbf or 0
    )
    unplaced = [id for each in now.failures.values() for id in each.unplaced]
    if not failed:
        calm = now.failures[facts.site.default_service.name]
        said = f"no failure in at least {lasting(calm.up.total_seconds())}"
        if unplaced:
            mend = f"Say when users began to feel {named(unplaced)}."
            return Finding(key, label, Light.UNKNOWN, f"unknown: nobody said when {named(unplaced)} began", threshold,
                           mend=mend)  # fmt: skip
        return Finding(key, label, Light.GREEN, said, threshold)
    worst = failed[0]
    was = before.failures[worst.service].mtbf if before and worst.service in before.failures else None
    said = _failed(worst) + compared(was, worst.mtbf, lasting(was))
    is_worse = was is not None and worst.mtbf is not None and worst.mtbf < was
    lines = [_failed(each) for each in failed[1:]]
    lines += [f"began nobody knows when, so not counted: {named(unplaced)}"] if unplaced else []
    return Finding(
        key, label, Light.YELLOW if is_worse or unplaced else Light.GREEN, said, threshold, tuple(lines)
    )


def _failed(each: Failures) -> str:
    still = f", {named(each.ongoing)} goes on" if each.ongoing else ""
    down = lasting(each.down.total_seconds())
    return f"{each.service} {lasting(each.mtbf)} ({counted(each.n, 'failure')}, down {down}{still})"


# --- changes --------------------------------------------------------------------------------------


def _changes(facts: Facts, now: Numbers, before: Numbers | None) -> Finding:
    key, label, target = "OM-2.3", "Change failure rate", facts.site.targets.change_failure_pct
    threshold = f"under {target:g} %"
    if isinstance(facts.changes, Gap):
        return unread(key, label, facts.changes, threshold)
    found = now.changes
    assert found is not None
    lines = tuple(_said_of(found))
    if facts.rollouts is not None:
        lines = (*lines, f"rollouts in the cluster were not read: {one_line(facts.rollouts.reason)}")
    share = found.failure
    if share.percent is None:
        light = Light.UNKNOWN if facts.rollouts else Light.GREEN
        said = "unknown: no change is recorded" if facts.rollouts else "none: nothing was changed"
        return Finding(key, label, light, said, threshold, lines)
    was = value("change_failure", before)
    said = f"{percent(share.percent)} ({share.part} of {share.whole}){compared(was, share.percent, percent(was))}"
    if share.percent >= target:
        return Finding(key, label, Light.RED, said, threshold, lines)
    if facts.rollouts:
        return Finding(key, label, Light.UNKNOWN, f"unknown: {said}, rollouts not read", threshold, lines,
                       mend=facts.rollouts.mend)  # fmt: skip
    return Finding(key, label, Light.YELLOW if found.unannounced else Light.GREEN, said, threshold, lines)


def _said_of(found: Changes) -> Iterable[str]:
    yield from (f"{id}: {why}" for id, why in list(found.failed.items())[:3])
    if found.unannounced:
        yield f"{counted(found.unannounced, 'rollout')} seen without a change request, counted"
    if found.late:
        yield f"{percent(found.then.percent)} was known when it ended; said since: {named(found.late)}"
    if found.reached:
        yield f"rework {percent(found.rework.percent)} ({found.rework.part} of {found.rework.whole})"
    if found.emergency.whole:
        yield f"emergency changes {found.emergency.whole}, of which {found.emergency.part} failed"
    if found.recovery:
        yield f"failed change to recovery: {spread_said(found.recovery)}"
    if found.excluded:
        yield "never in production: " + ", ".join(f"{what} {count}" for what, count in found.excluded.items())


# --- alerts that did not come ---------------------------------------------------------------------


def _coverage(now: Numbers) -> Finding:
    key, label, threshold = "AW-3", "Incidents without an alert in time", "target: none"
    found = now.covered
    assert found is not None
    apart = (Coverage.SILENCED, Coverage.UNANSWERED)
    lines = tuple(
        f"{kind.value}: {named(found.of(kind))}" for kind in Coverage if found.of(kind) and kind != "covered"
    )
    if not found.eligible:
        return Finding(key, label, Light.GREEN, "none: no incident was resolved", threshold)
    said = f"{len(found.gaps)} of {found.eligible} ({percent(100 * len(found.gaps) / found.eligible)})"
    said += "".join(f", {len(found.of(kind))} {kind.value}" for kind in apart if found.of(kind))
    light = Light.YELLOW if found.gaps else Light.GREEN
    steps = (Suggestion("What no alert tells of", "alert gaps"),) if found.gaps else ()
    return Finding(key, label, light, said, threshold, lines, suggestions=steps)
