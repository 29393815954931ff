"""What a row of judged samples comes to: PASS, FAIL, INCONCLUSIVE or BLIND, and whether a rollback has worked.

FAIL wins over everything else, and once reached it stays. No sample is never a PASS. A Prometheus that does not answer is
BLIND, on which nothing is rolled back and nothing is passed. Every sample is kept, and every verdict says how much of what
is allowed was used ("2 of 2 in a row used"). What is done about it is not decided here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from commands.baseline import Baseline
from commands.finding import Finding, Light
from commands.phrase import counted, span
from commands.sample import Sample
from commands.site import Rollback
from commands.watch import Judged, Measure, Reading, effective, judged

BLIND_IN_A_ROW = 5


class Outcome(StrEnum):
    WATCHING = "watching"
    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Verdict:
    """used: of each measure that was ever in breach, how much of what is allowed. notes: what a PASS should not hide."""

    outcome: Outcome
    reason: str
    samples: tuple[Judged, ...] = ()
    used: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """More samples would not change it. BLIND is: what is not seen has to be looked at by somebody."""
        return self.outcome is not Outcome.WATCHING


def due(rules: Rollback) -> int:
    """How many samples a whole bake time has."""
    return (rules.bake - rules.initial_delay) // rules.interval + 1


def verdict(samples: Sequence[Judged], rules: Rollback, *, is_over: bool = False) -> Verdict:
    """is_over: no sample will follow, because the bake time is over or somebody ended it."""
    kept = tuple(samples)
    runs = [_run(name, kept, rules) for name in _names(kept)]
    used = tuple(run.used for run in runs if run.breaches())
    failed = next((run for run in runs if run.has_failed), None)
    if failed:
        return Verdict(Outcome.FAIL, failed.breaches()[-1].text, kept, used)
    outcome, reason = _undecided(kept, runs, rules) if not is_over else _ended(kept, runs, rules)
    return Verdict(outcome, reason, kept, used, tuple(_notes(kept)) if outcome is Outcome.PASS else ())


def _undecided(samples: tuple[Judged, ...], runs: "list[_Run]", rules: Rollback) -> tuple[Outcome, str]:
    if _blind_at_the_end(samples) >= BLIND_IN_A_ROW:
        return Outcome.BLIND, _blind(samples)
    shared = next((run.shared for run in runs if run.shared), "")
    count = f"{len(samples)} of {counted(due(rules), 'sample')} so far"
    return Outcome.WATCHING, f"{count}; {shared}" if shared else count


def _ended(samples: tuple[Judged, ...], runs: "list[_Run]", rules: Rollback) -> tuple[Outcome, str]:
    if not samples:
        return Outcome.INCONCLUSIVE, "it ended before the first sample: nothing was measured"
    blind = sum(each.reading is Reading.BLIND for each in samples)
    if _blind_at_the_end(samples) >= BLIND_IN_A_ROW or 2 * blind > len(samples):
        return Outcome.BLIND, _blind(samples)
    shared = next((run.shared for run in runs if run.shared), "")
    if shared:
        return Outcome.INCONCLUSIVE, shared
    return _weighed(samples, rules)


def _weighed(samples: tuple[Judged, ...], rules: Rollback) -> tuple[Outcome, str]:
    conclusive = [each for each in samples if each.reading in (Reading.BREACH, Reading.CLEAN)]
    wanted = max(due(rules), len(samples))
    said = f"{len(conclusive)} of {counted(wanted, 'sample')} could be judged"
    if 2 * len(conclusive) <= wanted:
        why = next((each.text for each in reversed(samples) if each not in conclusive), "it was ended early")
        return Outcome.INCONCLUSIVE, f"only {said}; last: {why}"
    if conclusive[-1].reading is Reading.BREACH:
        return (
            Outcome.INCONCLUSIVE,
            f"the last sample that could be judged was a breach: {conclusive[-1].text}",
        )
    return Outcome.PASS, said


def _notes(samples: tuple[Judged, ...]) -> Iterator[str]:
    for number, each in enumerate(samples, 1):
        if each.reading is not Reading.CLEAN:
            yield f"sample {number}, {each.text}"


def _blind_at_the_end(samples: tuple[Judged, ...]) -> int:
    number = 0
    for each in reversed(samples):
        if each.reading is not Reading.BLIND:
            break
        number += 1
    return number


def _blind(samples: tuple[Judged, ...]) -> str:
    last = next(each for each in reversed(samples) if each.reading is Reading.BLIND)
    blind = sum(each.reading is Reading.BLIND for each in samples)
    return f"{blind} of {counted(len(samples), 'sample')} could not be read; {last.text}"


# --- The breaches of one measure ------------------------------------------------------------------


def _names(samples: tuple[Judged, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(measure.name for each in samples for measure in each.measures))


@dataclass(frozen=True, slots=True)
class _Run:
    """told: what one measure said whenever it said anything, oldest first. What was not seen, or proves nothing, lies
    between two breaches without excusing them. in_a_row; samples of among: how many breaches are too many."""

    name: str
    told: tuple[Measure, ...]
    in_a_row: int
    samples: int
    among: int

    def breaches(self, *, own: bool = True) -> tuple[Measure, ...]:
        """own: without those that neighbours have as well."""
        return tuple(each for each in self._counted(own=own) if each.reading is Reading.BREACH)

    @property
    def has_failed(self) -> bool:
        return self._is_enough(own=True)

    @property
    def shared(self) -> str:
        """Why what would be enough is not this change's own, "" where it is not enough, or is."""
        if self.has_failed or not self._is_enough(own=False):
            return ""
        last = next(each for each in reversed(self.told) if each.shared)
        return f"not specific to this change: {last.text}"

    @property
    def used(self) -> str:
        if any(each.is_hard for each in self.breaches()):
            return f"{self.name}: failed at once"
        row = f"{min(self._longest(), self.in_a_row)} of {self.in_a_row} in a row used"
        if self.among <= self.in_a_row:
            return f"{self.name}: {row}"
        return f"{self.name}: {row}, {min(self._densest(), self.samples)} of {self.samples} among {self.among} used"

    def _is_enough(self, *, own: bool) -> bool:
        is_hard = any(each.is_hard for each in self.breaches(own=own))
        return is_hard or self._longest(own=own) >= self.in_a_row or self._densest(own=own) >= self.samples

    def _counted(self, *, own: bool) -> tuple[Measure, ...]:
        return tuple(each for each in self.told if not (own and each.shared))

    def _flags(self, *, own: bool) -> list[bool]:
        return [each.reading is Reading.BREACH for each in self._counted(own=own)]

    def _longest(self, *, own: bool = True) -> int:
        runs = (len(list(same)) for is_breach, same in groupby(self._flags(own=own)) if is_breach)
        return max(runs, default=0)

    def _densest(self, *, own: bool = True) -> int:
        flags = self._flags(own=own)
        return max((sum(flags[start : start + self.among]) for start in range(len(flags))), default=0)


def _run(name: str, samples: tuple[Judged, ...], rules: Rollback) -> _Run:
    found = [measure for each in samples if (measure := each.measure(name))]
    told = tuple(each for each in found if each.reading in (Reading.BREACH, Reading.CLEAN))
    if any(each.is_critical for each in found):
        return _Run(name, told, *(rules.critical_in_a_row,) * 3)
    return _Run(name, told, rules.in_a_row, rules.samples, rules.among)


# --- After a rollback -----------------------------------------------------------------------------


def recovery(
    samples: Sequence[Sample], of: Baseline, rules: Rollback, rolled_back: datetime, now: datetime
) -> Verdict:
    """PASS once as many samples in a row as make a failure are back at the baseline; FAIL when the time is over and
    they were seen not to be. Only samples count that look back on nothing before the rollback."""
    after = [each for each in samples if each.at - each.window >= rolled_back]
    told = tuple(_recovered(each, of, effective(rules)) for each in after)
    good = [each.reading is Reading.CLEAN for each in told]
    if sum(good[-rules.in_a_row :]) == rules.in_a_row:
        return Verdict(Outcome.PASS, f"back at the baseline: {told[-1].text}", told)
    if now - rolled_back < rules.recovered_within:
        return Verdict(Outcome.WATCHING, f"{counted(len(told), 'sample')} since the rollback", told)
    late = f"not back at the baseline {span(rules.recovered_within)} after the rollback"
    if not told:
        return Verdict(Outcome.INCONCLUSIVE, f"{late}: no sample was taken", told)
    if all(each.reading is Reading.BLIND for each in told):
        return Verdict(Outcome.BLIND, f"{late}, as far as could be seen: {told[-1].text}", told)
    seen = any(each.reading is Reading.BREACH for each in told)
    return Verdict(Outcome.FAIL if seen else Outcome.INCONCLUSIVE, f"{late}: {told[-1].text}", told)


def _recovered(sample: Sample, of: Baseline, rules: Rollback) -> Judged:
    """Judged by nearer limits than a change is: what was rolled back has to be as it was."""
    factor = rules.recovered_factor
    increase = round((factor - 1) * 100, 6)
    return judged(
        sample, of, replace(rules, error_factor=factor, min_errors=0, latency_increase_pct=increase)
    )


# --- As a line of an answer -----------------------------------------------------------------------

_LIGHTS = {
    Outcome.WATCHING: Light.GREEN,
    Outcome.PASS: Light.GREEN,
    Outcome.FAIL: Light.RED,
    Outcome.INCONCLUSIVE: Light.YELLOW,
    Outcome.BLIND: Light.UNKNOWN,
}


def finding(of: Verdict) -> Finding:
    """With every sample, newest first."""
    light = _LIGHTS[of.outcome]
    if of.outcome is Outcome.WATCHING and of.used:
        light = Light.YELLOW
    samples = tuple(each.text for each in reversed(of.samples))
    return Finding(
        "CM-4.0", "Against the baseline", light, f"{of.outcome.upper()}: {of.reason}", "; ".join(of.used),
        (*of.notes, *samples),
    )  # fmt: skip
