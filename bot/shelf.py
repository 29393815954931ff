"""Where a kind of records stands in the store, what every one of them has, and how its form is known again.

Only names and forms: what is written and read is in bot/book.py, which calls it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

import orjson

from bot.state import codec_of
from commands.ledger import Head

# What reading raises that another version wrote, or somebody damaged.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)


@cache
def shape_of(kind: str) -> str:
    """What a record of this kind can hold, in this version: of another version's records something may be missing."""
    schema = codec_of(kind).json_schema(mode="serialization")
    return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


class Made(Protocol):
    """A record that is made of events."""

    @property
    def id(self) -> str: ...
    @property
    def head(self) -> Head: ...
    @property
    def opened(self) -> datetime: ...
    @property
    def updated(self) -> datetime: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def next_due(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the records of one kind stand. kind: as the outbox calls them. every: all of them by when they were
    opened; beside it stand those that are not over, and the register. due: by when something is due of one. urgency:
    whose turn it is at Slack while one is active, 0 to 9."""

    kind: str
    every: str
    due: str
    urgency: int = 0

    @property
    def written(self) -> str:
        """All of them by when they were last written in."""
        return f"{self.every}:written"

    @property
    def open(self) -> str:
        return f"{self.every}:open"

    @property
    def register(self) -> str:
        """Opened one at a time: whoever looked for others has seen them all."""
        return f"{self.every}:register"
