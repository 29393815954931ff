"""What people do with messages: write, edit, delete, react, pin, share files.

Mixed into the stand-in. Each leaves in the workspace what the Slack client would leave and delivers the
events of it, in this thread; what a person could not do is refused (`NotThere`, or `SlackError` with
Slack's own code). What an app is told is in `happenings` and `events`.
"""

from __future__ import annotations

import mimetypes
import re

from sandbox.slack import events, happenings
from sandbox.slack.actions import Actions
from sandbox.slack.delivery import Delivery
from sandbox.slack.payloads import NotThere
from sandbox.slack.workspace import Channel, File, Json, Message, User


class Writing(Actions):
    # --- saying

    def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Delivery | None:
        """Write a message to the bot: `<@bot>` is put in front unless it is there or this is a DM."""
        place = self._place(user, channel)
        address = f"<@{self.workspace.bot_user_id}>"
        if place.kind != "im" and address not in text:
            text = f"{address} {text}".strip()
        return self._say(user, place, text, thread_ts)[1]

    def post_as(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write an ordinary message, with its message event where the app is subscribed."""
        return self._say(user, self._place(user, channel), text, thread_ts)[0]

    def _say(
        self, user: str, place: Channel, text: str, thread_ts: str | None
    ) -> tuple[Message, Delivery | None]:
        person, _ = self._typist(user, place.id)
        self._let_in(person, place)
        message = self.workspace.post(
            place,
            person.id,
            _typed(text),
            thread_ts=thread_ts,
            client_msg_id=self.workspace.secret("client_msg_id"),
        )
        event = events.said(self.workspace, message) | _origin(person)
        delivery = self.courier.deliver_event(event)
        if f"<@{self.workspace.bot_user_id}>" in message.text and place.kind != "im":
            mention = {k: v for k, v in event.items() if k != "channel_type"} | {"type": "app_mention"}
            delivery = self.courier.deliver_event(mention)
        return message, delivery

    def _let_in(self, person: User, place: Channel) -> None:
        """Who writes into a public channel is in it from then on; `join` is the way that others see."""
        if person.id in place.members:
            return
        if place.kind != "public":
            raise NotThere(f"{person.name} is not in {place.name or place.id}")
        with self.workspace.change("member", channel=place.id, user=person.id):
            place.members.append(person.id)

    def post_as_app(self, username: str, channel: str, text: str) -> Message:
        """A message of another app, such as a deployment's: a bot_message with a bot_id and no user."""
        place = self.workspace.channel(channel)
        fields: Json = {"subtype": "bot_message", "username": username, "bot_id": "B0ANOTHER01"}
        message = self.workspace.post(place, "", text, **fields)
        self._tell(events.said(self.workspace, message))
        return message

    def upload(
        self,
        user: str,
        channel: str,
        name: str,
        content: bytes | str,
        text: str = "",
        thread_ts: str | None = None,
    ) -> Message:
        """Share a file, with or without words: one message, told as message and as file_shared."""
        person, place = self._member(user, channel)
        file = self._file(person, name, content if isinstance(content, bytes) else content.encode())
        told: Json = {"thread_ts": thread_ts, "client_msg_id": self.workspace.secret("client_msg_id")}
        message, sent = happenings.share(self.workspace, place, [file], person.id, _typed(text), **told)
        self._tell(*sent)
        return message

    def _file(self, person: User, name: str, content: bytes) -> File:
        file = File(
            id=self.workspace.new_id("F"),
            name=name,
            title=name,
            length=len(content),
            user=person.id,
            created=self.workspace.seconds(),
            ticket="",
            content=content,
            mimetype=mimetypes.guess_type(name)[0] or "text/plain",
            completed=True,
        )
        with self.workspace.change("file", file=file.id):
            self.workspace.files[file.id] = file
        return file

    # --- changing one's mind

    def edit(self, user: str, channel: str, ts: str, text: str) -> tuple[Delivery, ...]:
        """Edit one's own message. The same text again changes nothing, as in the client."""
        message = self._own(user, channel, ts)
        if message.text == _typed(text):
            return ()
        return self._tell(*happenings.edit(self.workspace, message, text=_typed(text)))

    def delete(self, user: str, channel: str, ts: str) -> tuple[Delivery, ...]:
        """Delete one's own message; a workspace admin may delete anybody's."""
        message = self._own(user, channel, ts, may_be_admin=True)
        return self._tell(*happenings.delete(self.workspace, message))

    def _own(self, user: str, channel: str, ts: str, *, may_be_admin: bool = False) -> Message:
        person, place = self._typist(user, channel)
        message = self._message(place, ts)
        if message.subtype == "tombstone":
            raise NotThere(f"message {ts} is deleted")
        if message.user != person.id and not (may_be_admin and person.is_admin):
            raise NotThere(f"message {ts} is not {person.name}'s")
        return message

    def unfurl(self, channel: str, ts: str, url: str, title: str) -> tuple[Delivery, ...]:
        """What Slack does by itself with a link, some time later: a message_changed that is no edit."""
        message = self._message(self.workspace.channel(channel), ts)
        preview = {"id": 1, "from_url": url, "original_url": url, "title": title, "fallback": title}
        return self._tell(*happenings.unfurl(self.workspace, message, preview))

    # --- reactions and pins

    def react(self, user: str, channel: str, ts: str, emoji: str) -> Delivery | None:
        person, place = self._typist(user, channel)
        message = self._message(place, ts)
        sent = self._tell(*happenings.react(self.workspace, message, person.id, emoji.strip(":")))
        return sent[0] if sent else None

    def unreact(self, user: str, channel: str, ts: str, emoji: str) -> Delivery | None:
        """Take one's own reaction back."""
        person, place = self._typist(user, channel)
        message = self._message(place, ts)
        sent = self._tell(*happenings.unreact(self.workspace, message, person.id, emoji.strip(":")))
        return sent[0] if sent else None

    def pin(self, user: str, channel: str, ts: str) -> tuple[Delivery, ...]:
        person, place = self._member(user, channel)
        return self._tell(*happenings.pin(self.workspace, self._message(place, ts), person.id))

    def unpin(self, user: str, channel: str, ts: str) -> tuple[Delivery, ...]:
        """Whoever pinned it."""
        person, place = self._member(user, channel)
        return self._tell(*happenings.unpin(self.workspace, self._message(place, ts), person.id))


def _origin(person: User) -> Json:
    """In a shared channel Slack says which workspace somebody is of."""
    return {"user_team": person.team_id, "source_team": person.team_id} if person.is_stranger else {}


def _typed(text: str) -> str:
    """A typed message as stored: & < > become entities, except in Slack's own <…> tokens."""
    parts = re.split(r"(<[@#!][^>]*>|<https?://[^>]*>)", text)
    for index in range(0, len(parts), 2):
        parts[index] = parts[index].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(parts)
