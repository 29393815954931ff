"""Furnishes the channel of an incident: its people, the pin of its card, its topic, and its links as bookmarks.

A pin or a bookmark that somebody takes away is put back. A topic is written when what it says changes: what people
wrote there stays until then. Who left is not fetched back. Works for bot/rooms.py, which says when.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from slack_sdk.errors import SlackApiError

from bot import render
from bot.incidentcard import CARD
from bot.incidentwords import is_hidden, purpose, topic
from bot.outbox import Claim, Outbox, Sent
from bot.roomstep import Step
from bot.state import State
from bot.wire import Refusal, Wire
from commands.finding import Link
from commands.response.incident import Incident, Role
from commands.site import ClusterSite, Site

# Under these names it is noted what Slack has, beside the messages of the record.
_PIN, _TOPIC, _PURPOSE = "room pin", "room topic", "room purpose"
# Pins are Tier 2, 20 calls a minute for all incidents together: they are looked at less often.
_PIN_LOOKS = 5
_INVITED = 100  # people in one call
_TITLE = 60  # characters of a bookmark's title, which Slack shows short

# Of these people; the others came.
_PERSONAL = frozenset(
    {
        "already_in_channel", "cant_invite", "cant_invite_self", "user_not_found", "ura_max_channels", "no_user",
        "user_is_restricted", "is_restricted",
    }
)  # fmt: skip


class Furnishing:
    """look: how often pins and bookmarks are looked at."""

    def __init__(
        self, state: State, site: Site, wire: Wire, redact: Callable[[str], str], look: timedelta
    ) -> None:
        self._state = state
        self._outbox = Outbox(state)
        self._site = site
        self._wire = wire
        self._redact = redact
        self._look = look

    def steps(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        """What its channel lacks, the most urgent first; nothing before its card is there."""
        card = sent.get(CARD, Sent())
        if not incident.room.is_own or not card.ts or card.channel != incident.room.channel:
            return
        if not incident.is_over:
            yield from self._guests(claim, incident, sent)
            yield from self._pin(claim, incident, sent, card)
        yield from self._wording(claim, incident, sent)
        if not incident.is_over:
            yield from self._bookmarks(incident)

    # --- people ---

    def _guests(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        new = [user for user in self._wanted(incident) if f"guest {user}" not in sent][:_INVITED]
        if new:
            yield Step(
                "guests", "conversations.invite", "invite into its channel",
                lambda: self._invite(claim, incident, new),
            )  # fmt: skip

    def _invite(self, claim: Claim, incident: Incident, users: list[str]) -> None:
        """force: who can come is invited whoever cannot."""
        body = {"channel": incident.room.channel, "users": ",".join(users), "force": True}
        try:
            self._wire.call("conversations.invite", json=body)
        except SlackApiError as error:
            if Refusal.of(error).code not in _PERSONAL:
                raise
        for user in users:
            self._outbox.note_sent(claim.card, f"guest {user}", Sent(channel=incident.room.channel))

    def _wanted(self, incident: Incident) -> Iterable[str]:
        """Who declared it, leads it, was asked or called; on-call, the service's owner and who joined it. Into what
        nobody outside may see nobody comes by joining, and into one of security its people in place of on-call."""
        members = [incident.by, *(held.user for held in incident.roles.values())]
        members += [*(offer.user for offer in incident.offers), *(page.user for page in incident.pages)]
        if incident.is_security:
            members += self._site.role_members("security")
        else:
            now = datetime.now(UTC)
            members += [self._site.oncall(now), self._site.second_oncall(now)]
        if not is_hidden(incident):
            members += (*incident.people, *self._owners(incident))
        return dict.fromkeys(user for member in members for user in self._people(member))

    def _owners(self, incident: Incident) -> tuple[str, ...]:
        cluster = self._cluster(incident)
        service = cluster.services.get(incident.service) if cluster else None
        return self._site.role_members(service.owner) if service else ()

    def _cluster(self, incident: Incident) -> ClusterSite | None:
        return self._site.clusters.get(incident.cluster)

    def _people(self, member: str) -> tuple[str, ...]:
        """Of a user group its members, as far as Slack told them (bot/people.py)."""
        if member.startswith("S"):
            return tuple(filter(None, self._state.recall(f"group-{member}").split(",")))
        return (member,) if member[:1] in ("U", "W") else ()

    # --- the pin ---

    def _pin(self, claim: Claim, incident: Incident, sent: dict[str, Sent], card: Sent) -> Iterator[Step]:
        if sent.get(_PIN, Sent()).ts != card.ts or self._is_due(incident, "pin"):
            yield Step("pin", "pins.add", "pin its card", lambda: self._add_pin(claim, incident, card))

    def _add_pin(self, claim: Claim, incident: Incident, card: Sent) -> None:
        try:
            self._wire.call("pins.add", json={"channel": card.channel, "timestamp": card.ts})
        except SlackApiError as error:
            if Refusal.of(error).code != "already_pinned":
                raise
        self._outbox.note_sent(claim.card, _PIN, Sent(channel=card.channel, ts=card.ts))
        self._looked(incident, "pin", _PIN_LOOKS)

    # --- topic and purpose ---

    def _wording(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        told = render.masked(incident, self._redact)
        said = topic(told, self._called(incident.holder(Role.IC)))
        if sent.get(_TOPIC, Sent()).digest != _digest(said):
            yield self._worded(claim, incident, _TOPIC, "topic", said)
        if _PURPOSE not in sent:
            yield self._worded(claim, incident, _PURPOSE, "purpose", purpose(told))

    def _called(self, user: str) -> str:
        """By name, as far as that is known (bot/people.py)."""
        name = self._state.called(user) if user else ""
        return self._redact(name) if name != user else ""

    def _worded(self, claim: Claim, incident: Incident, key: str, what: str, text: str) -> Step:
        method = f"conversations.set{what.capitalize()}"

        def write() -> None:
            self._wire.call(method, json={"channel": incident.room.channel, what: text})
            self._outbox.note_sent(claim.card, key, Sent(digest=_digest(text)))

        return Step(what, method, f"set the {what} of its channel", write)

    # --- links ---

    def _bookmarks(self, incident: Incident) -> Iterator[Step]:
        links = self._links(incident)
        if links and self._is_due(incident, _digest(str(links))):
            yield Step(
                "bookmarks", "bookmarks.add", "put its links over its channel",
                lambda: self._add_bookmarks(incident, links),
            )  # fmt: skip

    def _add_bookmarks(self, incident: Incident, links: tuple[Link, ...]) -> None:
        """A bookmark has no idempotency: it is looked before it is added."""
        channel = {"channel_id": incident.room.channel}
        there = {each.get("link") for each in self._wire.ask("bookmarks.list", channel)["bookmarks"]}
        for link in links:
            if link.url not in there:
                body = {**channel, "title": link.label, "type": "link", "link": link.url}
                self._wire.call("bookmarks.add", json=body)
        self._looked(incident, _digest(str(links)))

    def _links(self, incident: Incident) -> tuple[Link, ...]:
        """The runbook of its alerts, else where runbooks are; and Grafana, where people's browsers reach it."""
        cluster = self._cluster(incident)
        groups = self._state.groups([link.group for link in incident.alerts])
        books = [group.record.lead.annotations.get("runbook_url", "") for group in groups]
        told = [Link("Runbook", url) for url in books[:3]]
        if cluster:
            told += [] if any(books) else [Link("Runbooks", cluster.urls.runbooks)]
            told.append(Link("Grafana", cluster.urls.grafana))
        masked = (Link(link.label[:_TITLE], self._redact(link.url)) for link in told)
        return tuple(dict.fromkeys(link for link in masked if link.url.startswith(("http://", "https://"))))

    # --- when it was looked at ---

    def _is_due(self, incident: Incident, what: str) -> bool:
        return not self._state.recall(f"looked-{incident.id}-{what}")

    def _looked(self, incident: Incident, what: str, looks: int = 1) -> None:
        self._state.remember(f"looked-{incident.id}-{what}", "1", self._look * looks)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
