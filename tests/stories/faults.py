"""What the fault stories share: a small world in which work can be held at any step, and what Slack shows.

Every piece of work has a name, and with it a channel, a service, a namespace and a pod of its own: what is
held, killed or refused for one is not felt by another, so many pieces can stand at different steps at once.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import urllib3
from rq import Worker

from bot.state import State, connect
from sandbox.house import PATIENCE, House, Member, wait_until
from sandbox.kube import KubeStandIn, build
from sandbox.redis_server import RedisServer
from sandbox.slack import Delivery, SlackStandIn
from sandbox.slack.cast import Cast, Room, default_cast
from tests.build import audit_lines
from tests.stories.almanac import still

Json = dict[str, Any]

ALERTS = "#sre-alerts"
SECTIONS = ("section:slo", "section:cluster", "section:monitoring", "section:app")
_ID = re.compile(r"\bR[2-9A-HJ-NP-Z]{8}\b")


class Gate:
    """A pod's page that answers only while it is open: the place where a run is held in mid-reading."""

    def __init__(self) -> None:
        self.entered: list[float] = []  # time.monotonic() of each time somebody began to read
        self.answered = 0
        self._is_open = threading.Event()
        self._is_open.set()

    def __call__(self, request: object) -> str:
        self.entered.append(time.monotonic())
        self._is_open.wait()
        self.answered += 1
        return "ok"

    def close(self) -> None:
        self._is_open.clear()

    def open(self) -> None:
        self._is_open.set()


class World:
    """A house, a Slack and a tiny cluster, with a place for each of `names`; of the calendar only the lines `running`."""

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        worker_count: int = 2,
        is_supervised: bool = False,
        retry_scale: float = 1.0,
        running: Sequence[str] = (),
        **house: Any,
    ) -> None:
        self.names = names
        self.gates = {name: Gate() for name in names}
        self.ids: dict[str, str] = {}
        self._retry_scale, self._running = retry_scale, running
        self._options: Json = {"worker_count": worker_count, "is_supervised": is_supervised, **house}

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self.slack = closing.enter_context(
                SlackStandIn(cast=self._cast, retry_scale=self._retry_scale, ack_timeout=PATIENCE)
            )
            self.redis = closing.enter_context(RedisServer())
            self.kube = closing.enter_context(self._cluster())
            closing.callback(self._open_gates)
            self._furnish()
            connection = connect(self.redis.url, patient=True)
            closing.callback(connection.close)
            self.state = State(connection)
            still(self.state, *self._running)
            options = {"site": self.site(), **self._options}
            # The folder is the house's own, so the kubeconfig lives beside Redis' data.
            self.kubeconfig = self.kube.kubeconfig(Path(self.redis.data) / "kubeconfig")
            house = House(slack=self.slack, redis=self.redis, kubeconfig=self.kubeconfig, **options)
            self.house = closing.enter_context(house)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    # --- building it

    def site(self) -> Json:
        """No monitoring and no EKS: what they would tell is unknown at once. The pods are real enough."""
        nowhere = {kind: {"url": ""} for kind in ("prometheus", "alertmanager", "grafana")}
        paths = {"health": "/healthz", "ready": "", "metrics": ""}
        services = {
            name: {"namespace": name, "deployment": name, "service": name, "paths": paths}
            for name in self.names
        }
        site: Json = {"cluster": {"eks": False}, "monitoring": {**nowhere, "access": "proxy"}}
        return {**site, "services": services} if services else site

    def _cluster(self) -> KubeStandIn:
        return KubeStandIn()

    def _cast(self) -> Cast:
        cast = default_cast()
        members = ("alice", "bob", "sre_bot")
        rooms = [Room(name, f"C0PLACE{number:04}", members) for number, name in enumerate(self.names)]
        return replace(cast, rooms=[*cast.rooms, *rooms])

    def _furnish(self) -> None:
        self.kube.apply(build.node(f"node-{number}") for number in (1, 2))
        for number, name in enumerate(self.names, start=1):
            address = f"10.9.0.{number}"
            pod = build.pod(name, name, node="node-1", status={"podIP": address})
            endpoints = build.endpointslice(name, name, ready=[address])
            endpoints["endpoints"][0]["targetRef"] = {"kind": "Pod", "namespace": name, "name": name}
            self.kube.apply([pod, endpoints])
            self.kube.proxy(name, f"pod/{name}", self.gates[name])

    def _open_gates(self) -> None:
        for gate in self.gates.values():
            gate.open()

    # --- what people and Alertmanager do

    def ask(self, name: str, text: str = "health app --service {name}") -> Delivery:
        """Type a command in the channel of this name; it must be accepted."""
        delivery = self.slack.command("alice", f"#{name}", text.format(name=name))
        assert delivery.ok and "On it" in delivery.text, (delivery, self.house.bot.tail())
        self.ids[name] = _ID.findall(delivery.text)[0]
        return delivery

    def alert(self, name: str, status: str = "firing", severity: str = "critical") -> int:
        """What Alertmanager posts for the group of this name; the HTTP status of the answer."""
        return self.house.post_alerts(alert_body(name, status, severity))[0]

    def alerted(self, name: str, status: str = "firing") -> None:
        """The same, again and again until it is taken, as Alertmanager does it."""

        def taken() -> bool:
            try:
                return self.alert(name, status) == 200
            except urllib3.exceptions.HTTPError:
                return False

        wait_until(taken, seconds=PATIENCE, what=f"the alert of {name} is taken")

    # --- holding work

    def close_channel(self, name: str) -> None:
        """As after a long Retry-After: nothing more is sent into the channel of this name."""
        self.state.redis.set(f"sre:lane:{self._lane(name)}", "held", px=120_000)

    def open_channel(self, name: str) -> None:
        self.state.redis.delete(f"sre:lane:{self._lane(name)}")

    def _lane(self, name: str) -> str:
        return name if name == ALERTS else self.slack.workspace.channel(f"#{name}").id

    def wait_reading(self, name: str, times: int = 1) -> None:
        gate = self.gates[name]
        wait_until(lambda: len(gate.entered) >= times, seconds=PATIENCE, what=f"{name} is being read")

    def wait_card(self, name: str, words: str) -> Json:
        """The card in the channel of this name, once it holds these words."""

        def found() -> Json | None:
            return next((m for m in self._bot_messages(f"#{name}") if words in m["text"]), None)

        return self._wait(found, f"a card with {words!r} in #{name}") or {}

    def wait_audit(self, name: str, what: str) -> None:
        wait_until(lambda: what in self.audit(name), seconds=PATIENCE, what=f"{name} is {what}")

    def wait_told(self, name: str, keys: Iterable[str]) -> None:
        """The answer stands, with all its replies."""
        wanted = set(keys)

        def complete() -> bool:
            shown = self.shown(name)
            return wanted <= {key for key, _ in shown} and any("green" in text for _, text in shown[:1])

        self._wait(complete, f"{sorted(wanted)} in #{name}")

    def wait_alert(self, name: str, words: str) -> None:
        self._wait(
            lambda: any(words in text for key, text in self.alert_messages(name) if key == "1:card"),
            f"an alert card of {name} with {words!r}",
        )

    def wait_resolved(self, name: str) -> None:
        """The card and the line below it: they are two messages, and either may come first."""

        def found() -> bool:
            told = [text for _, text in self.alert_messages(name)]
            return len(told) > 1 and all("resolved after" in text for text in told)

        self._wait(found, f"card and line of {name} say that it is resolved")

    def _wait(self, predicate: Callable[[], Any], what: str) -> Any:
        try:
            return self.slack.wait_for(predicate, timeout=PATIENCE)
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE} s: {what}\n{self.report()}") from None

    def worker_of(self, name: str) -> Member:
        """The worker whose job the request of this name is."""
        with connect(self.redis.url, patient=True) as connection:
            for worker in Worker.all(connection=connection):
                if self.ids[name] in (worker.get_current_job_id() or ""):
                    return next(member for member in self.house.workers if member.pid == worker.pid)
        raise AssertionError(f"nobody works on {name}\n{self.report()}")

    def wait_ready(self) -> None:
        for member in self.house.members:
            wait_until(member.is_ready, seconds=PATIENCE, what=f"{member.name} is ready")

    def wait_sent(self) -> None:
        wait_until(lambda: not self.state.depths()["outbox"], seconds=PATIENCE, what="all is sent")

    def wait_idle(self) -> None:
        """Nothing is left to send, to read or to look after, and nothing is a dead letter."""
        wait_until(lambda: not any(self.state.depths().values()), seconds=PATIENCE, what="nothing waits")

    # --- what is seen in the end

    def _bot_messages(self, channel: str) -> list[Json]:
        return [message for message in self.slack.messages(channel) if message.get("bot_id")]

    def shown(self, name: str) -> list[tuple[str, str]]:
        """Every message of the bot in the channel of this name, as (its key in the card, its text); where a request
        bears the name, its own alone: the calendar may tell something there at any time."""
        own = f"request:{self.ids[name]}" if name in self.ids else ""
        told = self._bot_messages(f"#{name}")
        return [(payload(m)["key"], m["text"]) for m in told if own in ("", payload(m)["card"])]

    def alert_messages(self, name: str) -> list[tuple[str, str]]:
        """The messages of the alert group of this name; those of its diagnosis are another record's."""
        told = [message for message in self._bot_messages(ALERTS) if message["text"]]
        mine = [message for message in told if payload(message)["card"].startswith("alert:")]
        cards = {payload(message)["card"] for message in mine if f"Broken-{name}" in message["text"]}
        return [(payload(m)["key"], m["text"]) for m in mine if payload(m)["card"] in cards]

    def audit(self, name: str) -> list[str]:
        """What the audit trail says of the request of this name, in order."""
        return [line["what"] for line in audit_lines(self.state) if line.get("id") == self.ids[name]]

    def alert_audit(self, card: str) -> list[tuple[str, str]]:
        lines = [line for line in audit_lines(self.state) if line.get("id") == card.removeprefix("alert:")]
        return [(line["firing"], line["resolved"]) for line in lines]

    def last_change(self, name: str) -> float:
        """Slack's clock at the last call that touched the channel of this name."""
        channel = self.slack.workspace.channel(f"#{name}").id
        return max(call.at for call in self.slack.calls() if call.args.get("channel") == channel)

    def assert_told_once(self, name: str, keys: Sequence[str] = ("card", "section:app")) -> None:
        """One card, answered, each reply once, one audit line per transition; green only if it was read."""
        shown = self.shown(name)
        assert Counter(key for key, _ in shown) == Counter(keys), self.report(name)
        assert "green" in shown[0][1], self.report(name)
        assert self.audit(name) == ["submitted", "answered"], self.report(name)
        application = dict(shown)["section:app"]
        if application.startswith("🟢"):
            assert self.gates[name].answered, f"green, and nobody answered\n{self.report(name)}"

    def assert_alert_told_once(self, name: str) -> None:
        """One card, resolved, with one line that says so, and one audit line per transition."""
        messages = self.alert_messages(name)
        assert [key for key, _ in messages] == ["1:card", "1:1"], self.slack.transcript(ALERTS)
        assert "resolved after" in messages[0][1], self.slack.transcript(ALERTS)
        cards = (payload(m)["card"] for m in self._bot_messages(ALERTS) if f"Broken-{name}" in m["text"])
        card = next(card for card in cards if card.startswith("alert:"))
        assert self.alert_audit(card) == [("1", "0"), ("0", "1")]

    def report(self, name: str = "") -> str:
        """For a failed assertion: what Slack shows, the audit, and the ends of the logs."""
        names = [name] if name else list(self.ids)
        parts = [self.slack.transcript(f"#{each}") for each in names]
        parts += [f"{each}: {self.audit(each)}" for each in names]
        parts += [f"--- {member.name}\n{member.tail()}" for member in self.house.members]
        return "\n".join(parts)


def alert_body(
    name: str, status: str = "firing", severity: str = "critical", *, started: datetime | None = None
) -> bytes:
    """An Alertmanager v4 body of a group with one alert, which began (and ended) at fixed times."""
    began = started or datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    ended = began + timedelta(minutes=4)
    labels = {"alertname": f"Broken-{name}", "severity": severity, "namespace": "shop"}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": f"{name} is broken"},
        "startsAt": began.isoformat(),
        "endsAt": ended.isoformat() if status == "resolved" else "0001-01-01T00:00:00Z",
        "fingerprint": f"{sum(name.encode()):016x}",
    }
    group = {"alertname": labels["alertname"]}
    body = {"version": "4", "receiver": "sre-bot", "status": status, "groupLabels": group, "alerts": [alert]}
    return json.dumps(body).encode()


# --- killing --------------------------------------------------------------------------------------

STEPS = ("ack", "card", "reading", "some", "answered")
IN_FLIGHT = ("lost", "edit", "reply", "post")
ALERT_STEPS = ("taken", "shown", "resolved")
_ALL = ("card", *SECTIONS)


class Killing:
    """A morning in which one victim is killed at every step of a run and of an alert, one after the other.

    What a kill left behind is taken up while the next one is prepared, as it would be in a bad morning;
    all is looked at in the end. `kill` ends the victim and brings it back; `took` is what it took, from the
    kill to the last message, by name.
    """

    def __init__(self, world: World, kill: Callable[[str], None]) -> None:
        self._world = world
        self._kill_victim = kill
        self.killed: dict[str, float] = {}
        self.again: dict[str, float] = {}

    def run(self, *, in_flight: bool = False) -> None:
        """Right after the ack · after the bare card · while reading · before the last edit · after some
        sections; `in_flight` also in the middle of calls to Slack."""
        self._before_work("ack", "taken", is_shown=False)
        self._before_work("card", "shown", is_shown=True)
        self._while_reading("reading")
        self._before_the_last_edit("answered", "resolved")
        if in_flight:
            self._in_flight()
        self._after_some_sections("some")

    def _before_work(self, name: str, alert: str, *, is_shown: bool) -> None:
        """Accepted, and no worker has begun: each has a job in its hands at most, or it waits in the queue."""
        world = self._world
        for worker in world.house.workers:
            worker.pause()
        if not is_shown:
            world.close_channel(name)
            world.close_channel(ALERTS)
        world.ask(name)
        world.alerted(alert)
        if is_shown:
            world.wait_card(name, "0 of 1 read")
            world.wait_alert(alert, "firing")
        self._kill(name)
        world.open_channel(name)
        world.open_channel(ALERTS)
        for worker in world.house.workers:
            worker.resume()

    def _while_reading(self, name: str) -> None:
        world = self._world
        world.gates[name].close()
        world.ask(name)
        world.wait_card(name, "0 of 1 read")
        world.wait_reading(name)
        self._kill(name)
        world.gates[name].open()

    def _after_some_sections(self, name: str) -> None:
        world = self._world
        world.gates[name].close()
        world.ask(name, "health --service {name}")
        world.wait_card(name, "3 of 4 read")
        self._kill(name)
        world.gates[name].open()

    def _before_the_last_edit(self, name: str, alert: str) -> None:
        world = self._world
        world.gates[name].close()
        world.ask(name)
        world.wait_card(name, "0 of 1 read")
        world.alerted(alert)
        world.wait_alert(alert, "firing")
        world.close_channel(name)
        world.close_channel(ALERTS)
        world.gates[name].open()
        world.wait_audit(name, "answered")
        world.alerted(alert, "resolved")
        self._kill(name)
        world.open_channel(name)
        world.open_channel(ALERTS)

    def _in_flight(self) -> None:
        """A post that never arrived; and an edit, a reply, a post and an alert that did, but the bot does not
        know: it has four threads that send, and Slack answers none of them."""
        world = self._world
        world.wait_sent()
        world.slack.fault("chat.postMessage", "drop_before")
        world.ask("lost")
        world.slack.wait_for(lambda: any(not call.status for call in world.slack.calls("chat.postMessage")))
        world.close_channel("lost")
        for name in ("edit", "reply"):
            world.gates[name].close()
            world.ask(name)
            world.wait_card(name, "0 of 1 read")
        world.slack.fault("chat.update", "latency", seconds=600)
        world.gates["edit"].open()
        world.wait_card("edit", "green")
        world.slack.fault("chat.postMessage", "latency", seconds=600)
        world.gates["reply"].open()
        world.wait_told("reply", ("section:app",))
        world.slack.fault("chat.postMessage", "latency", seconds=600)
        world.ask("post")
        world.wait_card("post", "health")
        world.slack.fault("chat.postMessage", "latency", seconds=600)
        world.alerted("flight")
        world.wait_alert("flight", "firing")
        self._kill("lost", "edit", "reply", "post")
        world.open_channel("lost")

    def settle(self) -> None:
        """Wait until all that was asked is told, and end the alerts."""
        world = self._world
        for name in world.ids:
            world.wait_told(name, _ALL if name == "some" else ("card", "section:app"))
        alerts = [*ALERT_STEPS, *(["flight"] if "post" in world.ids else [])]
        for alert in alerts:
            world.wait_alert(alert, "resolved" if alert == "resolved" else "firing")
            if alert != "resolved":
                world.alerted(alert, "resolved")
        for alert in alerts:
            world.wait_resolved(alert)

    def told(self) -> str:
        """How long after its kill each was complete, in seconds."""
        world = self._world
        took = {name: world.last_change(name) - at for name, at in self.killed.items()}
        line = ", ".join(f"{name} {seconds:.1f}" for name, seconds in took.items())
        reread = [
            f"{name} {entered[1] - self.again[name]:.1f}"
            for name in ("reading", "some")
            if len(entered := world.gates[name].entered) > 1
        ]
        return f"complete after the kill (s): {line}; read again after: {', '.join(reread) or 'never'}"

    def _kill(self, *names: str) -> None:
        for name in names:
            self.killed[name], self.again[name] = time.time(), time.monotonic()
        self._kill_victim(names[0])
        self._world.wait_ready()


def payload(message: Json) -> Json:
    payload: Json = (message.get("metadata") or {}).get("event_payload") or {"card": "?", "key": "?"}
    return payload
