"""Whose the errors are: each status, pod or path by its part of them all, and the one pod that has nearly all."""

from collections.abc import Mapping, Sequence

from commands.finding import Finding, Light
from commands.model import Gap
from commands.phrase import counted
from commands.queries import amounts
from commands.reads import EndpointView, Vector
from commands.triage.measured import share
from commands.wording import one_line, unread

KEY = "T1-1"
_NEARLY_ALL = 0.8
_SHOWN = 3


def shares(answer: Vector, by: tuple[str, ...]) -> Mapping[str, float]:
    """Each one's part of the whole, the largest first."""
    found = {" ".join(filter(None, labels)): value for labels, value in amounts(answer, by).items()}
    whole = sum(found.values())
    ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return {name: value / whole for name, value in ranked} if whole else {}


def split(label: str, answer: Vector | Gap, by: tuple[str, ...], *, is_measured: bool = True) -> Finding:
    """is_measured: errors are counted at all; else that none is seen tells nothing."""
    if not isinstance(answer, Gap) and not (answer.samples or is_measured):
        answer = Gap("no data")
    if isinstance(answer, Gap):
        return unread(KEY, label, answer)
    parts = shares(answer, by)
    if not parts or set(parts) == {""}:
        value = "its series do not say" if answer.samples else "nothing fails"
        return Finding(KEY, label, Light.GREEN, value)
    lines = tuple(f"{one_line(name, 80) or 'without a label'}: {share(part)}" for name, part in parts.items())
    return Finding(KEY, label, Light.YELLOW, ", ".join(lines[:_SHOWN]), evidence=lines[_SHOWN:])


def pod(answer: Vector | Gap, behind: Sequence[EndpointView] | Gap) -> str:
    """ "pod web-7 has 100 % of the errors, 2 others beside it"; "" where they are everybody's, or it is alone."""
    parts = {} if isinstance(answer, Gap) else shares(answer, ("pod",))
    name, part = next(iter(parts.items()), ("", 0.0))
    others = 0 if isinstance(behind, Gap) else len({each.pod for each in behind} - {name})
    if not name or part < _NEARLY_ALL or not others:
        return ""
    return f"pod {name} has {share(part)} of the errors, {counted(others, 'other')} beside it"
