"""The workspace behind the stand-in: people, channels, messages, files, views and everything hung on them.

Owns all state and the clock, and guards both with one lock. Every change is announced on `changed`
(a condition variable) and to the listeners of the change feed. It knows nothing of HTTP, tokens,
scopes or rate limits, and never calls the bot: `methods` and `actions` decide who may do what.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TRIGGER_LIFETIME = 3.0  # seconds; docs.slack.dev "opening modals"
RESPONSE_URL_LIFETIME = 30 * 60.0
RESPONSE_URL_USES = 5
VIEW_STACK_DEPTH = 3
SLACKBOT = "USLACKBOT"


class SlackError(Exception):
    """An answer `{"ok": false, "error": code, **extra}`."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


class Clock:
    """Slack's idea of now: real time plus an offset, or standing still when `frozen_at` is given."""

    def __init__(self, frozen_at: float | None = None) -> None:
        self._frozen_at = frozen_at
        self._offset = 0.0
        self._observers: list[Callable[[], None]] = []

    def now(self) -> float:
        start = time.time() if self._frozen_at is None else self._frozen_at
        return start + self._offset

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("Slack's clock only moves forward: timestamps must stay monotonic")
        self._offset += seconds
        for observer in list(self._observers):
            observer()

    def observe(self, observer: Callable[[], None]) -> None:
        self._observers.append(observer)


@dataclass
class User:
    id: str
    name: str
    real_name: str
    email: str
    team_id: str
    tz: str = "Europe/London"
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_admin: bool = False
    deleted: bool = False
    is_stranger: bool = False  # a Slack Connect user of another workspace
    bot_id: str | None = None


@dataclass
class Usergroup:
    id: str
    handle: str
    name: str
    users: list[str]
    created: int = 0


@dataclass
class Bookmark:
    id: str
    channel_id: str
    title: str
    link: str
    emoji: str
    created: int
    updated: int
    by: str


@dataclass
class Pin:
    ts: str
    by: str
    created: int


@dataclass
class Channel:
    id: str
    name: str
    creator: str
    created: int
    kind: str = "public"  # public | private | im | mpim
    members: list[str] = field(default_factory=list)
    topic: str = ""
    topic_set: tuple[str, int] = ("", 0)
    purpose: str = ""
    purpose_set: tuple[str, int] = ("", 0)
    is_archived: bool = False
    is_general: bool = False
    is_ext_shared: bool = False
    previous_names: list[str] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)  # by ts, oldest first
    pins: list[Pin] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
    canvas_id: str | None = None
    last_ts: int = 0  # microseconds

    @property
    def is_private(self) -> bool:
        return self.kind != "public"

    def thread(self, ts: str) -> list[Message]:
        """The parent and its replies, oldest first; empty when there is no such message."""
        return [m for m in self.messages.values() if m.ts == ts or (m.thread_ts == ts and m.ts != ts)]


@dataclass
class Message:
    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    subtype: str | None = None
    metadata: Json | None = None
    edited: Json | None = None
    username: str | None = None
    icons: Json | None = None
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    client_msg_id: str | None = None
    is_broadcast: bool = False
    bot_id: str | None = None  # of an integration that has no user here
    details: Json = field(
        default_factory=dict
    )  # what its subtype has beyond the text: inviter, topic, old_name

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass
class Ephemeral:
    """A message only one person sees; `source` says how it came about."""

    channel: str
    ts: str
    user: str
    text: str
    source: str  # api | ack | response_url | slackbot
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None


@dataclass
class File:
    id: str
    name: str
    title: str
    length: int
    user: str
    created: int
    ticket: str
    content: bytes | None = None
    mimetype: str = "text/plain"
    completed: bool = False
    deleted: bool = False
    alt_txt: str = ""
    shares: list[tuple[str, str]] = field(default_factory=list)  # (channel, ts)


@dataclass
class Canvas:
    """A document in sections (a heading, a paragraph, a list), each with an id of its own."""

    id: str
    title: str
    sections: list[tuple[str, str]] = field(default_factory=list)  # (id, markdown)
    channel: str | None = None

    @property
    def markdown(self) -> str:
        return "\n\n".join(text for _, text in self.sections)


@dataclass
class View:
    id: str
    user: str
    type: str  # modal | home
    payload: Json
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    state: Json = field(default_factory=dict)
    errors: Json = field(default_factory=dict)


@dataclass
class Trigger:
    user: str
    expires: float
    is_used: bool = False
    view_id: str | None = None  # the modal it came from, for views.push


@dataclass
class ResponseUrl:
    secret: str
    user: str
    channel: str
    expires: float
    uses_left: int = RESPONSE_URL_USES
    message_ts: str | None = None  # the message whose button was pressed
    is_ephemeral: bool = False
    thread_ts: str | None = None


class Workspace:
    """All state of one Slack workspace with one app installed."""

    def __init__(
        self,
        *,
        team_id: str,
        name: str,
        domain: str,
        app_id: str,
        bot_user_id: str,
        clock: Clock,
    ) -> None:
        self.team_id = team_id
        self.name = name
        self.domain = domain
        self.app_id = app_id
        self.bot_user_id = bot_user_id
        self.clock = clock
        self.base_url = ""  # where the stand-in listens, once it does
        self.home_tab = True  # whether the app has a Home tab
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.usergroups: dict[str, Usergroup] = {}
        self.files: dict[str, File] = {}
        self.canvases: dict[str, Canvas] = {}
        self.views: dict[str, View] = {}
        self.modal_stacks: dict[str, list[str]] = {}
        self.home_views: dict[str, str] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.ephemerals: list[Ephemeral] = []
        self.selections: dict[tuple[str, str], Json] = {}  # (message ts, user) -> state.values
        self.changed = threading.Condition(threading.RLock())
        self._listeners: list[Callable[[Json], None]] = []
        self._serial = 0
        self._version = 0

    # --- change feed

    @contextmanager
    def change(self, kind: str, **detail: Any) -> Iterator[None]:
        """Hold the lock while something changes, then tell everybody who waits or listens."""
        with self.changed:
            yield
            self._version += 1
            notice = {"version": self._version, "kind": kind, **detail}
            for listener in list(self._listeners):
                listener(notice)
            self.changed.notify_all()

    def listen(self, listener: Callable[[Json], None]) -> Callable[[], None]:
        """Call `listener` with every notice, from the thread that made the change; returns the way out."""
        with self.changed:
            self._listeners.append(listener)

        def stop() -> None:
            with self.changed:
                self._listeners.remove(listener)

        return stop

    @property
    def version(self) -> int:
        return self._version

    def succeed(self, before: Workspace) -> None:
        """Take over the listeners of the workspace this one replaces; versions go on growing."""
        with before.changed, self.changed:
            self._listeners = before._listeners
            self._version += before._version

    # --- ids and times

    def new_id(self, prefix: str) -> str:
        """An id of Slack's form, deterministic within a run so that transcripts are stable."""
        with self.changed:
            self._serial += 1
            return f"{prefix}0{self._serial:09d}"

    def secret(self, *parts: object) -> str:
        digest = hashlib.sha256(repr((self.new_id("X"), self.team_id, *parts)).encode())
        return digest.hexdigest()[:32]

    def seconds(self) -> int:
        return int(self.clock.now())

    def next_ts(self, channel: Channel) -> str:
        """Strictly increasing within the channel, even while the clock stands still."""
        channel.last_ts = max(int(self.clock.now() * 1_000_000), channel.last_ts + 1)
        return f"{channel.last_ts // 1_000_000}.{channel.last_ts % 1_000_000:06d}"

    # --- people

    @property
    def bot(self) -> User:
        return self.users[self.bot_user_id]

    def user(self, reference: str) -> User:
        """By id or by name, as a person at the keyboard would say it."""
        wanted = reference.removeprefix("@")
        for user in self.users.values():
            if wanted in (user.id, user.name):
                return user
        raise KeyError(f"no user {reference!r} in this workspace")

    def channel(self, reference: str) -> Channel:
        wanted = reference.removeprefix("#")
        if wanted in self.channels:
            return self.channels[wanted]
        for channel in self.channels.values():
            if channel.name == wanted and channel.kind in ("public", "private"):
                return channel
        raise KeyError(f"no channel {reference!r} in this workspace")

    # --- channels

    def create_channel(
        self,
        name: str,
        *,
        creator: str,
        kind: str = "public",
        members: Iterable[str] = (),
        id: str | None = None,
    ) -> Channel:
        prefix = "D" if kind == "im" else "C"
        with self.change("channel", name=name):
            channel = Channel(
                id=id or self.new_id(prefix),
                name=name,
                creator=creator,
                created=self.seconds(),
                kind=kind,
                members=list(dict.fromkeys(members)),
            )
            self.channels[channel.id] = channel
            return channel

    def direct_message(self, users: Iterable[str]) -> tuple[Channel, bool]:
        """The conversation of exactly these people, and whether it was there already."""
        members = sorted(set(users))
        with self.changed:
            for channel in self.channels.values():
                if channel.kind in ("im", "mpim") and sorted(channel.members) == members:
                    return channel, True
            kind = "im" if len(members) == 2 else "mpim"
            name = "" if kind == "im" else "mpdm-" + "--".join(self.users[u].name for u in members) + "-1"
            return self.create_channel(name, creator=self.bot_user_id, kind=kind, members=members), False

    def bot_sees(self, file: File) -> bool:
        """Its own, and what is shared where it is."""
        shared = [self.channels[channel].members for channel, _ in file.shares]
        return file.user == self.bot_user_id or any(self.bot_user_id in members for members in shared)

    # --- messages

    def post(self, channel: Channel, user: str, text: str, **fields: Any) -> Message:
        with self.change("message", channel=channel.id):
            message = Message(channel=channel.id, ts=self.next_ts(channel), user=user, text=text, **fields)
            channel.messages[message.ts] = message
            return message

    def post_ephemeral(self, channel: Channel, user: str, text: str, source: str, **fields: Any) -> Ephemeral:
        with self.change("ephemeral", channel=channel.id, user=user):
            ephemeral = Ephemeral(
                channel=channel.id, ts=self.next_ts(channel), user=user, text=text, source=source, **fields
            )
            self.ephemerals.append(ephemeral)
            return ephemeral

    def edit(self, message: Message, **fields: Any) -> None:
        channel = self.channels[message.channel]
        with self.change("message_changed", channel=channel.id, ts=message.ts):
            for name, value in fields.items():
                setattr(message, name, value)
            message.edited = {"user": message.user, "ts": f"{self.seconds()}.000000"}

    def delete(self, message: Message) -> None:
        """Remove a message; a parent with replies stays behind as a tombstone, as in the Slack client."""
        channel = self.channels[message.channel]
        with self.change("message_deleted", channel=channel.id, ts=message.ts):
            channel.pins = [pin for pin in channel.pins if pin.ts != message.ts]
            for file in message.files:
                self.files[file].shares.remove((channel.id, message.ts))
            if len(channel.thread(message.ts)) > 1:
                message.subtype, message.user = "tombstone", SLACKBOT
                message.text = "This message was deleted."
                message.blocks, message.attachments, message.metadata = [], [], None
                message.files, message.reactions, message.edited = [], {}, None
                message.client_msg_id = message.username = message.bot_id = None
            else:
                del channel.messages[message.ts]

    # --- triggers and response urls

    def new_trigger(self, user: str, view_id: str | None = None) -> str:
        with self.changed:
            serial = self.new_id("")
            trigger_id = f"{int(serial)}.{self.seconds()}.{self.secret('trigger')}"
            self.triggers[trigger_id] = Trigger(user, self.clock.now() + TRIGGER_LIFETIME, view_id=view_id)
            return trigger_id

    def use_trigger(self, trigger_id: str) -> Trigger:
        with self.changed:
            trigger = self.triggers.get(trigger_id)
            if trigger is None:
                raise SlackError("invalid_trigger_id")
            if trigger.is_used:
                raise SlackError("exchanged_trigger_id")
            if self.clock.now() > trigger.expires:
                raise SlackError("expired_trigger_id")
            trigger.is_used = True
            return trigger

    def new_response_url(self, user: str, channel: str, **origin: Any) -> str:
        """The secret part of a response_url."""
        with self.changed:
            secret = self.secret("response_url")
            expires = self.clock.now() + RESPONSE_URL_LIFETIME
            self.response_urls[secret] = ResponseUrl(secret, user, channel, expires, **origin)
            return secret

    # --- views

    def view_hash(self) -> str:
        return f"{self.seconds()}.{self.secret('hash')[:8]}"

    def open_view(self, user: str, payload: Json, *, on_top: bool) -> View:
        """Show a modal: a new stack, or on top of the one that is open (views.push)."""
        with self.change("view", user=user):
            stack = self.modal_stacks.get(user, []) if on_top else []
            if on_top and not stack:
                raise SlackError("not_found")
            if len(stack) >= VIEW_STACK_DEPTH:
                raise SlackError("push_limit_reached")
            if not on_top:
                self.close_views(user)
            view_id = self.new_id("V")
            root = stack[0] if stack else view_id
            previous = stack[-1] if stack else None
            view = View(view_id, user, "modal", payload, self.view_hash(), root, previous)
            self.views[view_id] = view
            self.modal_stacks[user] = [*stack, view_id]
            return view

    def publish_home(self, user: str, payload: Json) -> View:
        with self.change("view", user=user):
            current = self.home_views.get(user)
            view_id = current or self.new_id("V")
            view = View(view_id, user, "home", payload, self.view_hash(), view_id)
            self.views[view_id] = view
            self.home_views[user] = view_id
            return view

    def update_view(self, view: View, payload: Json) -> View:
        with self.change("view", user=view.user):
            kept = {block.get("block_id") for block in payload["blocks"]}
            view.payload = payload
            view.hash = self.view_hash()
            view.errors = {}
            view.state = {block: values for block, values in view.state.items() if block in kept}
            return view

    def close_views(self, user: str, *, top_only: bool = False) -> None:
        with self.change("view", user=user):
            stack = self.modal_stacks.get(user, [])
            closing = stack[-1:] if top_only else list(stack)
            for view_id in closing:
                stack.remove(view_id)
                del self.views[view_id]
