"""What hangs on messages and channels: reactions.*, pins.* and bookmarks.*."""

from __future__ import annotations

import re

from sandbox.slack import happenings, shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import TIER_2, TIER_3
from sandbox.slack.workspace import Bookmark, Channel, Json, Message, SlackError

BOOKMARKS = 100  # per channel, Slack help centre


def add_reaction(call: Call) -> Json:
    channel = call.channel()
    message = _reactable(call, channel)
    if channel.is_archived:
        raise SlackError("is_archived")
    name = call.text("name").strip(":")
    call.announce(*happenings.react(call.workspace, message, call.bot_id, name))
    return {}


def remove_reaction(call: Call) -> Json:
    message = _reactable(call, call.channel())
    name = call.text("name").strip(":")
    call.announce(*happenings.unreact(call.workspace, message, call.bot_id, name))
    return {}


def get_reactions(call: Call) -> Json:
    channel = call.channel()
    message = _reactable(call, channel)
    whole = shapes.message(call.workspace, message)
    # No thread fields and no `edited` in this answer (java-slack-sdk samples).
    told = (
        "type",
        "subtype",
        "user",
        "text",
        "ts",
        "team",
        "bot_id",
        "app_id",
        "bot_profile",
        "blocks",
        "reactions",
    )
    described = {key: whole[key] for key in told if key in whole}
    link = shapes.permalink(call.workspace, message)
    return {"type": "message", "channel": channel.id, "message": {**described, "permalink": link}}


def _reactable(call: Call, channel: Channel) -> Message:
    if not call.has("timestamp"):
        raise SlackError("no_item_specified")
    if not re.fullmatch(r"\d+\.\d{6}", call.text("timestamp")):
        raise SlackError("bad_timestamp")
    return call.message(channel, "timestamp")


def add_pin(call: Call) -> Json:
    message = _reactable(call, call.own_channel())
    call.announce(*happenings.pin(call.workspace, message, call.bot_id))
    return {}


def remove_pin(call: Call) -> Json:
    message = _reactable(call, call.channel())
    call.announce(*happenings.unpin(call.workspace, message, call.bot_id))
    return {}


def list_pins(call: Call) -> Json:
    channel = call.channel()
    newest_first = reversed(channel.pins)
    return {"items": [shapes.pin(call.workspace, channel, channel.messages[p.ts], p) for p in newest_first]}


def add_bookmark(call: Call) -> Json:
    channel = call.channel("channel_id")
    if call.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if len(channel.bookmarks) >= BOOKMARKS:
        raise SlackError("too_many_bookmarks")
    bookmark = Bookmark(
        id=call.workspace.new_id("Bk"),
        channel_id=channel.id,
        title=call.text("title"),
        link=_link(call),
        emoji=call.text("emoji"),
        created=call.workspace.seconds(),
        updated=0,
        by=call.bot_id,
    )
    with call.workspace.change("bookmark", channel=channel.id):
        channel.bookmarks.append(bookmark)
    return {"bookmark": shapes.bookmark(call.workspace, bookmark)}


def _link(call: Call) -> str:
    if not call.text("link").startswith(("http://", "https://")):
        raise SlackError("invalid_link")
    return call.text("link")


def _bookmark(call: Call, channel: Channel) -> Bookmark:
    for bookmark in channel.bookmarks:
        if bookmark.id == call.text("bookmark_id"):
            return bookmark
    raise SlackError("not_found")


def edit_bookmark(call: Call) -> Json:
    channel = call.channel("channel_id")
    bookmark = _bookmark(call, channel)
    link = _link(call) if call.has("link") else bookmark.link
    with call.workspace.change("bookmark", channel=channel.id):
        bookmark.link = link
        bookmark.title = call.text("title", bookmark.title)
        bookmark.emoji = call.text("emoji", bookmark.emoji)
        bookmark.updated, bookmark.by = call.workspace.seconds(), call.bot_id
    return {"bookmark": shapes.bookmark(call.workspace, bookmark)}


def remove_bookmark(call: Call) -> Json:
    channel = call.channel("channel_id")
    bookmark = _bookmark(call, channel)
    with call.workspace.change("bookmark", channel=channel.id):
        channel.bookmarks.remove(bookmark)
    return {}


def list_bookmarks(call: Call) -> Json:
    channel = call.channel("channel_id")
    return {"bookmarks": [shapes.bookmark(call.workspace, item) for item in channel.bookmarks]}


_REACT, _PIN, _MARK = ("reactions:write",), ("pins:write",), ("bookmarks:write",)

METHODS: Methods = {
    "reactions.add": Method(add_reaction, TIER_3, _REACT, ("channel", "name")),
    "reactions.remove": Method(remove_reaction, TIER_2, _REACT, ("channel", "name")),
    "reactions.get": Method(get_reactions, TIER_3, ("reactions:read",), ("channel",), takes_json=False),
    "pins.add": Method(add_pin, TIER_2, _PIN, ("channel",)),
    "pins.remove": Method(remove_pin, TIER_2, _PIN, ("channel",)),
    "pins.list": Method(list_pins, TIER_2, ("pins:read",), ("channel",), takes_json=False),
    "bookmarks.add": Method(add_bookmark, TIER_2, _MARK, ("channel_id", "title", "type")),
    "bookmarks.edit": Method(edit_bookmark, TIER_2, _MARK, ("channel_id", "bookmark_id")),
    "bookmarks.remove": Method(remove_bookmark, TIER_2, _MARK, ("channel_id", "bookmark_id")),
    "bookmarks.list": Method(list_bookmarks, TIER_3, ("bookmarks:read",), ("channel_id",)),
}
