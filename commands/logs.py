"""`logs`: the latest lines of all pods of a workload, merged by time; errors by family and by what they have in common.

Bounded on every side: pods, lines and bytes of each; `-f` is taken and answered so, because a follow never ends. A
text that is looked for is a text, never a pattern. What is longer than a block is a file. What is secret is hidden
where it is written.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from commands.command import Command, Flag, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.grammar import duration
from commands.loglines import Entry, counts, entries, families, grouped, is_error, merged, spoken
from commands.model import Args, Attachment, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted, span
from commands.podreads import ContainerLog, LogText, PodDetail, PodDetails, PodRow, PodRows
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage.whose import Wanted, short, wanted
from commands.wording import KEPT, TABLE, one_line, onward, unread

PODS = 20  # pods of one workload that are asked
LOGS = 40  # logs of them all
_TAIL, _MOST = 100, 2000
_SEARCHED = 5000  # lines of each log that are looked through for a text
_BYTES = 4 * 1024 * 1024  # of all logs
_WIDTH = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """What was typed. tail: how many lines of each log are shown; text: what they must hold, "" for all of them."""

    about: Wanted
    tail: int = _TAIL
    text: str = ""
    errors: bool = False
    previous: bool = False
    container: str = ""
    since: timedelta = timedelta(0)
    follow: bool = False

    @property
    def lines(self) -> int:
        """How many are asked of each log: more where only some of them are shown."""
        if self.text or self.errors:
            return _SEARCHED
        return self.tail

    def keeps(self, entry: Entry) -> bool:
        if self.errors:
            return is_error(entry)
        return self.text.casefold() in entry.text.casefold()

    @property
    def typed(self) -> str:
        return f"{self.about.path}{' --previous' if self.previous else ''}"


def parts(args: Args, site: ClusterSite) -> Parts:
    choice = _choice(args, site)
    run = ", the run before" if choice.previous else ""
    return {"logs": Part(f"Logs of {choice.about.path}{run}", _inquiry(choice))}


def _choice(args: Args, site: ClusterSite) -> Choice:
    flags = args.flags
    tail = int(flags.get("tail", _TAIL))
    if not 0 < tail <= _MOST:
        raise UsageError(f"`--tail {tail}` is out of range: from 1 to {_MOST} lines of each pod.")
    text = flags.get("grep", "")
    is_family = text.casefold() in ("error", "errors")
    return Choice(
        about=wanted(args, site),
        tail=tail,
        text="" if is_family else text,
        errors=is_family,
        previous="previous" in flags,
        container=flags.get("container", ""),
        since=duration(flags["since"]) if "since" in flags else timedelta(0),
        follow="follow" in flags,
    )


# --- Reading --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """One log: whose, and what it said."""

    read: ContainerLog
    source: str
    answer: LogText | Gap

    @property
    def entries(self) -> tuple[Entry, ...]:
        return entries(self.answer.text, self.source) if isinstance(self.answer, LogText) else ()


def _inquiry(choice: Choice) -> Inquiry:
    title = f"Logs of {choice.typed}"
    every = PodRows(choice.about.namespace)
    seen = yield (Now(), every)
    rows: Sequence[PodRow] | Gap = seen[every]
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    if isinstance(rows, Gap):
        return Section("logs", title, True, (unread("T1-2", "Pods", rows),))
    mine = choice.about.pods(rows)
    if not mine:
        return Section("logs", title, True, (_nobody(choice, rows),))
    details = yield from _details(choice, mine[:PODS])
    heard = yield from _logs(choice, details)
    return _section(choice, title, heard, len(mine), now)


def _details(choice: Choice, rows: Sequence[PodRow]) -> Generator[Reads, Seen, tuple[PodDetail | Gap, ...]]:
    """Their containers; where one is named, they need not be asked for."""
    reads = tuple(PodDetails(row.namespace or choice.about.namespace, row.name) for row in rows)
    seen = yield reads
    found: list[PodDetail | Gap] = []
    for read in reads:
        answer = seen[read]
        found += [answer] if isinstance(answer, Gap) else list(answer)
    return tuple(found)


def _logs(choice: Choice, pods: Sequence[PodDetail | Gap]) -> Generator[Reads, Seen, tuple[Heard, ...]]:
    known = [(pod, name) for pod in pods if isinstance(pod, PodDetail) for name in _containers(choice, pod)]
    limit = max(_BYTES // max(len(known[:LOGS]), 1), 16 * 1024)
    asked = [
        (
            pod, name,
            ContainerLog(pod.namespace, pod.name, name, choice.previous, limit, choice.lines, choice.since),
        )
        for pod, name in known[:LOGS]
    ]  # fmt: skip
    seen = (yield tuple(read for _, _, read in asked)) if asked else Seen({})
    several = len({name for _, name, _ in asked}) > 1
    return tuple(
        Heard(read, f"{short(pod.name)}/{name}" if several else short(pod.name), seen[read])
        for pod, name, read in asked
    )


def _containers(choice: Choice, pod: PodDetail) -> list[str]:
    """The one that was named; else the ones that serve, and whatever of the others has not done its work."""
    if choice.container:
        return [choice.container]
    return [each.name for each in pod.containers if not each.kind or (each.kind == "init" and _is_stuck(pod))]


def _is_stuck(pod: PodDetail) -> bool:
    return pod.phase == "Pending" and bool(pod.node)


def _nobody(choice: Choice, rows: Sequence[PodRow]) -> Finding:
    near = choice.about.near(rows)
    where = f" in {choice.about.namespace}"
    offers = tuple(Suggestion(name, f"logs {choice.about.namespace}/{name}") for name in near)
    evidence = (f"nearest: {', '.join(near)}",) if near else ()
    value = f"no pod of {choice.about.name}{where}"
    return Finding("T1-2", "Logs", Light.YELLOW, value, evidence=evidence, suggestions=offers)


# --- Telling --------------------------------------------------------------------------------------------


def _section(choice: Choice, title: str, heard: Sequence[Heard], pods: int, now: datetime | None) -> Section:
    kept = [[entry for entry in each.entries if choice.keeps(entry)][-choice.tail :] for each in heard]
    lines = merged(kept)
    findings = (
        _lines(choice, heard, lines, pods),
        *_families(heard),
        *(_groups(lines) if choice.errors else ()),
        *_silent(choice, heard),
        *_unread(heard),
    )
    table, files = _shown(choice, lines)
    section = Section("logs", title, True, findings, _note(choice, heard, now), files, table)
    return onward(section, *_steps(choice))


def _lines(choice: Choice, heard: Sequence[Heard], lines: Sequence[Entry], pods: int) -> Finding:
    asked = len({each.read.pod for each in heard})
    of = f"{asked} of {counted(pods, 'pod')}" if asked < pods else counted(pods, "pod")
    what = "error" if choice.errors else "line"
    value = f"{counted(len(lines), what)} of {of}"
    if choice.text:
        value += f" with “{one_line(choice.text, 60)}”"
    times = [entry.at for entry in lines if entry.at]
    if times:
        value += f", {min(times):%H:%M:%S} to {max(times):%H:%M:%S} UTC"
    light = Light.YELLOW if choice.errors and lines else Light.GREEN
    if not any(isinstance(each.answer, LogText) for each in heard):
        light = Light.UNKNOWN
    return Finding("T1-2", "Lines", light, value)


def _families(heard: Sequence[Heard]) -> tuple[Finding, ...]:
    every = [entry for each in heard for entry in each.entries]
    found = counts(every)
    if not found:
        return ()
    latest = {name: entry for entry in every for name in families(entry)}
    lines = tuple(
        f"{name}: {number}, such as {one_line(spoken(latest[name]), 200)}"
        for name, number in found.most_common()
    )
    value = ", ".join(f"{name} {number}" for name, number in found.most_common())
    return (Finding("T1-2.1", "Errors by family", Light.YELLOW, value, evidence=lines),)


def _groups(lines: Sequence[Entry]) -> tuple[Finding, ...]:
    found = grouped(lines)
    if not found:
        return ()
    told = tuple(
        f"{number} × {one_line(spoken(entry), 220)}" + (f" (last {entry.at:%H:%M:%S})" if entry.at else "")
        for number, entry in found[:KEPT]
    )
    return (
        Finding(
            "TF-1.2", "Patterns", Light.YELLOW, counted(len(found), "kind") + " of errors", evidence=told
        ),
    )


def _silent(choice: Choice, heard: Sequence[Heard]) -> tuple[Finding, ...]:
    """Runs that never were: said kindly, and no fault of anybody's."""
    quiet = [each for each in heard if _missing(each)]
    if not quiet:
        return ()
    wrong = next((each for each in quiet if "is not valid for pod" in _missing(each)), None)
    if wrong:
        value = f"there is no container {wrong.read.container} in {wrong.read.pod}"
        return (Finding("T1-2", "Container", Light.YELLOW, value),)
    names = ", ".join(each.source for each in quiet[:6])
    if choice.previous:
        value = f"{names}: never ended before, so there is no run before this one"
        return (Finding("T3-5.3", "Run before", Light.GREEN, value),)
    facts = tuple(f"{each.source}: {one_line(_missing(each))}" for each in quiet)
    return (Finding("T1-2", "No log yet", Light.YELLOW, names, evidence=facts),)


def _missing(each: Heard) -> str:
    return each.answer.missing if isinstance(each.answer, LogText) else ""


def _unread(heard: Sequence[Heard]) -> tuple[Finding, ...]:
    """One line for all that failed in the same way."""
    gaps = {each.answer: each.source for each in reversed(heard) if isinstance(each.answer, Gap)}
    return tuple(unread("T1-2", f"Log of {source}", gap) for gap, source in gaps.items())


def _shown(choice: Choice, lines: Sequence[Entry]) -> tuple[tuple[str, ...], tuple[Attachment, ...]]:
    """The latest lines that fit a block; all of them as a file where these are not all."""
    every = list(chain.from_iterable(str(entry).split("\n") for entry in lines))
    short_ones = [line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in every]
    kept: list[str] = []
    room = TABLE - 80
    for line in reversed(short_ones):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    if len(kept) == len(every) and short_ones == every:
        return tuple(reversed(kept)), ()
    name = f"{choice.about.name}{'-previous' if choice.previous else ''}.log"
    file = Attachment(name, f"Logs of {choice.typed}", "\n".join(every) + "\n")
    left = len(every) - len(kept)
    head = (f"… {counted(left, 'line')} before these in {name}",) if left else ()
    return (*head, *reversed(kept)), (file,)


def _note(choice: Choice, heard: Sequence[Heard], now: datetime | None) -> str:
    cut = any(isinstance(each.answer, LogText) and each.answer.is_cut for each in heard)
    limit = min((each.read.limit for each in heard), default=0) // 1024
    looked = f"at most the last {choice.lines} lines and {limit} kB of each log"
    facts = [
        f"bounded, not followed: as of {now:%H:%M:%S} UTC, ask again for newer ones"
        if choice.follow and now
        else "",
        "bounded, not followed" if choice.follow and not now else "",
        f"of the last {span(choice.since)}" if choice.since else "",
        f"looked through {looked}" if choice.text or choice.errors else "",
        "older lines were left out" if cut else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def _steps(choice: Choice) -> tuple[Suggestion, ...]:
    place = choice.about.path
    errors = () if choice.errors else (Suggestion("Errors only", f"logs {place} --grep errors"),)
    before = () if choice.previous else (Suggestion("The run before", f"logs {place} --previous"),)
    return (*errors, *before, Suggestion("Why it does not start", f"debug startup {place}"))


COMMANDS: tuple[Command, ...] = (
    Command(
        word="logs",
        verbs=("",),
        summary="The latest lines of all pods of a workload, merged by time; or the errors, by kind.",
        rows=("TF-1.2", "TF-3.1", "T1-2", "T1-2.1", "T3-5.3", "C51"),
        parts=parts,
        examples=(
            "logs backend",
            "logs backend --tail 200 --since 15m",
            "logs backend --grep errors",
            'logs backend --grep "connection refused"',
            "logs backend --previous",
        ),
        flags=(
            Flag("namespace", "where to look", "NAMESPACE", "n"),
            Flag("tail", "how many lines of each pod, at most 2000", "100"),
            Flag("grep", "errors, or a text that the lines must hold", "TEXT"),
            Flag("previous", "what was said before the last restart", short="p"),
            Flag("since", "how far back to look", "1h"),
            Flag("container", "this container alone, an init container too", "CONTAINER", "c"),
            Flag("follow", "taken and not done: an answer ends", short="f"),
        ),
        names="NAME",
    ),
)
