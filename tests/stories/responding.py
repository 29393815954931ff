"""What the stories of incidents share: a house with quick clocks whose people declare, lead and end incidents.

All is done by signed requests: slash commands, presses, windows, reactions; what came of it is looked at in Slack, in
the record and in the cluster. Alice and Carol are on call; Bob approves. Clocks of timers are moved by `later.py`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import urllib3

from bot.changerecords import ChangeRecords
from bot.records import Records
from bot.state import State, connect
from commands.ledger import Event, faults
from commands.response import fold
from commands.response.incident import Incident
from commands.site import Site
from sandbox.house import House, wait_until
from sandbox.kube import KubeStandIn, build
from sandbox.process import ChildFailed
from sandbox.redis_server import RedisServer
from sandbox.slack import Delivery, SlackStandIn
from sandbox.slack.cast import ALICE, BOB, BOT_USER_ID, CAROL, TEAM_ID, Cast, default_cast
from sandbox.slack.installed import SCOPES
from sandbox.slack.workspace import File, User
from tests.build import trail_faults
from tests.stories.alerting import NOWHERE
from tests.stories.almanac import still
from tests.stories.faults import Json, payload
from tests.stories.later import AHEAD

PATIENCE = 60
DAILY, INCIDENTS, ALERTS = "#sre-daily", "#incidents", "#sre-alerts"
SERVICE = "web"
SITE: Json = {
    "cluster": {"eks": False},
    "monitoring": {**NOWHERE, "access": "proxy"},
    "services": {SERVICE: {"namespace": "shop", "deployment": "web", "service": "web"}},
    "roles": {
        "oncall": {"rota": [ALICE.id, CAROL.id], "start": date.today() - timedelta(days=2)},
        "approvers": ["S0APPROVERS"],
        "sre-lead": BOB.id,
        "security": [ALICE.id, BOB.id],
    },
    "access": [
        {"roles": "oncall", "may": ["submit"], "verbs": "*"},
        {"roles": "approvers", "may": ["submit", "approve"], "verbs": "*"},
    ],
}
_ID = re.compile(r"\b(?:INC-\d{4}-\d{2}-\d{2}-\d{3,}|CR-\d{4}-\d{2}-\d{2}-\d{3,}|R[2-9A-HJ-NP-Z]{8})\b")


CROWD = tuple(f"helper{number}" for number in range(10))


def cast() -> Cast:
    """With many more members of the workspace."""
    usual = default_cast()
    more = [
        User(f"U0HELPER{number:03}", name, f"Helper {number}", f"{name}@example.com", TEAM_ID)
        for number, name in enumerate(CROWD)
    ]
    return replace(usual, users=[*usual.users, *more])


class RespondingHouse(House):
    """Its bot has quick clocks at Slack, and its workers a clock that can be moved on."""

    def member(self, name: str, module: str, is_ready: Callable[[], bool]) -> Any:
        return super().member(
            name, {"bot": "tests.stories.swift", "workers": "tests.stories.later"}[module], is_ready
        )


class ResponseWorld:
    """site: laid over SITE. has_cluster: whether there is one to be reached. The other options are the house's."""

    def __init__(
        self,
        *,
        site: Mapping[str, Any] | None = None,
        has_cluster: bool = True,
        worker_count: int = 2,
        **house: Any,
    ) -> None:
        self._site = {**SITE, **(site or {})}
        self._has_cluster = has_cluster
        self._options: Json = {"worker_count": worker_count, **house}

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self.slack = closing.enter_context(
                SlackStandIn(rate_limits="off", cast=cast, ack_timeout=PATIENCE)
            )
            self.redis = closing.enter_context(RedisServer())
            folder = Path(self.redis.data)
            self._ahead = folder / "ahead"
            connection = connect(self.redis.url, patient=True)
            closing.callback(connection.close)
            self.state = State(connection)
            still(self.state)
            self.records, self.changes = Records(self.state, Site()), ChangeRecords(self.state, Site())
            if self._has_cluster:
                self.kube = closing.enter_context(KubeStandIn(tick_every=0.1))
                self._furnish()
                self._options["kubeconfig"] = self.kube.kubeconfig(folder / "kubeconfig")
            environment = {AHEAD: str(self._ahead)}
            self.house = closing.enter_context(
                RespondingHouse(
                    slack=self.slack, redis=self.redis, site=self._site, environment=environment,
                    **self._options,
                )
            )  # fmt: skip
            self.wait(lambda: self.state.recall("group-S0APPROVERS"), "the groups are read")
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _furnish(self) -> None:
        """A service of three pods that runs its second version, on two nodes."""
        self.kube.apply([build.node("node-1"), build.node("node-2")])
        self.kube.apply(build.deployment("web", "shop", replicas=3))
        self.kube.apply(build.service("web", "shop", selector={"app": "web"}))
        self.kube.settle()

    def roll_out(self, version: str) -> None:
        """Another version of the service, until all its pods run it."""
        image = build.IMAGE.rpartition(":")[0] + ":" + version
        template = {"spec": {"template": {"spec": {"containers": [build.container(image=image)]}}}}
        self.kube.patch("deployments.apps", "web", template, "shop")
        self.kube.wait_for(lambda kube: self.images() == {image}, PATIENCE)

    def images(self) -> set[str]:
        """What all pods of the service run; nothing while a rollout goes on."""
        pods = self.kube.list("pods", "shop")
        return {pod["spec"]["containers"][0]["image"] for pod in pods} if len(pods) == 3 else set()

    def withhold(self, *scopes: str) -> None:
        """From now on the app has all scopes of its manifest but these."""
        self.slack.api.granted = SCOPES - set(scopes)

    def move_on(self, **span: float) -> None:
        """From the next start of a worker on, its timers' clock is so far ahead."""
        self._ahead.write_text(str(timedelta(**span).total_seconds()))

    # --- what Alertmanager does

    def alert(self, body: bytes) -> None:
        """Until it is taken."""

        def taken() -> bool:
            try:
                return self.house.post_alerts(body)[0] == 200
            except urllib3.exceptions.HTTPError:
                return False

        self.wait(taken, "the body is taken")

    # --- what people do

    def type(self, user: str, channel: str, text: str) -> str:
        """A slash command; what it is answered with at once, to its sender alone."""
        delivery = self.slack.command(user, channel, text)
        assert delivery.ok, (text, delivery, self.house.bot.tail())
        return delivery.text

    def ask(self, user: str, channel: str, text: str) -> str:
        """One that is answered in the channel; the id of the request."""
        said = self.type(user, channel, text)
        assert "On it" in said, said
        return _ID.findall(said)[0]

    def declare(self, text: str, user: str = "alice", channel: str = DAILY) -> str:
        """The id of what is opened."""
        said = self.type(user, channel, f"incident declare {text}")
        assert "is declared" in said, said
        return _ID.findall(said)[0]

    def declared(self, text: str, user: str = "alice") -> tuple[str, str]:
        """Its id and its channel, once that is furnished."""
        id = self.declare(text, user)
        return id, self.wait_room(id)

    def press(self, user: str, channel: str, message: Json, label: str) -> Delivery:
        """The button with this label."""
        element = next(each for each in buttons(message) if each["text"]["text"] == label)
        return self.slack.press(user, channel, message["ts"], element["action_id"], element["value"])

    def fill(self, user: str, **values: Any) -> Delivery:
        """The window that is open, by the names of its fields."""
        view = self.slack.views(user)[-1]
        delivery = self.slack.submit_view(user, view["id"], values)
        assert delivery.ok and delivery.body.get("response_action") is None, delivery
        return delivery

    # --- what comes of it

    def wait(self, predicate: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        try:
            return wait_until(predicate, what, seconds=seconds)
        except ChildFailed:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{self.report()}") from None

    def incident(self, id: str) -> Incident:
        stored = self.records.incident(id)
        assert stored is not None
        return stored.record

    def wait_incident(self, id: str, predicate: Callable[[Incident], Any], what: str) -> Any:
        return self.wait(lambda: predicate(self.incident(id)), f"{id}: {what}")

    def wait_room(self, id: str) -> str:
        """The id of its channel, once its card is pinned there."""
        self.wait_incident(id, lambda incident: incident.room.is_own, "it has a channel of its own")
        channel = self.incident(id).room.channel
        self.wait(lambda: self.slack.workspace.channel(channel).pins, f"the card of {id} is pinned")
        return channel

    def told(self, channel: str, words: str = "") -> list[Json]:
        """What the bot said there, with these words in its text or its blocks."""
        found = [m for m in self.slack.messages(channel) if m.get("bot_id") and not m.get("subtype")]
        return [
            m for m in found if words in m["text"] or words in json.dumps(m.get("blocks"), ensure_ascii=False)
        ]

    def wait_told(self, channel: str, words: str) -> Json:
        message: Json = self.wait(
            lambda: next(iter(self.told(channel, words)), None), f"{words!r} in {channel}"
        )
        return message

    def card(self, channel: str, of: str) -> Json:
        """The message that shows where a record is: of="incident:INC-…", "alert:A…", "request:R…"."""
        found = [
            m for m in self.told(channel) if payload(m)["card"] == of and payload(m)["key"].endswith("card")
        ]
        assert len(found) == 1, (of, found)
        return found[0]

    def wait_card(self, channel: str, of: str, words: str) -> Json:
        def found() -> Json | None:
            cards = [m for m in self.told(channel, words) if payload(m)["card"] == of]
            return next((card for card in cards if payload(card)["key"].endswith("card")), None)

        card: Json = self.wait(found, f"a card of {of} with {words!r} in {channel}")
        return card

    def whispered(self, user: str, words: str) -> str:
        """What only this person was told, once it has these words."""

        def found() -> str | None:
            return next((each["text"] for each in self.slack.ephemerals(user) if words in str(each)), None)

        return str(self.wait(found, f"{words!r} for {user} alone"))

    def shared(self, channel: str, name: str) -> str:
        """What is in the newest file of this name there, "" where there is none."""
        found = [file for file in self.files(channel) if file.name == name and file.content]
        return (found[-1].content or b"").decode() if found else ""

    def files(self, channel: str) -> list[File]:
        """What the bot shared there, oldest first."""
        ids = [file["id"] for message in self.told(channel) for file in message.get("files") or ()]
        return [self.slack.workspace.files[id] for id in ids]

    def events(self, id: str, *kinds: str) -> list[Event]:
        return [event for event in self.records.events(id) if not kinds or event.kind in kinds]

    def wait_event(self, id: str, words: str) -> Event:
        """The one event with these words."""

        def found() -> Event | None:
            return next((each for each in self.events(id) if words in each.text), None)

        event: Event = self.wait(found, f"{words!r} in the timeline of {id}")
        return event

    def wait_sent(self) -> None:
        self.wait(lambda: not self.state.depths()["outbox"], "all is sent")

    # --- what must hold in the end

    def assert_holds(self, id: str) -> None:
        """The chain of its events, that they alone make the record, and the audit trail."""
        incident = self.incident(id)
        events = self.records.events(id)[
            : incident.head.seq
        ]  # it goes on meanwhile: what is behind its head is newer
        assert faults(events, incident.head, incident.erased) == (), self.report(id)
        assert fold.fold(id, events) == incident
        keys = [event.key for event in events if event.key]
        assert len(keys) == len(set(keys)), self.report(id)
        assert trail_faults(self.state) == ()

    def assert_drawn_once(self, id: str) -> None:
        """One channel, one card in it, one pin, one announcement, and no message twice."""
        mine = [m for m in self._all() if payload(m)["card"] == f"incident:{id}"]
        keys = [payload(m)["key"] for m in mine]
        assert sorted(keys) == sorted(set(keys)), self.report(id)
        rooms = [c for c in self.slack.workspace.channels.values() if id[4:].replace("-", "", 2) in c.name]
        assert len(rooms) == 1 and rooms[0].creator == BOT_USER_ID, rooms
        pinned = [pin.ts for pin in rooms[0].pins if pin.by == BOT_USER_ID]
        assert pinned == [self.card(rooms[0].id, f"incident:{id}")["ts"]]

    def _all(self) -> Iterator[Json]:
        for channel in list(self.slack.workspace.channels.values()):
            yield from self.told(channel.id)

    def report(self, id: str = "") -> str:
        incidents = [self.incident(id)] if id else list(self.records.open_incidents())
        parts = []
        for each in incidents:
            parts += [f"{each.id} {each.status} {each.room}"]
            parts += [f"  {e.seq} {e.kind} {e.by} {e.text!r} {e.key}" for e in self.records.events(each.id)]
            if each.room.channel:
                parts.append(self.slack.transcript(each.room.channel))
        parts += [f"--- {member.name}\n{member.tail()}" for member in self.house.members]
        return "\n".join(parts)


def ago(**span: float) -> str:
    """A time as people type it, whatever the house's clock does tonight."""
    return f"{datetime.now(UTC) - timedelta(**span):%H:%M} UTC"


def buttons(message: Json) -> Iterator[Json]:
    """Every button of a message or a view, and every choice behind a "⋯"."""
    for block in message.get("blocks") or ():
        elements = [*block.get("elements", ()), block.get("accessory") or {}]
        yield from (each for each in elements if each.get("type") == "button")
        for menu in (each for each in elements if each.get("type") == "overflow"):
            yield from ({**choice, "action_id": menu["action_id"]} for choice in menu["options"])
