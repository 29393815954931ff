"""What the plans and proofs of the containing verbs share: the dry run of every step, and a verdict of what was seen."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace

from commands import grammar
from commands.change import Doing
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Reads, Seen
from commands.plan import Plan, Result, Standing, Verdict, Wave
from commands.reads import DryRun
from commands.wording import one_line, unread

# The key of what a step would be refused for.
REFUSED = "incident.refused"


def waves(*made: Wave) -> tuple[Wave, ...]:
    """Those that have something to do."""
    return tuple(wave for wave in made if wave.steps)


def rehearsed(plan: Plan) -> Generator[Reads, Seen, Plan]:
    """The plan with what the servers say to each step in a dry run: a step that would be refused stops it all."""
    if not plan.steps or any(finding.light is Light.RED for finding in plan.findings):
        return plan
    seen = yield tuple(DryRun(step.effect) for step in plan.steps)
    found: list[Finding] = []
    lines: list[str] = []
    for step in plan.steps:
        answer = seen[DryRun(step.effect)]
        label = str(step.effect.target)
        if isinstance(answer, Gap):
            found.append(unread("incident.unrehearsed", label, answer))
            continue
        if not answer.would:
            found.append(Finding(REFUSED, label, Light.RED, f"would be refused: {one_line(answer.said)}"))
        word = "would be taken" if answer.would else "would be refused"
        lines.append(": ".join(each for each in (label, word, answer.said) if each))
        lines += [f"{label}: warning: {warning}" for warning in answer.warnings]
    return replace(plan, findings=(*plan.findings, *found), rehearsal=tuple(dict.fromkeys(lines)))


def nothing_left() -> Verdict:
    """The plan that was made anew on approval had no step any more: somebody else did it."""
    return Verdict(Result.SUCCEEDED, summary="there was nothing left to do")


def verdict(doing: Doing, missing: Mapping[str, str], done: str, more: Iterable[Suggestion] = ()) -> Verdict:
    """missing: by the key of each step that is not seen to be done, what stands instead. done: the closing line."""
    steps = doing.plan.steps
    proved = tuple(step.key for step in steps if step.key not in missing)
    if not missing:
        return Verdict(Result.SUCCEEDED, proved, summary=done)
    if not doing.is_over:
        return Verdict(Result.WAITING, proved, waiting=tuple(dict.fromkeys(missing.values())))
    left = tuple(_left(doing, key, why) for key, why in missing.items())
    return Verdict(
        Result.PARTIAL if proved else Result.FAILED,
        proved,
        left=left,
        summary=f"{len(proved)} of {len(steps)} done; not done: {left[0]}",
        suggestions=(*more, *_ways(doing)),
    )


def _left(doing: Doing, key: str, why: str) -> str:
    """With the word of the server that refused it."""
    mark = doing.progress.marks.get(key)
    is_failed = mark is not None and mark.standing is Standing.FAILED and mark.note
    return f"{why}: {mark.note}" if mark and is_failed else why


def _ways(doing: Doing) -> tuple[Suggestion, ...]:
    again = Suggestion("Try again", grammar.format(doing.args))
    return (again, Suggestion("Undo", doing.plan.undo)) if doing.plan.undo else (again,)
