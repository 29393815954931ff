"""Keeps that something happened to a message of an incident's room, before Slack's event is acknowledged.

Only a hint: bot/scribe.py reads the message itself, and compares. Called by bot/slack.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from bot.records import Records
from bot.state import State
from commands import transcript

HEARD = "sre:scribe"  # what is not looked at yet, oldest first
TALKED = "talked-"  # by incident, when people last said anything there (workers/timers.py)
_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Heard:
    """Something happened to a message: by whom, and what Slack said of it (text and edited of a changed one)."""

    what: str
    channel: str
    ts: str
    thread: str = ""
    by: str = ""
    text: str = ""
    edited: str = ""


class Ears:
    """Keeps what Slack's events say, before they are acknowledged. RedisError: nothing is kept, and Slack tells it
    again."""

    def __init__(self, state: State, records: Records) -> None:
        self._state = state
        self._redis = state.redis
        self._records = records

    def hear(self, event: Mapping[str, Any]) -> None:
        """Of a room it is kept, else forgotten; of what people merely say there, only that they do."""
        if is_talk(event):
            self._talked(event)
        heard = decoded(event)
        if heard is not None and self._concerns(heard):
            self._redis.rpush(HEARD, orjson.dumps({name: getattr(heard, name) for name in Heard.__slots__}))

    def _talked(self, event: Mapping[str, Any]) -> None:
        ts = str(event.get("ts") or "0")
        id = self._records.in_room(str(event.get("channel") or ""), str(event.get("thread_ts") or ts))
        if id:
            self._state.remember(TALKED + id, transcript.moment(ts).isoformat(), _REMEMBERED)

    def _concerns(self, heard: Heard) -> bool:
        """A reaction does not say in which thread it is: in a channel of others the message must be looked at."""
        return bool(
            self._records.in_room(heard.channel, heard.thread or heard.ts)
            or (heard.what in ("marked", "wanted") and self._records.is_told_in(heard.channel))
        )


def is_talk(event: Mapping[str, Any]) -> bool:
    """Whether a person said something just now."""
    is_said = event.get("type") == "message" and event.get("subtype") in (
        None,
        "file_share",
        "thread_broadcast",
    )
    return is_said and bool(event.get("user")) and not event.get("bot_id")


def decoded(event: Mapping[str, Any]) -> Heard | None:
    """What an event says of a message; None where it says nothing that a timeline knows."""
    kind = event.get("subtype") or event.get("type")
    user = str(event.get("user") or "")
    if kind in ("reaction_added", "reaction_removed"):
        emoji = str(event.get("reaction", "")).partition("::")[0]
        is_task = emoji == transcript.TASK and kind == "reaction_added"
        if not is_task and emoji not in transcript.PINS:
            return None
        item = event.get("item") or {}
        return Heard(
            "wanted" if is_task else "marked",
            str(item.get("channel") or ""),
            str(item.get("ts") or ""),
            by=user,
        )
    if kind in ("pin_added", "pin_removed"):
        item = event.get("item") or {}
        ts = str((item.get("message") or {}).get("ts") or "")
        return Heard("marked", str(event.get("channel_id") or ""), ts, by=user) if ts else None
    if kind in ("member_joined_channel", "member_left_channel"):
        what = "joined" if kind == "member_joined_channel" else "left"
        return Heard(what, str(event.get("channel") or ""), str(event.get("event_ts") or ""), by=user)
    if kind == "message_changed":
        told = event.get("message") or {}
        edited = told.get("edited") or {}
        return Heard(
            "edited", str(event.get("channel") or ""), str(told.get("ts") or ""), str(told.get("thread_ts") or ""),
            str(edited.get("user") or ""), transcript.plain(str(told.get("text") or "")), str(edited.get("ts") or ""),
        )  # fmt: skip
    if kind == "message_deleted":
        before = event.get("previous_message") or {}
        return Heard(
            "deleted", str(event.get("channel") or ""), str(event.get("deleted_ts") or ""),
            str(before.get("thread_ts") or ""),
        )  # fmt: skip
    return None
