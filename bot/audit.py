"""The audit trail: the form of a line, how lines hang together, and reading them back.

Each line carries its number, the hash of the line before and its own; bot/state.py writes it inside the
commit script, so a change and its line happen together or not at all. Whoever may write to Redis could
write the whole chain anew; what tells then is the copy in the bucket (commands/audit). Nothing here writes,
and nothing trims. Called by bot/state.py and, for reading, by workers/clients.py.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from commands.effects import Target
from commands.model import Request, State
from commands.reads import AuditCopy, AuditFault, AuditLine, AuditPage, AuditProgress, AuditTrail

STREAM, HEAD = "sre:audit", "sre:audit:head"

# What the first line continues.
ROOT = "0" * 40

# A fact longer than this is cut, and says so: a line is kept for ever, in memory.
LONGEST = 2000

# Lines fetched at once while reading back: about a megabyte.
PAGE = 500

# Faults that are told one by one.
FAULTS = 20

# The names the chain itself uses, in the order in which they are hashed; "hash" is the rest of the line.
FRAME = ("seq", "prev", "at", "what")

# Lua, for the commit script: ARGV holds the count of lines, then (count, name, value …) each, names and
# values in the order they are hashed. `clock` is Redis's time in ms, `take` the next argument.
# Each part is written as "<bytes>:<part>", so that no text can pass for a boundary.
CHAIN = """
for _ = 1, tonumber(take()) do
  local head = redis.call('HMGET', 'sre:audit:head', 'seq', 'hash')
  local seq = string.format('%.0f', (tonumber(head[1]) or 0) + 1)
  local line = {'seq', seq, 'prev', head[2] or string.rep('0', 40), 'at', string.format('%.0f', clock)}
  for _ = 1, tonumber(take()) do line[#line + 1] = take() end
  local parts = {}
  for n, part in ipairs(line) do parts[n] = #part .. ':' .. part end
  local hash = redis.sha1hex(table.concat(parts))
  line[#line + 1] = 'hash'; line[#line + 1] = hash
  redis.call('XADD', 'sre:audit', '*', unpack(line))
  redis.call('HSET', 'sre:audit:head', 'seq', seq, 'hash', hash)
end
"""


# --- Writing --------------------------------------------------------------------------------------


def parts(what: str, facts: Mapping[str, str], redact: Callable[[str], str]) -> list[bytes]:
    """A line as the script takes it: its names and values after seq, prev and at."""
    reserved = {*FRAME, "hash"} & set(facts)
    if reserved:
        raise ValueError(f"the chain's own names are not facts: {', '.join(sorted(reserved))}")
    told = [("what", what), *sorted((name, value) for name, value in facts.items() if value)]
    return [_bounded(part, redact).encode(errors="replace") for pair in told for part in pair]


def _bounded(value: str, redact: Callable[[str], str]) -> str:
    """Redacted before it is cut: half a secret does not look like one any more."""
    value = redact(value)
    if len(value) <= LONGEST:
        return value
    return f"{value[:LONGEST]}… ({len(value) - LONGEST} characters more)"


def named(target: Target) -> str:
    """An object as lines name it: "node/n1", "pod/shop/web-1"."""
    return f"{target.kind.lower()}/{target.path}"


def facts_of(request: Request) -> dict[str, str]:
    """What every line about a request as a whole says of it, whoever writes the line."""
    facts = {"cluster": request.cluster, "why": request.why}
    if request.plan:
        facts["digest"] = request.plan.digest
        facts["objects"] = " ".join(map(named, request.plan.targets))
    if request.plan and request.state not in (State.AWAITING, State.BLOCKED):
        facts["before"] = "; ".join(f"{what}: {value}" for what, value in request.plan.before)
    if request.verdict and not request.is_open:
        facts["verdict"] = request.verdict.result.value
        facts["after"] = "; ".join((request.verdict.summary, *request.verdict.left)).strip("; ")
    return facts


# --- The chain ------------------------------------------------------------------------------------

Line = Mapping[bytes, bytes]  # as Redis gives it, in the order in which it was written


def digest(line: Line) -> str:
    """The hash of a line without its own "hash", as the script computes it."""
    pairs = [pair for pair in line.items() if pair[0] != b"hash"]
    text = b"".join(b"%d:%b" % (len(part), part) for pair in pairs for part in pair)
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


class Follower:
    """Follows the chain line by line and notes what does not hold. copies: what the bucket knows of it."""

    def __init__(self, so_far: AuditProgress, copies: Sequence[AuditCopy] = ()) -> None:
        self._known = so_far
        self._entry, self._seq, self._hash = so_far.entry, so_far.seq, so_far.hash or ROOT
        self._lines, self._older = so_far.lines, so_far.older
        self._faults, self._count = list(so_far.faults), so_far.fault_count
        self._missing = list(so_far.missing)
        self._copies = {copy.seq: copy for copy in copies}

    def so_far(self) -> AuditProgress:
        return replace(
            self._known, entry=self._entry, seq=self._seq, hash=self._hash, lines=self._lines,
            older=self._older, faults=tuple(self._faults), fault_count=self._count,
            missing=tuple(self._missing),
        )  # fmt: skip

    def take(self, entry: str, line: Line) -> None:
        """The next line of the stream."""
        before, self._entry = self._entry, entry
        seq, written = (
            line.get(b"seq", b"").decode(errors="replace"),
            line.get(b"hash", b"").decode(errors="replace"),
        )
        if not (written and seq.isascii() and seq.isdigit()):
            self._unchained(entry)
            return
        self._lines += 1
        if digest(line) != written:
            self._fault(int(seq), entry, "was changed after it was written")
        self._placed(int(seq), entry, written, line.get(b"prev", b"").decode(errors="replace"), before)

    def _placed(self, seq: int, entry: str, written: str, prev: str, before: str) -> None:
        """Whether this line stands where it was written: after the one that it continues."""
        if seq <= self._seq:
            self._late(seq, entry)
            return
        if seq > self._seq + 1:
            self._missing.append((self._seq + 1, seq - 1))
        elif prev != self._hash:
            self._fault(self._seq, before, f"was replaced: line {seq} continues another one")
        self._seq, self._hash = seq, written
        copy = self._copies.get(seq)
        if copy and copy.hash != written:
            self._fault(seq, entry, f"is another one than in the copy of {copy.day}")
        if seq == self._known.head_seq and written != self._known.head_hash:
            self._fault(seq, entry, "is not the one that the store took for the last")

    def _unchained(self, entry: str) -> None:
        """Lines of version 0.1 bear no hash; after the first one that does, none may."""
        if self._lines or self._seq:
            self._lines += 1
            self._fault(
                self._seq, entry, "is followed by one without number and hash, which the bot did not write"
            )
        else:
            self._older += 1

    def _late(self, seq: int, entry: str) -> None:
        for place, (first, last) in enumerate(self._missing):
            if first <= seq <= last:
                rest = ((first, seq - 1), (seq + 1, last))
                self._missing[place : place + 1] = [each for each in rest if each[0] <= each[1]]
                self._fault(seq, entry, f"was moved: it stands after line {self._seq}")
                return
        self._fault(seq, entry, f"stands there once more, after line {self._seq}")

    def end(self, head_seq: int) -> None:
        """No line is left. head_seq: what the store takes for the last one now."""
        known = max((self._known.head_seq, *self._copies))
        if self._seq < known:
            self._missing.append((self._seq + 1, known))
        if self._seq > head_seq:
            self._fault(self._seq, self._entry, f"was added from outside: the store counts {head_seq} lines")
        self._known = replace(self._known, is_over=True)

    def _fault(self, seq: int, entry: str, text: str) -> None:
        self._count += 1
        if len(self._faults) < FAULTS:
            self._faults.append(AuditFault(seq, entry, text))


# --- Reading it back ------------------------------------------------------------------------------


class Trail:
    """The stream, read in pages. Raises redis.exceptions.RedisError."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def head(self) -> tuple[int, str]:
        seq, hash = self._redis.hmget(HEAD, "seq", "hash")
        return int(seq or 0), (hash or b"").decode()

    def last(self) -> str:
        """The place of the newest line; "0-0" where there is none."""
        newest = self._redis.xrevrange(STREAM, count=1)
        return newest[0][0].decode() if newest else "0-0"

    def lines(self, after: str = "") -> Iterator[tuple[str, Line]]:
        """Every line after this entry, oldest first."""
        while page := self._redis.xrange(STREAM, f"({after}" if after else "-", "+", count=PAGE):
            for entry, line in page:
                after = entry.decode()
                yield after, line

    def back(self, oldest: datetime) -> Iterator[tuple[str, Line]]:
        """Every line that is not older, newest first."""
        first, last = int(oldest.timestamp() * 1000), "+"
        while page := self._redis.xrevrange(STREAM, last, first, count=PAGE):
            for entry, line in page:
                last = f"({entry.decode()}"
                yield entry.decode(), line

    def follow(
        self, so_far: AuditProgress, copies: Sequence[AuditCopy], is_late: Callable[[], bool]
    ) -> AuditProgress:
        """The chain from where it was left, to its end or until it is late."""
        if not so_far.entry:
            seq, hash = self.head()
            so_far = replace(so_far, head_seq=seq, head_hash=hash)
        follower = Follower(so_far, copies)
        for count, (entry, line) in enumerate(self.lines(so_far.entry), 1):
            follower.take(entry, line)
            if count % PAGE == 0 and is_late():
                return follower.so_far()
        follower.end(self.head()[0])
        return follower.so_far()

    def search(self, read: AuditTrail, now: datetime, is_late: Callable[[], bool]) -> AuditPage:
        """The newest lines that the read asks for."""
        found: list[AuditLine] = []
        for count, (entry, raw) in enumerate(self.back(now - read.since), 1):
            line = view(entry, raw)
            if _is_meant(line, read):
                if len(found) == read.limit:
                    return AuditPage(tuple(found), is_whole=False)
                found.append(line)
            if count % PAGE == 0 and is_late():
                return AuditPage(tuple(found), is_whole=False)
        return AuditPage(tuple(found), is_whole=True)


def view(entry: str, raw: Line) -> AuditLine:
    """A line as people and files get it; one of version 0.1 has no number and no hash."""
    told = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in raw.items()}
    hash = told.pop("hash", "")
    facts = {name: value for name, value in told.items() if name not in FRAME}
    seq = told.get("seq", "")
    number = int(seq) if seq.isascii() and seq.isdigit() else 0
    at, what = _moment(told.get("at", "")), told.get("what", "")
    return AuditLine(entry, number, at, what, facts, hash, tuple(told.items()))


def _moment(at: str) -> datetime:
    if at.isdecimal():
        return datetime.fromtimestamp(int(at) / 1000, UTC)
    try:
        return datetime.fromisoformat(at)
    except ValueError:  # somebody wrote it who was not the bot
        return datetime.fromtimestamp(0, UTC)


def _is_meant(line: AuditLine, read: AuditTrail) -> bool:
    is_theirs = not read.who or read.who in (line.facts.get("by"), line.facts.get("requester"))
    return is_theirs and (not read.object or is_about(line, read.object))


def is_about(line: AuditLine, object: str) -> bool:
    """Whether the line names the object; where there was no plan yet, whether its text has the name."""
    *parents, name = object.casefold().split("/")
    for named in line.facts.get("objects", "").casefold().split():
        *above, last = named.split("/")
        if last == name and set(parents) <= set(above):
            return True
    said = f"{line.facts.get('text', '')} {line.facts.get('id', '')}"  # a refusal has its text for an id
    return "objects" not in line.facts and name in re.split(r"[\s,/]+", said.casefold())
