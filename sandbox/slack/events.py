"""Events API: what Slack tells an app of, event by event, and which scope each of them takes.

Shapes: slackapi/java-slack-sdk json-logs/samples/events and docs.slack.dev; a thread's deleted parent as in
slack-edge/slack-edge pull request 10. Builds dictionaries and changes nothing but the channel's last
timestamp. Who is told, and how, is `delivery`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sandbox.slack import shapes
from sandbox.slack.workspace import Channel, File, Json, Message, Pin, Workspace

_SURFACES = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}

# The scopes of an event; where a channel is public or private the one or the other, else any will do.
_MEMBERS = ("channels:read", "groups:read")
SCOPES: Mapping[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "app_home_opened": (),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction_added": ("reactions:read",),
    "reaction_removed": ("reactions:read",),
    "pin_added": ("pins:read",),
    "pin_removed": ("pins:read",),
    "member_joined_channel": _MEMBERS,
    "member_left_channel": _MEMBERS,
    **{f"channel_{what}": ("channels:read",) for what in ("archive", "unarchive", "rename", "left")},
    **{f"group_{what}": ("groups:read",) for what in ("archive", "unarchive", "rename", "left")},
    "file_shared": ("files:read",),
}

# These reach an app that is not, or no longer, in the channel.
_FROM_OUTSIDE = ("app_home_opened", "channel_left", "group_left")


def surface(channel: Channel) -> str:
    """`channel` or `group`, with which also the names of many events and subtypes begin."""
    return _SURFACES[channel.kind]


def name(event: Json) -> str:
    """As an app subscribes to it: messages by the kind of conversation."""
    if event["type"] != "message":
        return str(event["type"])
    kind = event["channel_type"]
    return f"message.{kind}s" if kind in ("channel", "group") else f"message.{kind}"


def channel_id(event: Json) -> str:
    """Four ways to say it: `channel` as an id or as an object, `channel_id`, and inside `item`."""
    place = event.get("channel") or event.get("channel_id") or event.get("item", {}).get("channel")
    return str(place["id"] if isinstance(place, dict) else place)


def reaches(workspace: Workspace, event: Json, granted: frozenset[str]) -> bool:
    """Whether an app with these scopes is told of an event that it is subscribed to."""
    channel = workspace.channels.get(channel_id(event))
    wanted = SCOPES.get(name(event), ())
    if wanted == _MEMBERS and channel is not None:
        wanted = ("groups:read",) if channel.is_private else ("channels:read",)
    if wanted and not granted.intersection(wanted):
        return False
    return channel is None or workspace.bot_user_id in channel.members or name(event) in _FROM_OUTSIDE


# --- messages


def said(workspace: Workspace, message: Message) -> Json:
    """A new message. With a file it is a `file_share`, which the history does not call it."""
    channel = workspace.channels[message.channel]
    described = shapes.message(workspace, message, include_metadata=True)
    if message.files and not message.subtype:
        described["subtype"] = "file_share"
    return _in(channel, described) | {"event_ts": message.ts}


def changed(workspace: Workspace, channel: Channel, before: Json, after: Json) -> Json:
    return _hidden(workspace, channel, "message_changed", {"message": after, "previous_message": before})


def deleted(workspace: Workspace, channel: Channel, before: Json) -> Json:
    what = {"deleted_ts": before["ts"], "previous_message": before}
    return _hidden(workspace, channel, "message_deleted", what)


def _hidden(workspace: Workspace, channel: Channel, subtype: str, what: Json) -> Json:
    ts = workspace.next_ts(channel)
    event = {"type": "message", "subtype": subtype, **what, "hidden": True, "ts": ts, "event_ts": ts}
    return _in(channel, event)


def _in(channel: Channel, event: Json) -> Json:
    return {**event, "channel": channel.id, "channel_type": surface(channel)}


# --- what hangs on messages


def reaction(workspace: Workspace, message: Message, user: str, emoji: str, *, is_added: bool) -> Json:
    channel = workspace.channels[message.channel]
    return {
        "type": "reaction_added" if is_added else "reaction_removed",
        "user": user,
        "reaction": emoji,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "item_user": message.user,
        "event_ts": workspace.next_ts(channel),
    }


def pin(workspace: Workspace, message: Message, pinned: Pin, user: str, *, is_added: bool) -> Json:
    channel = workspace.channels[message.channel]
    event: Json = {
        "type": "pin_added" if is_added else "pin_removed",
        "user": user,
        "channel_id": channel.id,
        "item": shapes.pin(workspace, channel, message, pinned),
        "item_user": message.user,
        "pin_count": len(channel.pins),
        "pinned_info": {"channel": channel.id, "pinned_by": pinned.by, "pinned_ts": pinned.created},
        "event_ts": workspace.next_ts(channel),
    }
    return event if is_added else event | {"has_pins": bool(channel.pins)}


def file_shared(workspace: Workspace, channel: Channel, file: File) -> Json:
    return {
        "type": "file_shared",
        "file_id": file.id,
        "user_id": file.user,
        "file": {"id": file.id},
        "channel_id": channel.id,
        "event_ts": workspace.next_ts(channel),
    }


# --- channels and who is in them


def membership(
    workspace: Workspace, channel: Channel, user: str, what: Literal["joined", "left"], inviter: str = ""
) -> Json:
    event: Json = {
        "type": f"member_{what}_channel",
        "user": user,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": workspace.team_id,
        "event_ts": workspace.next_ts(channel),
    }
    return event | ({"inviter": inviter} if inviter else {})


def of_channel(workspace: Workspace, channel: Channel, what: str, **fields: Any) -> Json:
    """channel_archive, group_left and their like."""
    kind = f"{surface(channel)}_{what}"
    return {"type": kind, "channel": channel.id, **fields, "event_ts": workspace.next_ts(channel)}


def renamed(workspace: Workspace, channel: Channel) -> Json:
    described = {
        "id": channel.id,
        "is_channel": channel.kind == "public",
        "is_mpim": False,
        "name": channel.name,
        "name_normalized": channel.name,
        "created": channel.created,
    }
    return of_channel(workspace, channel, "rename") | {"channel": described}
