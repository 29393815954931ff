"""Pure: how findings are written, in an answer, in a plan and in a verdict alike: a line each, worst first,
with its colour, its worst fact and the line that mends it."""

from bot.blocks import cut, dated, escape
from commands.finding import Finding, Light
from commands.phrase import shortly

_EVIDENCE = 5  # lines of evidence under a finding before "and n more"

ICON = {Light.GREEN: "🟢", Light.YELLOW: "🟡", Light.RED: "🔴", Light.UNKNOWN: "⚪"}
WORST = (Light.RED, Light.UNKNOWN, Light.YELLOW)


def severity(light: Light) -> int:
    return (*WORST, Light.GREEN).index(light)


def top_lines(findings: list[Finding]) -> list[str]:
    """One line per finding; those that one silent source left unknown share a line."""
    by_reason: dict[str, list[Finding]] = {}
    for finding in findings:
        key = _judged(finding) if finding.light is Light.UNKNOWN else f"{id(finding)}"
        by_reason.setdefault(key, []).append(finding)
    return [_top_line(same[0]) if len(same) == 1 else _shared_line(same) for same in by_reason.values()]


def judged_lines(findings: tuple[Finding, ...]) -> list[str]:
    """Every finding with its evidence; a mend that serves several stands under the last of them."""
    lines: list[str] = []
    for n, finding in enumerate(findings):
        lines += finding_lines(finding)
        if finding.mend and finding.mend not in {later.mend for later in findings[n + 1 :]}:
            lines += [f"      → {escape(line)}" for line in cut(finding.mend, 600).split("\n")]
    return lines


def finding_lines(finding: Finding) -> list[str]:
    lines = [one_line(finding)]
    shown = finding.evidence[:_EVIDENCE]
    lines += [f"      • {_fact(fact, 400)}" for fact in shown]
    if len(finding.evidence) > _EVIDENCE:
        lines.append(f"      • and {len(finding.evidence) - _EVIDENCE} more")
    return lines


def one_line(finding: Finding) -> str:
    """A finding on one line: colour, name, value against threshold, and the worst fact."""
    line = f"{ICON[finding.light]} *{escape(finding.label)}*"
    if _judged(finding):
        line += f"  {escape(_judged(finding))}"
    if finding.threshold:
        line += f"  ({escape(finding.threshold)})"
    if finding.alarm:
        line += f"  · {escape(finding.alarm)}"
    elif finding.light is not Light.GREEN and finding.evidence and finding.value in ("", "unknown"):
        line += f"  {escape(finding.evidence[0])}"
    return dated(cut(shortly(line.replace("\n", " ")), 600))


def _fact(text: str, limit: int) -> str:
    return dated(escape(cut(shortly(text), limit)))


def _top_line(finding: Finding) -> str:
    """The line of the summary card; what is red names its worst case there, for who reads no further."""
    line = one_line(finding)
    if finding.light is Light.RED and finding.evidence and not finding.alarm and finding.value:
        line += f"  · {_fact(finding.evidence[0], 160)}"
    return line


def _shared_line(findings: list[Finding]) -> str:
    names = ", ".join(escape(finding.label) for finding in findings[:4])
    more = f" and {len(findings) - 4} more" if len(findings) > 4 else ""
    return cut(f"{ICON[findings[0].light]} *{names}*{more}  {escape(_judged(findings[0]))}", 600)


def _judged(finding: Finding) -> str:
    """The value, or for what was not read the word "unknown" and the reason."""
    if finding.light is not Light.UNKNOWN or finding.value.startswith("unknown"):
        return finding.value
    return f"unknown: {finding.value}" if finding.value else "unknown"
