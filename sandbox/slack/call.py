"""One Web API call as a method sees it: its arguments, the workspace, and who is asking.

`Method` is one row of the method table; `Call` reads form, query and JSON arguments alike and finds the
channel or message an argument names, refusing with Slack's code. No method touches HTTP.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from sandbox.slack import limits
from sandbox.slack.workspace import Channel, Json, Message, SlackError, Workspace

T = TypeVar("T")


@dataclass
class Call:
    workspace: Workspace
    args: Json
    granted: frozenset[str]
    announce: Callable[..., None]  # tells the bot of events, if it is subscribed
    open_socket: Callable[[], str]  # a Socket Mode url for apps.connections.open
    scopes: tuple[str, ...] = ()  # of the method; the call has at least one of them

    def has(self, name: str) -> bool:
        return self.args.get(name) not in (None, "")

    def text(self, name: str, default: str = "") -> str:
        value = self.args.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.args.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        return str(value).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.args.get(name) or default)
        except ValueError:
            raise SlackError("invalid_limit") from None

    def structure(self, name: str, error: str) -> Any:
        """A JSON argument: an object in a JSON body, a string holding JSON in a form."""
        value = self.args.get(name)
        if not isinstance(value, str) or value == "":
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None

    def names(self, name: str) -> list[str]:
        """A list argument: comma-separated in a form, possibly an array in JSON."""
        value = self.args.get(name) or []
        items = value.split(",") if isinstance(value, str) else [str(item) for item in value]
        return [item.strip() for item in items if item.strip()]

    # --- what the arguments point at

    @property
    def bot_id(self) -> str:
        return self.workspace.bot_user_id

    def channel(self, name: str = "channel") -> Channel:
        """A private conversation the bot is not in does not exist for it."""
        channel = self.workspace.channels.get(self.text(name))
        if channel is None or (channel.is_private and self.bot_id not in channel.members):
            raise SlackError("channel_not_found")
        self.demand(channel.kind)
        return channel

    def demand(self, kind: str) -> None:
        """Where a method has a scope for each kind of conversation, the one for this kind must be granted."""
        wanted = [scope for scope in self.scopes if scope.startswith(_FAMILIES[kind])]
        if wanted and not self.granted.intersection(wanted):
            raise missing_scope(wanted[0], self.granted)

    def own_channel(self, name: str = "channel") -> Channel:
        channel = self.channel(name)
        if self.bot_id not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str, *, missing: str = "message_not_found") -> Message:
        message = channel.messages.get(self.text(name))
        if message is None:
            raise SlackError(missing)
        return message

    # --- what a message or view argument may hold

    def content(self) -> Json:
        """Text, blocks and attachments of a message, checked."""
        markdown = self.text("markdown_text")
        if markdown and (self.has("text") or self.has("blocks")):
            raise SlackError("markdown_text_conflict")
        if len(markdown) > limits.MARKDOWN_TEXT:
            raise SlackError("msg_too_long")
        blocks = limits.message_blocks(self.structure("blocks", "invalid_blocks_format"))
        attachments = limits.attachments(self.structure("attachments", "invalid_attachments"))
        text = markdown or self.text("text")
        if not (text or blocks or attachments):
            raise SlackError("no_text")
        return {"text": text, "blocks": blocks, "attachments": attachments}

    def page(self, items: Sequence[T], *, limit: int, default: int) -> tuple[list[T], str]:
        """One page of `items` and the cursor of the next, "" at the end."""
        size = min(max(1, self.number("limit", default)), limit)
        start = _decode_cursor(self.text("cursor"))
        page = list(items[start : start + size])
        more = start + size < len(items)
        return page, _encode_cursor(start + size) if more else ""


_FAMILIES = {"public": "channels:", "private": "groups:", "im": "im:", "mpim": "mpim:"}


def missing_scope(needed: str, granted: frozenset[str]) -> SlackError:
    return SlackError("missing_scope", needed=needed, provided=",".join(sorted(granted)))


def _encode_cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _decode_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except ValueError:
        raise SlackError("invalid_cursor") from None


@dataclass(frozen=True)
class Method:
    """A row of the method table. Any one of `scopes` will do; none means that the token alone is enough."""

    run: Callable[[Call], Json]
    per_minute: int
    scopes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    takes_json: bool = True  # `json_input_supported` of slack-api-ref
    token: Literal["bot", "app", "none"] = "bot"


Methods = dict[str, Method]
