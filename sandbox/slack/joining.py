"""What people do with channels: open, join, leave, invite, remove, rename, set the topic, archive; and bookmarks.

Mixed into the stand-in, like `writing`: the workspace changes as by the Slack client, the events of it are
delivered in this thread. Slack has no event for a bookmark: who removes one is noticed only by looking.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.slack import happenings
from sandbox.slack.actions import Actions
from sandbox.slack.delivery import Delivery
from sandbox.slack.payloads import NotThere
from sandbox.slack.workspace import Bookmark, Channel, User


class Joining(Actions):
    # --- who is in it

    def open_channel(self, user: str, name: str, *, is_private: bool = False) -> str:
        """Make a channel with oneself in it; its id. An app is told of it only when it is invited."""
        person = self._actor(user)
        free = happenings.free_name(self.workspace, name)
        kind = "private" if is_private else "public"
        place = self.workspace.create_channel(free, creator=person.id, kind=kind)
        self._tell(*happenings.join(self.workspace, place, person))
        return place.id

    def join(self, user: str, channel: str) -> tuple[Delivery, ...]:
        person, place = self._typist(user, channel)
        if place.kind != "public" or person.is_restricted:
            raise NotThere(f"{person.name} can only be invited to {place.name}")
        if person.id in place.members:
            raise NotThere(f"{person.name} is in {place.name} already")
        return self._tell(*happenings.join(self.workspace, place, person))

    def leave(self, user: str, channel: str) -> tuple[Delivery, ...]:
        person, place = self._named(user, channel)
        return self._tell(*happenings.leave(self.workspace, place, person))

    def invite(self, user: str, channel: str, guests: Sequence[str]) -> tuple[Delivery, ...]:
        """Also the bot. Who is in the channel already is passed over, as by the client."""
        person, place = self._named(user, channel)
        invited = [self._actor(guest) for guest in guests]
        sent: tuple[Delivery, ...] = ()
        for guest in invited:
            if guest.id not in place.members:
                sent += self._tell(*happenings.join(self.workspace, place, guest, inviter=person.id))
        return sent

    def remove(self, user: str, channel: str, guest: str) -> tuple[Delivery, ...]:
        """Put somebody else out of the channel, the bot included."""
        person, place = self._named(user, channel)
        removed = self.workspace.user(guest)
        if removed.id not in place.members or removed.id == person.id:
            raise NotThere(f"{removed.name} cannot be removed from {place.name} by {person.name}")
        return self._tell(*happenings.leave(self.workspace, place, removed, remover=person.id))

    # --- the channel itself

    def rename_channel(self, user: str, channel: str, name: str) -> tuple[Delivery, ...]:
        person, place = self._named(user, channel)
        return self._tell(*happenings.rename(self.workspace, place, person.id, name))

    def set_topic(self, user: str, channel: str, topic: str) -> tuple[Delivery, ...]:
        person, place = self._named(user, channel)
        return self._tell(*happenings.set_topic(self.workspace, place, person.id, topic))

    def archive(self, user: str, channel: str) -> tuple[Delivery, ...]:
        person, place = self._named(user, channel)
        return self._tell(*happenings.archive(self.workspace, place, person.id))

    def unarchive(self, user: str, channel: str) -> tuple[Delivery, ...]:
        """Only people can: the Web API refuses it to a bot."""
        person, place = self._actor(user), self.workspace.channel(channel)
        return self._tell(*happenings.unarchive(self.workspace, place, person.id))

    def _named(self, user: str, channel: str) -> tuple[User, Channel]:
        """A member of a channel with a name, who is no guest."""
        person, place = self._member(user, channel)
        if place.kind not in ("public", "private") or person.is_restricted:
            raise NotThere(f"{person.name} cannot do that in {place.name or place.id}")
        return person, place

    # --- bookmarks

    def add_bookmark(self, user: str, channel: str, title: str, link: str) -> str:
        """Its id."""
        person, place = self._member(user, channel)
        now = self.workspace.seconds()
        bookmark = Bookmark(self.workspace.new_id("Bk"), place.id, title, link, "", now, 0, person.id)
        with self.workspace.change("bookmark", channel=place.id):
            place.bookmarks.append(bookmark)
        return bookmark.id

    def remove_bookmark(self, user: str, channel: str, title: str) -> None:
        _, place = self._member(user, channel)
        found = [bookmark for bookmark in place.bookmarks if title in (bookmark.title, bookmark.id)]
        if not found:
            raise NotThere(f"no bookmark {title!r} in {place.name}")
        with self.workspace.change("bookmark", channel=place.id):
            place.bookmarks.remove(found[0])
