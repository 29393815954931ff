"""One thing that the channel of an incident lacks, and how it is said that Slack does not allow it.

Shared by the parts that make a channel (bot/roommaking.py) and furnish it (bot/furnishing.py), and by bot/rooms.py,
which carries the steps out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.wire import Refusal
from commands.ledger import Draft
from commands.response.events import Kind, draft

# The channel is not what it was: it is looked at before anything else is done in it.
ELSEWHERE = frozenset({"is_archived", "channel_not_found", "not_in_channel"})


@dataclass(frozen=True, slots=True)
class Step:
    """what: its name, and under which it is noted. may: what Slack does not allow when it refuses, after "may not"."""

    what: str
    method: str
    may: str
    run: Callable[[], None]


def why(no: Refusal) -> str:
    """Slack's word for it in words, with the scope that mends it."""
    if no.code == "missing_scope" and no.needed:
        return f"scope {no.needed.partition(',')[0]} is missing"
    return no.code.replace("_", " ")


def not_allowed(what: str) -> Draft:
    """Told once, whoever tells it again."""
    return from_slack(replace(draft(Kind.SCOPE, f"Slack: {what}", what=what), key=f"scope {what}"))


def from_slack(told: Draft) -> Draft:
    return replace(told, source="slack")
