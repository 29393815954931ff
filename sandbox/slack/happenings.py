"""What happens in a channel, whoever does it: the change in the workspace and the events that Slack sends of it.

Called by the Web API methods for the app and by `writing` and `joining` for people, so that both leave the
same traces. Each function returns its events in Slack's order and tells nobody itself; it raises
`SlackError` where the API would refuse. Who may do what is for the callers to say.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.slack import events, limits, shapes
from sandbox.slack.workspace import Channel, File, Json, Message, Pin, SlackError, User, Workspace

Events = tuple[Json, ...]

PINS = 100  # per channel
_EMOJI = re.compile(r"[a-z0-9_+'\-]+(::skin-tone-[2-6])?")


# --- messages


def edit(workspace: Workspace, message: Message, **content: Any) -> Events:
    with workspace.changed:
        before = shapes.message(workspace, message)
        workspace.edit(message, **content)
        return (_changed(workspace, message, before),)


def unfurl(workspace: Workspace, message: Message, attachment: Json) -> Events:
    """Slack adds a preview of a link: a change that nobody made, so the message is not `edited`."""
    with workspace.change("message_changed", channel=message.channel, ts=message.ts):
        before = shapes.message(workspace, message)
        message.attachments = [*message.attachments, attachment]
        return (_changed(workspace, message, before),)


def _changed(workspace: Workspace, message: Message, before: Json) -> Json:
    channel = workspace.channels[message.channel]
    return events.changed(workspace, channel, before, shapes.message(workspace, message))


def delete(workspace: Workspace, message: Message) -> Events:
    """A thread's parent is changed into a tombstone, which goes with the last reply. A pin goes without an
    event of its own (assumed)."""
    with workspace.changed:
        channel = workspace.channels[message.channel]
        before = shapes.message(workspace, message)
        workspace.delete(message)
        if message.ts in channel.messages:
            return (_changed(workspace, message, before),)
        told = (events.deleted(workspace, channel, before),)
        parent = channel.messages.get(message.thread_ts or "")
        if parent is None or parent.subtype != "tombstone" or len(channel.thread(parent.ts)) > 1:
            return told
        return (*told, *delete(workspace, parent))


# --- what hangs on messages


def react(workspace: Workspace, message: Message, user: str, emoji: str) -> Events:
    if not _EMOJI.fullmatch(emoji):
        raise SlackError("invalid_name")
    with workspace.change("reaction", channel=message.channel, ts=message.ts):
        if user in message.reactions.get(emoji, []):
            raise SlackError("already_reacted")
        message.reactions.setdefault(emoji, []).append(user)
        return (events.reaction(workspace, message, user, emoji, is_added=True),)


def unreact(workspace: Workspace, message: Message, user: str, emoji: str) -> Events:
    with workspace.change("reaction", channel=message.channel, ts=message.ts):
        if user not in message.reactions.get(emoji, []):
            raise SlackError("no_reaction")
        message.reactions[emoji].remove(user)
        if not message.reactions[emoji]:
            del message.reactions[emoji]
        return (events.reaction(workspace, message, user, emoji, is_added=False),)


def pin(workspace: Workspace, message: Message, user: str) -> Events:
    channel = workspace.channels[message.channel]
    with workspace.change("pin", channel=channel.id, ts=message.ts):
        if any(each.ts == message.ts for each in channel.pins):
            raise SlackError("already_pinned")
        if message.subtype is not None and message.subtype != "bot_message":
            raise SlackError("not_pinnable")
        if len(channel.pins) >= PINS:
            raise SlackError("too_many_pins")
        pinned = Pin(message.ts, user, workspace.seconds())
        channel.pins.append(pinned)
        return (events.pin(workspace, message, pinned, user, is_added=True),)


def unpin(workspace: Workspace, message: Message, user: str) -> Events:
    channel = workspace.channels[message.channel]
    with workspace.change("pin", channel=channel.id, ts=message.ts):
        found = [each for each in channel.pins if each.ts == message.ts]
        if not found:
            raise SlackError("no_pin")
        channel.pins.remove(found[0])
        return (events.pin(workspace, message, found[0], user, is_added=False),)


def share(
    workspace: Workspace, channel: Channel, files: list[File], user: str, text: str, **fields: Any
) -> tuple[Message, Events]:
    """Files become part of a message, whose text may be empty."""
    ids = [file.id for file in files]
    message = workspace.post(channel, user, text, files=ids, **fields)
    for file in files:
        file.shares.append((channel.id, message.ts))
    shared = tuple(events.file_shared(workspace, channel, file) for file in files)
    return message, (events.said(workspace, message), *shared)


# --- who is in a channel


def join(workspace: Workspace, channel: Channel, person: User, inviter: str = "") -> Events:
    with workspace.change("member", channel=channel.id, user=person.id):
        channel.members.append(person.id)
    details = {"inviter": inviter} if inviter else {}
    noted = _note(workspace, channel, person.id, "join", f"<@{person.id}> has joined the channel", **details)
    return (noted, events.membership(workspace, channel, person.id, "joined", inviter))


def leave(workspace: Workspace, channel: Channel, person: User, remover: str = "") -> Events:
    """Who is removed by somebody leaves no message. The app learns of its own end by another event."""
    with workspace.change("member", channel=channel.id, user=person.id):
        channel.members.remove(person.id)
    if person.id == workspace.bot_user_id:
        return (events.of_channel(workspace, channel, "left", actor_id=remover or person.id),)
    gone = events.membership(workspace, channel, person.id, "left")
    if remover:
        return (gone,)
    return (_note(workspace, channel, person.id, "leave", f"<@{person.id}> has left the channel"), gone)


# --- channels


def free_name(workspace: Workspace, name: str) -> str:
    """A name that a channel may have; one that is archived keeps its own."""
    limits.channel_name(name)
    if any(channel.name == name for channel in workspace.channels.values()):
        raise SlackError("name_taken")
    return name


def rename(workspace: Workspace, channel: Channel, user: str, wanted: str) -> Events:
    name, before = free_name(workspace, wanted), channel.name
    with workspace.change("channel", channel=channel.id):
        channel.previous_names.insert(0, before)
        channel.name = name
    text = f'has renamed the channel from "{before}" to "{name}"'
    noted = _note(workspace, channel, user, "name", text, name=name, old_name=before)
    return (noted, events.renamed(workspace, channel))


def set_topic(workspace: Workspace, channel: Channel, user: str, topic: str) -> Events:
    if len(topic) > limits.TOPIC:
        raise SlackError("too_long")
    with workspace.change("channel", channel=channel.id):
        channel.topic, channel.topic_set = topic, (user, workspace.seconds())
    return (_note(workspace, channel, user, "topic", f"set the channel topic: {topic}", topic=topic),)


def set_purpose(workspace: Workspace, channel: Channel, user: str, purpose: str) -> Events:
    if len(purpose) > limits.TOPIC:
        raise SlackError("too_long")
    with workspace.change("channel", channel=channel.id):
        channel.purpose, channel.purpose_set = purpose, (user, workspace.seconds())
    text = f"set the channel description: {purpose}"
    return (_note(workspace, channel, user, "purpose", text, purpose=purpose),)


def archive(workspace: Workspace, channel: Channel, user: str) -> Events:
    if channel.is_archived:
        raise SlackError("already_archived")
    if channel.is_general:
        raise SlackError("cant_archive_general")
    noted = _note(workspace, channel, user, "archive", "archived the channel")
    with workspace.change("channel", channel=channel.id):
        channel.is_archived = True
    return (noted, events.of_channel(workspace, channel, "archive", user=user, is_moved=0))


def unarchive(workspace: Workspace, channel: Channel, user: str) -> Events:
    if not channel.is_archived:
        raise SlackError("not_archived")
    with workspace.change("channel", channel=channel.id):
        channel.is_archived = False
    noted = _note(workspace, channel, user, "unarchive", "un-archived the channel")
    return (noted, events.of_channel(workspace, channel, "unarchive", user=user))


def _note(workspace: Workspace, channel: Channel, user: str, what: str, text: str, **details: str) -> Json:
    """The line in the channel that tells of it, and its event."""
    subtype = f"{events.surface(channel)}_{what}"
    message = workspace.post(channel, user, text, subtype=subtype, details=details)
    return events.said(workspace, message)
