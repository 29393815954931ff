"""Answers what is asked of the audit trail: its lines, whether its chain holds, and its copies in the bucket.

A copy is a file of JSON lines, made once, named by its day and by the line it ends with; the next one goes on
from there. What it holds ends at midnight UTC, so that two workers at it write the same bytes under the same
name. An object that is there is never written over with anything else, and none is ever removed.
Called by workers/reader.py.
"""

import gzip
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any, Protocol

from bot.audit import Follower, Line, Trail, view
from commands.model import Read
from commands.reads import (
    AuditChain,
    AuditCopies,
    AuditCopy,
    AuditKept,
    AuditLine,
    AuditPage,
    AuditProgress,
    AuditTrail,
    KeepAudit,
)
from workers import ownstore

PREFIX = "audit/"

# Lines of one file, which is made in memory: a few megabytes before it is packed.
IN_ONE = 10_000

# What is left of the time for a read when following the chain stops, to go on in the next one.
_SPARE_SECONDS = 0.5

_KEY = re.compile(re.escape(PREFIX) + r"([0-9-]{10})\.([0-9]+)\.([0-9]+-[0-9]+)\.([0-9a-f]{40})\.jsonl\.gz")


class Bucket(Protocol):
    def keys(self, prefix: str) -> list[str]: ...

    def put(self, key: str, content: bytes, sha256: str) -> str: ...


class TrailSource:
    """bucket: where the copies are; None where no bucket is configured. called: what people call a user. withheld: the
    places of those lines that are not for everybody; None where all are."""

    def __init__(
        self,
        trail: Trail,
        bucket: Bucket | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        in_one: int = IN_ONE,
        called: Callable[[str], str] = lambda user: "",
        withheld: Callable[[tuple[AuditLine, ...]], frozenset[str]] | None = None,
    ) -> None:
        self._trail = trail
        self._bucket = bucket
        self._now = now
        self._in_one = in_one
        self._called = called
        self._withheld = withheld

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((AuditTrail, AuditChain), (AuditCopies, KeepAudit))

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            return self._answer(read, lambda: time.monotonic() > deadline - _SPARE_SECONDS)

    def _answer(self, read: Read, is_late: Callable[[], bool]) -> Any:
        match read:
            case AuditTrail():
                page = self._discreet(self._trail.search(read, self._now(), is_late), read)
                people = {line.facts["by"] for line in page.lines if line.facts.get("by")}
                return replace(page, called={user: self._called(user) for user in people})
            case AuditChain():
                return self._trail.follow(read.so_far, read.copies, is_late)
            case AuditCopies():
                return None if self._bucket is None else copies(self._bucket)
            case KeepAudit():
                return None if self._bucket is None else self._keep(self._bucket)
        raise LookupError(f"not a read of the audit trail: {read}")

    def _discreet(self, page: AuditPage, read: AuditTrail) -> AuditPage:
        if read.is_private or self._withheld is None:
            return page
        hidden = self._withheld(page.lines)
        kept = tuple(line for line in page.lines if line.entry not in hidden)
        return replace(page, lines=kept, withheld=len(page.lines) - len(kept))

    def _keep(self, bucket: Bucket) -> AuditKept:
        known = copies(bucket)
        last = known[-1] if known else None
        lines = list(islice(self._until_midnight(last.entry if last else ""), self._in_one))
        found = _followed(lines, last)
        if found.seq == (last.seq if last else 0):
            return AuditKept(last, found=found)
        content = gzip.compress(b"".join(view(*each).as_json().encode() + b"\n" for each in lines), mtime=0)
        copy = AuditCopy(f"{self._now():%Y-%m-%d}", found.seq, found.entry, found.hash)
        sha256 = hashlib.sha256(content).hexdigest()
        bucket.put(key(copy), content, sha256)
        return AuditKept(copy, True, found, sha256, len(content))

    def _until_midnight(self, after: str) -> Iterator[tuple[str, Line]]:
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        return takewhile(lambda each: view(*each).at < midnight, self._trail.lines(after))


def _followed(lines: list[tuple[str, Line]], last: AuditCopy | None) -> AuditProgress:
    """How the chain stands in these lines, which continue the last copy."""
    begun = AuditProgress(last.entry, last.seq, last.hash) if last else AuditProgress()
    follower = Follower(begun)
    for entry, line in lines:
        follower.take(entry, line)
    return follower.so_far()


def copies(bucket: Bucket) -> tuple[AuditCopy, ...]:
    """What the names in the bucket say, by the lines they end with; other files are not looked at."""
    names = (_KEY.fullmatch(name) for name in bucket.keys(PREFIX))
    found = (AuditCopy(name[1], int(name[2]), name[3], name[4]) for name in names if name)
    return tuple(sorted(found, key=lambda copy: copy.seq))


def key(copy: AuditCopy) -> str:
    return f"{PREFIX}{copy.day}.{copy.seq:012d}.{copy.entry}.{copy.hash}.jsonl.gz"
