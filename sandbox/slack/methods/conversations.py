"""conversations.*: making, finding, reading and changing channels and direct messages."""

from __future__ import annotations

import base64

from sandbox.slack import happenings, shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import TIER_2, TIER_3, TIER_4
from sandbox.slack.workspace import Channel, Json, Message, SlackError

INVITEES = 100  # docs.slack.dev; @slack/web-api says 1000, the smaller one is the safe one
PAGE = 999  # messages


def create(call: Call) -> Json:
    name = happenings.free_name(call.workspace, call.text("name"))
    kind = "private" if call.flag("is_private") else "public"
    call.demand(kind)
    channel = call.workspace.create_channel(name, creator=call.bot_id, kind=kind)
    call.announce(*happenings.join(call.workspace, channel, call.workspace.bot))
    return _answer(call, channel)


def rename(call: Call) -> Json:
    channel = _named(call)
    if channel.creator != call.bot_id:
        raise SlackError("not_authorized")
    call.announce(*happenings.rename(call.workspace, channel, call.bot_id, call.text("name")))
    return _answer(call, channel)


def invite(call: Call) -> Json:
    channel = _named(call)
    ids = call.names("users")
    if not ids:
        raise SlackError("no_user")
    if len(ids) > INVITEES:
        raise SlackError("too_many_users")
    refusals = [(user, error) for user in ids if (error := _why_not(call, channel, user))]
    if refusals and not (call.flag("force") and len(refusals) < len(ids)):
        errors = [{"user": user, "ok": False, "error": error} for user, error in refusals]
        raise SlackError(refusals[0][1], errors=errors)
    refused = {user for user, _ in refusals}
    for user in ids:
        if user not in refused:
            person = call.workspace.users[user]
            call.announce(*happenings.join(call.workspace, channel, person, inviter=call.bot_id))
    return _answer(call, channel)


def _why_not(call: Call, channel: Channel, user: str) -> str | None:
    person = call.workspace.users.get(user)
    if person is None:
        return "user_not_found"
    if person.id == call.bot_id:
        return "cant_invite_self"
    if person.id in channel.members:
        return "already_in_channel"
    if person.deleted or person.is_stranger:
        return "cant_invite"
    return "ura_max_channels" if person.is_ultra_restricted else None


def join(call: Call) -> Json:
    channel = call.channel()
    if channel.kind != "public":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.bot_id in channel.members:
        return {
            "channel": shapes.conversation(call.workspace, channel),
            "warning": "already_in_channel",
            "response_metadata": {"warnings": ["already_in_channel"]},
        }
    call.announce(*happenings.join(call.workspace, channel, call.workspace.bot))
    return _answer(call, channel)


def leave(call: Call) -> Json:
    channel = call.channel()
    if channel.kind in ("im", "mpim"):
        raise SlackError("method_not_supported_for_channel_type")
    if call.bot_id not in channel.members:
        return {"not_in_channel": True}
    if channel.is_archived:
        raise SlackError("is_archived")
    if channel.is_general:
        raise SlackError("cant_leave_general")
    if channel.is_private and len(channel.members) == 1:
        raise SlackError("last_member")
    call.announce(*happenings.leave(call.workspace, channel, call.workspace.bot))
    return {}


def kick(call: Call) -> Json:
    channel = _named(call)
    user = call.text("user")
    if user == call.bot_id:
        raise SlackError("cant_kick_self")
    if channel.is_general:
        raise SlackError("cant_kick_from_general")
    if user not in call.workspace.users:
        raise SlackError("user_not_found")
    if user not in channel.members:
        raise SlackError("not_in_channel")
    person = call.workspace.users[user]
    call.announce(*happenings.leave(call.workspace, channel, person, remover=call.bot_id))
    return {"errors": {}}


def info(call: Call) -> Json:
    channel = call.channel()
    described = shapes.conversation(call.workspace, channel)
    if call.flag("include_num_members"):
        described["num_members"] = len(channel.members)
    return {"channel": described}


def list_(call: Call) -> Json:
    found = _of_types(call, [c for c in call.workspace.channels.values() if _is_visible(call, c)])
    page, cursor = call.page(found, limit=999, default=100)
    described = [
        shapes.conversation(call.workspace, c) | ({} if c.kind == "im" else {"num_members": len(c.members)})
        for c in page
    ]
    return {"channels": described, "response_metadata": {"next_cursor": cursor}}


def _is_visible(call: Call, channel: Channel) -> bool:
    return not channel.is_private or call.bot_id in channel.members


def _of_types(call: Call, channels: list[Channel]) -> list[Channel]:
    kinds = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}
    wanted = call.names("types") or ["public_channel"]
    if any(name not in kinds for name in wanted):
        raise SlackError("invalid_types")
    for name in wanted:
        call.demand(kinds[name])
    chosen = [c for c in channels if c.kind in {kinds[name] for name in wanted}]
    return [c for c in chosen if not (c.is_archived and call.flag("exclude_archived"))]


def of_user(call: Call) -> Json:
    user = call.text("user") or call.bot_id
    visible = [c for c in call.workspace.channels.values() if user in c.members and _is_visible(call, c)]
    page, cursor = call.page(_of_types(call, visible), limit=999, default=100)
    described = [shapes.conversation(call.workspace, c, membership=False) for c in page]
    return {"channels": described, "response_metadata": {"next_cursor": cursor}}


def history(call: Call) -> Json:
    channel = call.own_channel()
    shown = [m for m in channel.messages.values() if not m.is_reply or m.is_broadcast]
    newest_first = sorted(_between(call, shown), key=_microseconds, reverse=True)
    start = _cursor(call)
    page, cursor = _page(call, [m for m in newest_first if start is None or _microseconds(m) <= start], 100)
    return {
        "messages": _described(call, page),
        "has_more": bool(cursor),
        "pin_count": len(channel.pins),
        "channel_actions_ts": None,
        "channel_actions_count": 0,
        **cursor,
    }


def replies(call: Call) -> Json:
    channel = call.own_channel()
    named = call.message(channel, "ts", missing="thread_not_found")
    if named.is_reply:  # a reply's ts gives that reply alone (qiita.com tabimoba 70c6fe76b1b5e5c3ea94)
        return {"messages": _described(call, [named]), "has_more": False}
    parent, *rest = channel.thread(named.ts)
    start = _cursor(call)
    found = [m for m in _between(call, rest) if start is None or _microseconds(m) >= start]
    page, cursor = _page(call, found, 999)
    return {"messages": _described(call, [parent, *page]), "has_more": bool(cursor), **cursor}


def _page(call: Call, messages: list[Message], default: int) -> tuple[list[Message], Json]:
    """The next page begins at a message and not at a number: what is said or deleted meanwhile moves nothing."""
    size = min(max(1, call.number("limit", default)), PAGE)
    if len(messages) <= size:
        return messages, {}
    cursor = base64.b64encode(f"next_ts:{_microseconds(messages[size])}".encode()).decode()
    return messages[:size], {"response_metadata": {"next_cursor": cursor}}


def _cursor(call: Call) -> int | None:
    if not call.has("cursor"):
        return None
    try:
        return int(base64.b64decode(call.text("cursor"), validate=True).decode().removeprefix("next_ts:"))
    except ValueError:
        raise SlackError("invalid_cursor") from None


def _described(call: Call, messages: list[Message]) -> list[Json]:
    with_metadata = call.flag("include_all_metadata")
    return [shapes.message(call.workspace, m, include_metadata=with_metadata) for m in messages]


def _between(call: Call, messages: list[Message]) -> list[Message]:
    oldest = _bound(call, "oldest", 0)
    latest = _bound(call, "latest", 10**18)
    if call.flag("inclusive"):
        return [m for m in messages if oldest <= _microseconds(m) <= latest]
    return [m for m in messages if oldest < _microseconds(m) < latest]


def _bound(call: Call, name: str, default: int) -> int:
    """Timestamps are compared as integers: as floats they lose their last digit."""
    if not call.has(name):
        return default
    seconds, _, fraction = call.text(name).partition(".")
    try:
        return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def _microseconds(message: Message) -> int:
    return int(message.ts.replace(".", ""))


def members(call: Call) -> Json:
    page, cursor = call.page(call.channel().members, limit=999, default=100)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def open_(call: Call) -> Json:
    if call.has("channel"):
        channel, existed = call.channel(), True
        if channel.kind not in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
    else:
        channel, existed = _direct_message(call)
    described: Json = {"id": channel.id}
    if call.flag("return_im"):
        described = shapes.conversation(call.workspace, channel)
    again = {"no_op": True, "already_open": True} if existed else {}
    return {**again, "channel": described}


def _direct_message(call: Call) -> tuple[Channel, bool]:
    ids = call.names("users")
    if not ids:
        raise SlackError("users_list_not_supplied")
    if len(ids) > 8:
        raise SlackError("too_many_users")
    for user in ids:
        if user not in call.workspace.users:
            raise SlackError("user_not_found")
        if call.workspace.users[user].deleted:
            raise SlackError("user_disabled")
    return call.workspace.direct_message([call.bot_id, *ids])


def set_topic(call: Call) -> Json:
    channel = _named(call)
    call.announce(*happenings.set_topic(call.workspace, channel, call.bot_id, call.text("topic")))
    return _answer(call, channel)


def set_purpose(call: Call) -> Json:
    channel = _named(call)
    call.announce(*happenings.set_purpose(call.workspace, channel, call.bot_id, call.text("purpose")))
    return _answer(call, channel)


def archive(call: Call) -> Json:
    channel = call.own_channel()
    if channel.kind in ("im", "mpim"):
        raise SlackError("method_not_supported_for_channel_type")
    call.announce(*happenings.archive(call.workspace, channel, call.bot_id))
    return {}


def unarchive(call: Call) -> Json:
    """Not with a bot's token (docs.slack.dev: "Bug alert"); that it says not_in_channel is assumed."""
    if not call.channel().is_archived:
        raise SlackError("not_archived")
    raise SlackError("not_in_channel")


def _named(call: Call) -> Channel:
    """A channel with a name that the bot is in and that still lives."""
    channel = call.own_channel()
    if channel.kind in ("im", "mpim"):
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    return channel


def _answer(call: Call, channel: Channel) -> Json:
    return {"channel": shapes.conversation(call.workspace, channel)}


_MANAGE = ("channels:manage", "groups:write", "im:write", "mpim:write")
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_TOPIC = (*_MANAGE, "channels:write.topic", "groups:write.topic")
_INVITE = (*_MANAGE, "channels:write.invites", "groups:write.invites")
_KICK = ("channels:manage", "groups:write")
_HERE = ("channel",)

METHODS: Methods = {
    "conversations.create": Method(create, TIER_2, _MANAGE),
    "conversations.rename": Method(rename, TIER_2, _MANAGE, _HERE),
    "conversations.invite": Method(invite, TIER_3, _INVITE, _HERE),
    "conversations.join": Method(join, TIER_3, ("channels:join",), _HERE),
    "conversations.leave": Method(leave, TIER_3, _MANAGE, _HERE),
    "conversations.kick": Method(kick, TIER_3, _KICK, ("channel", "user")),
    "conversations.info": Method(info, TIER_3, _READ, _HERE, takes_json=False),
    "conversations.list": Method(list_, TIER_2, _READ, takes_json=False),
    "conversations.history": Method(history, TIER_3, _HISTORY, _HERE),
    "conversations.replies": Method(replies, TIER_3, _HISTORY, ("channel", "ts"), takes_json=False),
    "conversations.members": Method(members, TIER_4, _READ, _HERE, takes_json=False),
    "conversations.open": Method(open_, TIER_3, _MANAGE),
    "conversations.setTopic": Method(set_topic, TIER_2, _TOPIC, ("channel",)),
    "conversations.setPurpose": Method(set_purpose, TIER_2, _TOPIC, ("channel",)),
    "conversations.archive": Method(archive, TIER_2, _MANAGE, _HERE),
    "conversations.unarchive": Method(unarchive, TIER_2, _MANAGE, _HERE),
    # slack-api-ref says Tier 3, java-slack-sdk's metadata Tier 2; the smaller one is the safe one.
    "users.conversations": Method(of_user, TIER_2, _READ, takes_json=False),
}
