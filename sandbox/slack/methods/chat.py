"""chat.*: posting, updating, deleting, ephemerals and permalinks."""

from __future__ import annotations

from sandbox.slack import events, happenings, limits, shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import SPECIAL, TIER_3, TIER_4
from sandbox.slack.workspace import Channel, Json, Message, SlackError


def post_message(call: Call) -> Json:
    channel = _destination(call)
    content = call.content()
    content["metadata"] = limits.metadata(call.structure("metadata", "invalid_metadata_format"))
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.bot_id not in channel.members and "chat:write.public" not in call.granted:
        raise SlackError("not_in_channel")
    thread_ts = call.text("thread_ts") or None
    if thread_ts in channel.messages and channel.messages[str(thread_ts)].subtype == "tombstone":
        raise SlackError("cannot_reply_to_message")
    # A reply's own ts as thread_ts is taken, and the message is then seen nowhere: neither in the channel
    # nor in that thread (botman/botman issue 327). The reference only says to avoid it.
    answer: Json = {}
    if len(content["text"]) > limits.MESSAGE_TEXT:
        content["text"] = content["text"][: limits.MESSAGE_TEXT]
        answer = {
            "warning": "message_truncated",
            "response_metadata": {"warnings": ["message_truncated"]},
        }
    message = call.workspace.post(
        channel,
        call.bot_id,
        thread_ts=thread_ts,
        is_broadcast=call.flag("reply_broadcast"),
        **_dressed(call),
        **content,
    )
    described = shapes.message(call.workspace, message, include_metadata=True)
    call.announce(events.said(call.workspace, message))
    return {"channel": channel.id, "ts": message.ts, "message": described, **answer}


def _destination(call: Call) -> Channel:
    """chat.postMessage also takes `#name` and a user id, which means the direct message with them."""
    reference = call.text("channel")
    if reference in call.workspace.users and not call.workspace.users[reference].deleted:
        return call.workspace.direct_message([call.bot_id, reference])[0]
    if reference.startswith("#"):
        try:
            call.args["channel"] = call.workspace.channel(reference).id
        except KeyError:
            raise SlackError("channel_not_found") from None
    return call.channel()


def _dressed(call: Call) -> Json:
    """A name or icon of the message's own, which needs chat:write.customize and makes it a bot_message."""
    wanted = [name for name in ("username", "icon_emoji", "icon_url") if call.has(name)]
    if not wanted:
        return {}
    if "chat:write.customize" not in call.granted:
        # Slack ignores them without the scope (docs.slack.dev chat:write.customize).
        return {}
    icons = {"emoji": call.text("icon_emoji")} if call.has("icon_emoji") else None
    return {"username": call.text("username") or None, "icons": icons, "subtype": "bot_message"}


def update(call: Call) -> Json:
    channel = call.channel()
    if len(call.text("text")) > limits.UPDATE_TEXT:
        raise SlackError("msg_too_long")
    message = call.message(channel, "ts")
    if channel.is_archived:
        raise SlackError("is_inactive")
    if message.user != call.bot_id or message.subtype == "tombstone":
        raise SlackError("cant_update_message")
    call.announce(*happenings.edit(call.workspace, message, **_revised(call, message)))
    after = shapes.message(call.workspace, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": _answered(after)}


def _answered(message: Json) -> Json:
    """The message in chat.update's answer knows less than the one in the history (java-slack-sdk samples)."""
    told = (
        "type",
        "subtype",
        "user",
        "text",
        "team",
        "bot_id",
        "app_id",
        "bot_profile",
        "blocks",
        "attachments",
    )
    return {key: message[key] for key in (*told, "edited", "files", "metadata") if key in message}


def _revised(call: Call, message: Message) -> Json:
    """What chat.update replaces: without `blocks` the old blocks go when text is given (docs.slack.dev)."""
    content = call.content()
    if "attachments" not in call.args:
        content["attachments"] = message.attachments
    if "metadata" in call.args:
        content["metadata"] = limits.metadata(call.structure("metadata", "invalid_metadata_format"))
    return content


def delete(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, "ts")
    if message.subtype == "tombstone":
        raise SlackError("message_not_found")
    if message.user != call.bot_id:
        raise SlackError("cant_delete_message")
    call.announce(*happenings.delete(call.workspace, message))
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(call: Call) -> Json:
    channel = call.channel()
    content = call.content()
    user = call.workspace.users.get(call.text("user"))
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.bot_id not in channel.members and "chat:write.public" not in call.granted:
        raise SlackError("not_in_channel")
    if user is None or user.deleted or user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    thread_ts = call.text("thread_ts") or None
    shown = call.workspace.post_ephemeral(channel, user.id, source="api", thread_ts=thread_ts, **content)
    return {"message_ts": shown.ts}


def get_permalink(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, "message_ts")
    return {"channel": channel.id, "permalink": shapes.permalink(call.workspace, message)}


_WRITE = ("chat:write",)

METHODS: Methods = {
    "chat.postMessage": Method(post_message, SPECIAL, _WRITE, ("channel",)),
    "chat.update": Method(update, TIER_3, _WRITE, ("channel", "ts")),
    "chat.delete": Method(delete, TIER_3, _WRITE, ("channel", "ts")),
    "chat.postEphemeral": Method(post_ephemeral, TIER_4, _WRITE, ("channel", "user")),
    "chat.getPermalink": Method(get_permalink, SPECIAL, (), ("channel", "message_ts"), takes_json=False),
}
