"""Words that answers share: ages, latencies, lines worst first, and a finding for what could not be read."""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Attachment, Gap, Section
from commands.phrase import counted, span

Fact = tuple[Light, str]  # one line of evidence and how it is judged

KEPT = 50  # lines of evidence a record carries; the renderer shows the first and counts the rest

# Younger than this a pod (or a node's metrics) may be on its way, whatever else is said of it.
NEW = timedelta(seconds=120)

_ORDER = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def age(since: datetime | None, now: datetime | None) -> str:
    """ " for 12 min", or "" where nobody said since when, or what time it is, or where it began just now."""
    return f" for {span(now - since)}" if since and now and now - since >= timedelta(seconds=1) else ""


def took(length: timedelta) -> str:
    """A latency: "12 ms", "1.2 s"."""
    milliseconds = length / timedelta(milliseconds=1)
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def one_line(text: str, limit: int = 160) -> str:
    """Foreign text on one line, cut where it gets long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def unread(key: str, label: str, gap: Gap, threshold: str = "") -> Finding:
    """What was not read: never green, with the reason and the line that makes it readable."""
    return Finding(key, label, Light.UNKNOWN, f"unknown: {one_line(gap.reason)}", threshold, mend=gap.mend)


def buttons(light: Light, *offered: Suggestion) -> tuple[Suggestion, ...]:
    """Suggestions for what is wrong; none for what is green or was not read."""
    return tuple(offered) if light in (Light.RED, Light.YELLOW) else ()


def worst_first(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Facts with their lights as evidence, worst first and otherwise in the order given; at most KEPT."""
    return tuple(text for _, text in sorted(facts, key=lambda fact: _ORDER.index(fact[0])))[:KEPT]


TABLE = 2900  # characters that fit one block of letters of one width


def aligned(header: Iterable[str], rows: Iterable[Iterable[str]], width: int = 48) -> tuple[str, ...]:
    """Rows in columns under their header. What is longer than `width` loses its middle: both ends of a name
    tell it apart. The last column is left as long as it is."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    last = len(lines[0]) - 1
    cells = [
        [cell if n == last else middle_cut(cell, width) for n, cell in enumerate(line)] for line in lines
    ]
    widths = [max(len(line[n]) for line in cells) for n in range(last)]
    return tuple("  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[last]]).rstrip()
                 for line in cells)  # fmt: skip


def middle_cut(text: str, width: int) -> str:
    """A name whose ends both matter: "traffic-generator-…-x7k2p"."""
    if len(text) <= width:
        return text
    tail = width // 2
    return f"{text[: width - tail - 1]}…{text[-tail:]}"


def fitting(table: tuple[str, ...], limit: int = TABLE) -> tuple[str, ...]:
    """The first lines of a table that fit one block."""
    room = limit
    kept = []
    for line in table:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return tuple(kept)


def shown_and_kept(
    table: tuple[str, ...], rows: int, name: str, title: str
) -> tuple[tuple[str, ...], tuple[Attachment, ...]]:
    """A table's first rows, and the whole of it as a file where they are not all."""
    kept = fitting(table[: rows + 1], TABLE - 60)
    left = len(table) - len(kept)
    if not left:
        return kept, ()
    file = Attachment(name, title, "\n".join(table) + "\n")
    return (*kept, f"… {counted(left, 'more line')} in {name}"), (file,)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Names that somebody may have meant: those that begin or go on with it, then those that look like it."""
    names = list(dict.fromkeys(known))
    inside = sorted(
        (each for each in names if name in each), key=lambda each: (not each.startswith(name), each)
    )
    alike = difflib.get_close_matches(name, names, n=limit, cutoff=0.5)
    return list(dict.fromkeys((*inside, *alike)))[:limit]


def missing(key: str, kind: str, name: str, where: str, known: Iterable[str], verb: str) -> Finding:
    """There is no such thing: an answer, with what may have been meant as buttons for `verb`."""
    near = nearest(name, known)
    return Finding(
        key,
        kind,
        Light.YELLOW,
        f"there is no {kind.casefold()} {name}{where}",
        evidence=(f"nearest: {', '.join(near)}",) if near else (),
        suggestions=tuple(Suggestion(each, f"{verb} {each}") for each in near),
    )


def onward(section: Section, *steps: Suggestion) -> Section:
    """Every answer ends with the next buttons: these, where what was found offers none of its own."""
    if not section.findings or any(finding.suggestions for finding in section.findings):
        return section
    *others, last = section.findings
    return replace(section, findings=(*others, replace(last, suggestions=steps)))
