"""Log text in pieces: lines with their times, traces kept whole, families of errors, and what lines have in common.

Pure, and it judges words only: nothing is evaluated, a text that is looked for is a text and no pattern. What is
secret in a line is hidden where it is written (bot/render.py). Used by `logs` and by the diagnoses.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, or a trace of several. at: None where the line bears no time. source: whose it is ("x7k2p")."""

    text: str
    at: datetime | None = None
    source: str = ""

    @property
    def first(self) -> str:
        return self.text.partition("\n")[0]

    def __str__(self) -> str:
        clock = f"{self.at:%H:%M:%S} " if self.at else ""
        head = f"{clock}{self.source}{' ' if self.source else ''}"
        return "\n".join(
            (head if not n else " " * len(head)) + line for n, line in enumerate(self.text.split("\n"))
        )


_TIMED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def entries(text: str, source: str = "") -> tuple[Entry, ...]:
    """What `kubectl logs --timestamps` prints, in order."""
    return tuple(_folded(_timed(line, source) for line in text.splitlines()))


def _timed(line: str, source: str) -> Entry:
    found = _TIMED.match(line)
    if found is None:
        return Entry(_plain(line), None, source)
    micro = (found[2] or "").ljust(6, "0")[:6]
    try:
        at = datetime.fromisoformat(f"{found[1]}.{micro}{'+00:00' if found[3] == 'Z' else found[3]}")
    except ValueError:  # digits that are no date
        return Entry(_plain(line), None, source)
    return Entry(_plain(line[found.end() :]), at, source)


def _plain(line: str) -> str:
    """Without colours and what cannot be seen; a tab stays a tab."""
    return _CONTROL.sub("", line).rstrip()


# --- Traces -------------------------------------------------------------------------------------------

_PYTHON = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_GO = re.compile(r"(?:panic|fatal error): ")
_GO_FRAME = re.compile(
    r"goroutine \d+ \[|\[signal |created by |[\w./*()-]+\.[\w.*()-]+\(.*\)$|exit status \d+$|$"
)
_RUST = re.compile(r"thread '.*' panicked at ")
_CAUSED = re.compile(
    r"Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames)|note: run with `RUST_BACKTRACE"
)
_LONGEST = 200  # lines of one trace


def _folded(lines: Iterable[Entry]) -> Iterator[Entry]:
    """A trace as one entry. Lines of one trace follow each other, whatever their times."""
    held: list[Entry] = []
    for line in lines:
        if held and len(held) < _LONGEST and _goes_on([each.text for each in held], line.text):
            held.append(line)
            continue
        if held:
            yield _joined(held)
        held = [line]
    if held:
        yield _joined(held)


def _joined(lines: list[Entry]) -> Entry:
    return replace(lines[0], text="\n".join(each.text for each in lines).rstrip())


def _goes_on(held: list[str], line: str) -> bool:
    if line[:1] in (" ", "\t") and line.strip():
        return True
    if _CAUSED.match(line):
        return True
    if _GO.match(held[0]):
        return bool(_GO_FRAME.match(line))
    if _RUST.match(held[0]):
        return len(held) == 1
    return _is_python(held, line)


def _is_python(held: list[str], line: str) -> bool:
    """Up to the line that names the exception; and on, where another came while it was handled."""
    starts = [n for n, each in enumerate(held) if each.endswith(_PYTHON)]
    if not starts:
        return False
    named = [each for each in held[starts[-1] + 1 :] if each[:1] not in (" ", "\t", "")]
    if not named:
        return True
    if named[-1].startswith(_CHAINED):
        return not line or line == _PYTHON
    return not line or line.startswith(_CHAINED)


# --- Families -----------------------------------------------------------------------------------------

FAMILIES: Mapping[str, re.Pattern[str]] = {
    "trace": re.compile(
        r"Traceback \(most recent call last\)|^\s+at [\w.$<>/-]+[( ]|^panic: |^fatal error: |panicked at "
        r"|\bgoroutine \d+ \[|^[\w.$]+(?:Exception|Error)(?::|$)|stack ?trace",
        re.MULTILINE,
    ),
    "db": re.compile(
        r"\b(?:psycopg2?|sqlalchemy|pymongo|mongo(?:db)?|postgres(?:ql)?|mysql|mariadb|jdbc|hikari\w*|pgbouncer|redis"
        r"|sqlstate|sqlite|ora-\d+|deadlock|too many (?:connections|clients)|connection pool|database)\b",
        re.IGNORECASE,
    ),
    "timeout": re.compile(
        r"time[ds]?[ -]?out|deadline exceeded|ETIMEDOUT|ESOCKETTIMEDOUT|\b504\b|\bread timeout\b",
        re.IGNORECASE,
    ),
}
_BAD = re.compile(
    r"\b(?:ERROR|ERR|FATAL|CRITICAL|CRIT|SEVERE|EMERG|ALERT|PANIC)\b"
    r"|\b(?:error|exception|failed|failure|fatal|panic|refused|denied|unreachable|cannot|unable to)\b"
    r"|\"(?:level|severity)\": ?\"?(?:error|fatal|critical|50|60)\b|\" 5\d\d |\bstatus[=:] ?5\d\d\b",
)  # fmt: skip
_INNOCENT = re.compile(
    r"\b(?:0 (?:errors?|failed|failures)|no errors?|error[s_]?[=:] ?(?:0|null|none|nil)\b)", re.IGNORECASE
)
_QUIET = re.compile(r"^\W*(?:[\d:.,TZ /-]+ )?\[?(?:INFO|DEBUG|TRACE)\b|\"level\": ?\"(?:info|debug|trace)\"")


def families(entry: Entry) -> tuple[str, ...]:
    """Of an entry that says something went wrong: which families it is of. A database that is only named in a
    line of information is none."""
    return (
        tuple(name for name, words in FAMILIES.items() if words.search(entry.text)) if is_error(entry) else ()
    )


def is_error(entry: Entry) -> bool:
    if FAMILIES["trace"].search(entry.text):
        return True
    if _QUIET.search(entry.first) or _INNOCENT.search(entry.first):
        return False
    return bool(_BAD.search(entry.text) or FAMILIES["timeout"].search(entry.text))


def counts(found: Iterable[Entry]) -> Counter[str]:
    return Counter(name for entry in found for name in families(entry))


# --- What lines have in common --------------------------------------------------------------------------

_SAME: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<n>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
)  # fmt: skip


def pattern(entry: Entry) -> str:
    """The line without what differs from one time to the next. Of a trace, the line that names what was raised."""
    text = headline(entry)
    for found, word in _SAME:
        text = found.sub(word, text)
    return " ".join(text.split())


def headline(entry: Entry) -> str:
    """Of a trace, the line that says what went wrong; of a line, the line."""
    lines = [line for line in entry.text.split("\n") if line.strip()]
    if not lines:
        return ""
    if any(line.endswith(_PYTHON) for line in lines):
        raised = [line for line in lines if line[:1] not in (" ", "\t") and not line.startswith(_CHAINED)]
        return raised[-1] if raised[-1] != _PYTHON else lines[0]
    if _RUST.match(lines[0]) and len(lines) > 1:
        return f"{lines[0]} {lines[1]}"
    return lines[0]


# Where loggers in JSON put what happened, and what went wrong with it.
_SAID = (("msg", "message", "log", "event"), ("error", "err", "exception"))


def spoken(entry: Entry) -> str:
    """What an entry says, to be quoted: its headline, and of a line in JSON its message and error alone."""
    line = headline(entry).strip()
    if not line.startswith("{"):
        return line
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # cut off, or nested beyond reason
        return line
    texts = [next((said for name in names if (said := _text(found.get(name)))), "") for names in _SAID]
    return ": ".join(dict.fromkeys(filter(None, texts))) or line


def _text(value: object) -> str:
    """Some put the error's own fields under its name."""
    said = value.get("message") if isinstance(value, dict) else value
    return said.strip() if isinstance(said, str) else ""


def grouped(found: Iterable[Entry]) -> list[tuple[int, Entry]]:
    """How often each pattern was said, with its latest entry; the most frequent first."""
    latest: dict[str, Entry] = {}
    count: Counter[str] = Counter()
    for entry in found:
        key = pattern(entry)
        count[key] += 1
        latest[key] = entry
    return [(number, latest[key]) for key, number in count.most_common()]


def telling(found: Iterable[Entry]) -> str:
    """The line that a run's last words come down to: its last trace, else its last error, else its last line."""
    known = [entry for entry in found if entry.text.strip()]
    traces = [entry for entry in known if FAMILIES["trace"].search(entry.text)]
    errors = [entry for entry in known if is_error(entry)]
    chosen = (traces or errors or known)[-1:]
    return spoken(chosen[0]) if chosen else ""


def merged(each: Iterable[Iterable[Entry]]) -> tuple[Entry, ...]:
    """The lines of several logs by their times; what bears none stays behind the line before it."""
    timed: list[tuple[float, int, Entry]] = []
    for log in each:
        at = float("-inf")
        for entry in log:
            at = entry.at.timestamp() if entry.at else at
            timed.append((at, len(timed), entry))
    return tuple(entry for _, _, entry in sorted(timed, key=lambda one: one[:2]))
