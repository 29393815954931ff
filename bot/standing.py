"""What of a record Slack lacks, where each message of it stands, and whether one in Slack is the one that got lost.

Answers alone: nothing here asks or tells anybody. Used by bot/courier.py.
"""

import hashlib
from typing import Any

import orjson

from bot.blocks import Message
from bot.incidentwords import is_reply
from bot.outbox import Claim, Sent
from commands.model import AlertGroup, Record, Request, Severity, Storm, Whisper
from commands.model import State as Standpoint
from commands.response.incident import Incident
from commands.response.task import Task

WHISPERED = "whispered"  # stands for the ts of what one person alone was shown


def stale(drawn: tuple[Message, ...], sent: dict[str, Sent]) -> list[Message]:
    """The messages that Slack lacks or has with older content, in the order to send them.

    What Slack refused comes last, so that it does not stop the others; but the card itself first and alone,
    because its thread has nowhere else to go.
    """
    lacking = [message for message in drawn if differs(message, sent.get(message.key, Sent()))]
    refused = [message for message in lacking if sent.get(message.key, Sent()).failed]
    if refused and refused[0] is drawn[0] and not drawn[0].in_thread:
        return refused[:1]
    return [message for message in lacking if message not in refused] + refused


def differs(message: Message, sent: Sent) -> bool:
    if sent.ts == WHISPERED or (message.file and sent.ts) or (message.only_edit and not sent.ts):
        return False
    return not sent.ts or bool(sent.failed) or sent.digest != digest(message)


def thread_of(record: Record, message: Message, root: Sent, channel: str) -> str:
    """The thread a message belongs to: where it was asked for, else under its card."""
    asked_in = ""
    if isinstance(record, Request | Whisper) and channel == record.place.channel:  # not in direct messages
        asked_in = record.place.thread
    is_there = root.channel in ("", channel)  # one channel's threads are not another's
    return asked_in or (root.ts if message.in_thread and is_there else "")


def under(record: Record) -> str:
    """The message under which it is told, as "card key", "" for a record with a card of its own."""
    if isinstance(record, AlertGroup) and record.storm:
        return f"storm:{record.storm} card"
    if isinstance(record, Incident):
        return record.alert if is_reply(record) else ""
    if isinstance(record, Task):
        return record.under
    return record.place.under if isinstance(record, Request) else ""


def is_calm(record: Record) -> bool:
    """Nobody waits for its edits: an alert that is not critical, and the counts of a storm."""
    if isinstance(record, AlertGroup):
        return record.severity is not Severity.CRITICAL
    return isinstance(record, Storm)


def is_applied(record: Record) -> bool:
    return isinstance(record, Request) and record.state is Standpoint.APPLYING


def asker(record: Record) -> str:
    """Who is told alone where it cannot be told: who typed it, whose task it is, who asked; "" for nobody."""
    if isinstance(record, Task):
        return record.owner
    if isinstance(record, Whisper):
        return record.user
    return record.actor.user if isinstance(record, Request) else ""


def is_it(found: dict[str, Any], claim: Claim, message: Message, before: Sent) -> bool:
    """Whether a message in Slack is the one whose answer got lost: by its mark, or by the file it carries."""
    if message.file:
        return any(file.get("id") == before.file for file in found.get("files") or ())
    payload = (found.get("metadata") or {}).get("event_payload") or {}
    return payload.get("card") == claim.card and payload.get("key") == message.key


def digest(message: Message) -> str:
    return hashlib.sha256(orjson.dumps([message.text, message.blocks])).hexdigest()[:16]
