"""The catalogue of what makes a service fail now and then: each cause by its signs, and how many of them are seen.

A sign that could not be looked for is neither seen nor missing, and is said to be unknown. Used by service.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.loglines import Entry
from commands.phrase import counted
from commands.triage.dependencies import Answer
from commands.triage.measured import share
from commands.triage.tails import Tails


@dataclass(frozen=True, slots=True)
class Sign:
    """is_seen: None where its source gave no answer."""

    words: str
    is_seen: bool | None


@dataclass(frozen=True, slots=True)
class Known:
    """A cause of the catalogue. key: its row. solution and prevention: what one does, in plain words."""

    key: str
    name: str
    solution: str
    prevention: str


DATABASE = Known(
    "T1-5.0",
    "database connection exhaustion",
    "raise the pool's size, or put a pooler (PgBouncer) before the database; pool × replicas must stay below its limit",
    "an alert on connections in use",
)
LEAK = Known(
    "T1-6.0",
    "memory leak",
    "restart the pods to win time, then look for what is kept (heap dump, profiler)",
    "an alert on the working set against its limit",
)
DEPENDENCY = Known(
    "T1-7.0",
    "dependency failure",
    "a circuit breaker and a fallback for what does not answer",
    "watch what it promises: `dependencies` with its sla",
)


@dataclass(frozen=True, slots=True)
class Match:
    known: Known
    signs: tuple[Sign, ...]
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def seen(self) -> int:
        return sum(each.is_seen is True for each in self.signs)

    @property
    def is_full(self) -> bool:
        return self.seen == len(self.signs)

    @property
    def words(self) -> str:
        """ "matches database connection exhaustion (2 of 2 signs)"."""
        return f"matches {self.known.name} ({self.seen} of {counted(len(self.signs), 'sign')})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """pool: share of the pool in use. growth: of the memory of the pod that grows fastest, MB an hour. killed: pods
    killed at their memory limit. None where not known."""

    tails: Tails
    pool: float | None
    growth: float | None
    killed: int | None
    dependencies: Sequence[Answer] = ()


_FULL = 0.9  # of a pool's connections in use


def matches(found: Evidence, leak: float, place: str) -> tuple[Match, ...]:
    """Every cause with its signs, the one with the most first. leak: MB an hour from which memory grows."""
    every = (_database(found, place), _dependency(found, place), _leak(found, leak, place))
    return tuple(sorted(every, key=lambda each: (-each.seen, len(each.signs))))


def _database(found: Evidence, place: str) -> Match:
    said = len(found.tails.of("db", "timeout")) or sum(map(_is_refused, found.tails.of("db")))
    told = (
        Sign(
            _log_words(said, "time-outs at the database, or no connection to be had"),
            _heard(found.tails, said),
        ),
        Sign(
            f"{share(found.pool)} of the pool's connections are in use"
            if found.pool is not None
            else "use of the pool",
            None if found.pool is None else found.pool >= _FULL,
        ),
    )
    return Match(DATABASE, told, (Suggestion("Look at the database", f"debug db {place}"),))


_REFUSALS = ("too many", "pool", "connection slots", "no more connections", "obtain connection", "acquire")


def _is_refused(entry: Entry) -> bool:
    return any(word in entry.text.casefold() for word in _REFUSALS)


def _leak(found: Evidence, leak: float, place: str) -> Match:
    grows = None if found.growth is None else found.growth >= leak
    told = (
        Sign(
            "growth of the memory"
            if found.growth is None
            else f"memory grows by {found.growth:.1f} MB an hour",
            grows,
        ),
        Sign(
            "kills at the memory limit"
            if found.killed is None
            else f"{counted(found.killed, 'container')} killed at the memory limit",
            None if found.killed is None else found.killed > 0,
        ),
    )
    offers = (
        Suggestion("Look at its memory", f"debug memory {place}"),
        Suggestion("Restart it", f"deploy restart {place}"),
    )
    return Match(LEAK, told, offers)


def _dependency(found: Evidence, place: str) -> Match:
    late = [entry for entry in found.tails.of("timeout") if entry not in found.tails.of("db")]
    failing = [each for each in found.dependencies if each.light is Light.RED]
    asked = [each for each in found.dependencies if each.light is not Light.UNKNOWN]
    named = ", ".join(each.about.name for each in failing)
    hosts = {each.host for each in found.dependencies if each.host}
    to_known = [entry for entry in late if any(host in entry.text for host in hosts)]
    words = _log_words(len(late), "time-outs at something that is no database")
    told = (
        Sign(f"{words}, {len(to_known)} of them naming a dependency" if to_known else words,
             _heard(found.tails, len(late))),
        Sign(f"{named} fails when asked" if failing else "a configured dependency fails when asked",
             bool(failing) if asked else None),
    )  # fmt: skip
    return Match(DEPENDENCY, told, (Suggestion("Look outside", f"debug net {place} --external"),))


def _log_words(number: int, what: str) -> str:
    return f"{what}: {counted(number, 'log line')}" if number else f"{what}, in the logs"


def _heard(tails: Tails, number: int) -> bool | None:
    return number > 0 if tails.read else None


def finding(match: Match) -> Finding:
    """What is seen and what is not; what one does about it where anything is."""
    state = {True: "seen", False: "not seen", None: "unknown"}
    lines = tuple(f"{state[each.is_seen]}: {each.words}" for each in match.signs)
    more = (f"what to do: {match.known.solution}", f"next time: {match.known.prevention}")
    light = Light.RED if match.is_full else Light.YELLOW
    return Finding(match.known.key, "Known cause", light, match.words, evidence=(*lines, *more))


def findings(found: Sequence[Match]) -> tuple[Finding, ...]:
    """Those with a sign; one line where none has one."""
    seen = [each for each in found if each.seen]
    if seen:
        return tuple(map(finding, seen))
    signs = [sign for each in found for sign in each.signs]
    unknown = [sign.words for sign in signs if sign.is_seen is None]
    names = "no database exhaustion, memory leak or dependency failure"
    if unknown:
        rest = "; the others are not seen" if len(unknown) < len(signs) else ""
        value = f"unknown: {len(unknown)} of {counted(len(signs), 'sign')} could not be looked for{rest}"
        asked = tuple(f"unknown: {words}" for words in unknown)
        return (Finding("T1-5.0", "Known causes", Light.UNKNOWN, value, evidence=asked),)
    return (Finding("T1-5.0", "Known causes", Light.GREEN, f"{names} by its signs"),)
