"""The front door over real HTTP: Slack's signed requests and Alertmanager's webhooks, honest and hostile."""

import base64
import hashlib
import hmac
import json
import logging
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, Self

import httpx
import pytest
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot import slack as slack_intake
from bot import vitals, web
from bot.courier import Courier
from bot.desk import Desk, Said
from bot.following import FOLLOWING
from bot.intake import Intake
from bot.people import People
from bot.state import State, connect
from commands.catalog import Catalog
from commands.model import Actor, Args, Place
from commands.model import State as Standing
from commands.site import AccessRule, ClusterSite, Site
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer
from sandbox.slack import NotThere, SlackStandIn
from tests import build

PAYLOADS = Path(__file__).parents[1] / "payloads"
TOKEN, OLD_TOKEN = "t0ken-new", "t0ken-old"
FIRING = (PAYLOADS / "am-firing.json").read_bytes()

# Alice asks and Bob agrees; she may read the audit, too.
# The cluster of the recorded alert bodies.
PROD = ClusterSite(name="prod-eu1")
SITE = replace(
    Site(),
    clusters={PROD.name: PROD},
    default_cluster=PROD.name,
    roles=replace(Site().roles, security=(build.ALICE.user,)),
    access=(
        AccessRule((build.ALICE.user,), ("submit",), ("*",)),
        AccessRule((build.BOB.user,), ("approve",), ("*",)),
    ),
)


def masked(text: str) -> str:
    return text.replace("hunter2", "***")


class House:
    """The front process' parts, put together as bot/__main__ does, on a port of their own."""

    def __init__(self, state: State, stand_in: SlackStandIn, client: WebClient) -> None:
        self.state, self.slack = state, stand_in
        self.now = build.NOW
        self.client = client
        self.people = people = People(state, SITE, client)
        people.refresh(client)
        desk = Desk(
            state, Catalog.load(), SITE, people, effective_config="timezone: UTC\n", now=lambda: self.now
        )
        self.bolt = slack_intake.app(desk, people, client, stand_in.signing_secret, masked)
        self.not_ready: list[str] = []
        app = web.Web(
            Intake(state, Catalog.load(), SITE, now=lambda: self.now), self.bolt,
            signing_secret=stand_in.signing_secret, alert_tokens=(TOKEN, OLD_TOKEN),
            not_ready=lambda: self.not_ready, told=lambda: vitals.read(state, SITE),
        )  # fmt: skip
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        stand_in.request_url = f"{self.url}/slack/events"
        self.server = web.serve(app, port, "127.0.0.1")
        self.thread = Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.task_dispatcher.shutdown()
        for channel in list(self.server.active_channels.values()):
            channel.close()
        self.server.close()
        self.thread.join()

    def emptied(self) -> Self:
        """As if nothing had happened here."""
        url = self.slack.request_url
        self.slack.reset()
        self.slack.request_url = url
        self.state.redis.flushall()
        self.people.refresh(self.client)
        self.not_ready = []
        return self

    def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        with httpx.Client(timeout=30) as http:
            return http.post(self.url + path, content=body, headers=headers)

    def alert(self, body: bytes = FIRING, authorization: str = f"Bearer {TOKEN}") -> httpx.Response:
        return self.post("/alerts", body, authorization=authorization)

    def requests(self) -> list[str]:
        return [key.decode().removeprefix("sre:") for key in self.state.redis.keys("sre:request:*")]


@contextmanager
def opened(redis_server: RedisServer) -> Iterator[House]:
    redis = connect(redis_server.url, patient=True)
    with SlackStandIn(rate_limits="off", retry_scale=0.0) as stand_in:
        client = WebClient(stand_in.bot_token, base_url=stand_in.api_url, timeout=1, retry_handlers=[])
        built = House(State(redis), stand_in, client)
        yield built
        built.close()
    redis.close()


@pytest.fixture(scope="module")
def running(redis_server: RedisServer) -> Iterator[House]:
    """One front process for the module: its server takes a second to stop."""
    with opened(redis_server) as built:
        yield built


@pytest.fixture
def house(running: House) -> House:
    return running.emptied()


@pytest.fixture
def slack_client(house: House) -> WebClient:
    return WebClient(house.slack.bot_token, base_url=house.slack.api_url, retry_handlers=[])


# --- commands, mentions, buttons ---


def test_a_command_is_accepted_in_the_acknowledgement_and_becomes_one_request(house: House) -> None:
    delivery = house.slack.command("alice", "#sre-daily", "health")
    assert delivery.status == 200
    (card,) = house.requests()
    assert card.removeprefix("request:") in delivery.body["text"]
    assert delivery.body["response_type"] == "ephemeral"
    stored = house.state.load(card)
    assert stored is not None and stored.record.actor.user == "U0ALICE0001"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "example", [example for each in Catalog.load().commands for example in each.examples]
)
def test_every_example_of_the_help_pages_is_answered(house: House, example: str) -> None:
    """A page answers at once, a decision needs something to decide, an entry is made, refused or asked for in a window
    at once, and so is a look at what is not there; anything else is accepted as one request."""
    delivery = house.slack.command("alice", "#sre-daily", example.removeprefix("/sre "))
    is_page = len(delivery.body.get("blocks", ())) > 1 or "On it" not in delivery.body.get("text", "")
    assert delivery.status == 200
    asked = [card for card in house.requests() if not card.startswith(f"request:{FOLLOWING}")]
    assert len(asked) == (0 if is_page else 1)
    parsed = Catalog.load().parse(example)
    command = parsed.command
    is_entry = command.entry is not None and command.enters(parsed.args)
    is_about_none = parsed.args.word == "incident" and parsed.args.name.startswith(
        "INC-"
    )  # there are none here
    assert is_page == (command.immediate or command.decides or is_entry or is_about_none), delivery.body


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("helth", "Did you mean `health`?"),
        ("health --frobnicate", "frobnicate"),
        ("capacity", "not built yet"),
        ("health --cluster nowhere", "nowhere"),
        ("x" * 2001, "2,000"),
        ('health "unclosed', "quot"),
    ],
)
def test_what_does_not_parse_is_answered_to_the_asker_and_opens_nothing(
    house: House, text: str, says: str
) -> None:
    delivery = house.slack.command("alice", "#sre-daily", text)
    assert says in delivery.body["text"]
    assert house.requests() == []


def test_help_is_answered_at_once_to_the_asker_alone(house: House) -> None:
    delivery = house.slack.command("alice", "#sre-daily", "")
    assert "What you can type" in delivery.body["text"]
    assert house.requests() == []


def test_a_stranger_of_a_shared_channel_is_refused(house: House, slack_client: WebClient) -> None:
    """A mention and a button carry the person's own workspace; Slack offers strangers no slash command."""
    with pytest.raises(NotThere):
        house.slack.command("mallory", "#incidents", "health")
    house.slack.mention("mallory", "#incidents", "health")
    assert house.requests() == []
    assert Courier(house.state, slack_client, str).step()
    assert "Only members of this workspace" in house.slack.ephemerals("mallory")[-1]["text"]


def test_a_mention_in_a_thread_is_the_same_command_and_answers_there(house: House) -> None:
    root = house.slack.post_as("bob", "#incidents", "checkout is slow")
    house.slack.mention("bob", "#incidents", "health slo", thread_ts=root.ts)
    (card,) = house.requests()
    stored = house.state.load(card)
    assert stored is not None and stored.record.place.thread == root.ts  # type: ignore[union-attr]
    assert stored.record.text == "health slo"  # type: ignore[union-attr]


def test_a_direct_message_is_a_command_without_a_mention(house: House) -> None:
    house.slack.post_as("alice", "@sre_bot", "health slo")
    assert len(house.requests()) == 1


def test_ordinary_talk_in_a_channel_is_nobodys_command(house: House) -> None:
    house.slack.post_as("alice", "#sre-daily", "health of the team is fine")
    assert house.requests() == []
    assert house.state.depths()["outbox"] == 0


def test_a_mention_that_does_not_parse_is_whispered(house: House, slack_client: WebClient) -> None:
    house.slack.mention("bob", "#incidents", "helth")
    assert Courier(house.state, slack_client, str).step()
    assert "Did you mean" in house.slack.ephemerals("bob")[-1]["text"]
    assert house.slack.ephemerals("alice") == []


def test_a_whisper_is_made_once_and_carries_the_button_that_would_be_right(
    house: House, slack_client: WebClient
) -> None:
    delivery = house.slack.mention("bob", "#incidents", "helth")
    assert delivery is not None
    for _ in range(3):
        signed(house, json.dumps(delivery.payload).encode(), "application/json")
    courier = Courier(house.state, slack_client, str)
    while courier.step():
        pass
    (whisper,) = house.slack.ephemerals("bob")
    assert whisper["blocks"][-1]["elements"][0]["value"] == "health"


def test_a_private_answer_is_redacted(house: House) -> None:
    answer = house.slack.command("alice", "#sre-daily", "health --service hunter2")
    assert "hunter2" not in json.dumps(answer.body) and "***" in answer.body["text"]


@pytest.mark.parametrize("change", [{"bot_id": "B1"}, {"subtype": "message_changed"}, {"user": None}])
def test_what_no_person_said_is_no_command(house: House, change: dict[str, Any]) -> None:
    delivery = house.slack.mention("bob", "#incidents", "health slo")
    assert delivery is not None and len(house.requests()) == 1
    payload = {**delivery.payload, "event_id": "Ev-other"}
    payload["event"] = {**payload["event"], **change}
    assert signed(house, json.dumps(payload).encode(), "application/json").status_code == 200
    assert len(house.requests()) == 1


def test_a_role_that_a_command_needs_is_looked_up_in_user_groups(
    house: House, slack_client: WebClient
) -> None:
    site = replace(Site(), roles=replace(Site().roles, approvers=("S0APPROVERS",)))
    people = People(house.state, site)
    people.refresh(slack_client)
    catalog = Catalog.load()
    command = replace(catalog.parse("health").command, role="approvers")
    catalog.commands = (command,)
    desk = Desk(house.state, catalog, site, people)
    said = {who: desk.submit(Said(actor, Place("C0SREDAILY1"), "health", who)) for who, actor in
            (("alice", build.ALICE), ("bob", Actor("U0BOB000001", build.TEAM)))}  # fmt: skip
    assert "needs the role `approvers`" in said["alice"].text
    assert said["bob"].accepted
    assert people.holder("U0BOB000001").roles == ("approvers",)


def test_who_takes_turns_is_called_by_name_though_slack_does_not_know_another(
    house: House, slack_client: WebClient
) -> None:
    rota = ("U0NOBODY001", "U0BOB000001")
    site = replace(Site(), roles=replace(Site().roles, oncall=replace(Site().roles.oncall, rota=rota)))
    people = People(house.state, site, slack_client)
    people.refresh(slack_client)
    assert [people.called(user) for user in rota] == ["U0NOBODY001", "Bob Approver"]


def test_a_page_goes_first_and_what_is_over_is_forgotten_some_day(house: House) -> None:
    body = json.loads(FIRING)
    for alert in body["alerts"]:
        alert["labels"]["severity"] = "critical"
    house.alert(json.dumps(body).encode())
    (key,) = house.state.redis.keys("sre:alert:*")
    card = key.decode().removeprefix("sre:")
    assert house.state.redis.hget("sre:outbox:meta", card).startswith(b"0 ")
    assert house.state.redis.ttl(key) == -1
    for alert in body["alerts"]:
        alert |= {"status": "resolved", "endsAt": "2026-11-23T05:00:00Z"}
    house.alert(json.dumps(body).encode())
    assert house.state.redis.ttl(key) > 2_500_000


def test_slacks_retries_of_an_event_have_one_effect(house: House) -> None:
    delivery = house.slack.mention("bob", "#incidents", "health slo")
    assert delivery is not None
    body = json.dumps(delivery.payload).encode()
    for _ in range(3):
        assert signed(house, body, "application/json").status_code == 200
    assert len(house.requests()) == 1
    assert [line["what"] for line in build.audit_lines(house.state)] == ["submitted"]


def test_a_copied_command_has_one_effect_and_the_same_answer(house: House) -> None:
    fields = {"command": "/sre", "text": "health", "user_id": "U0ALICE0001", "team_id": "T0EMULATED1",
              "channel_id": "C0SREDAILY1", "trigger_id": "1.2.abc", "api_app_id": "A0SREBOT001"}  # fmt: skip
    body = urllib.parse.urlencode(fields).encode()
    answers = {signed(house, body, "application/x-www-form-urlencoded").json()["text"] for _ in range(5)}
    assert len(house.requests()) == len(answers) == 1


def test_a_button_submits_its_command_for_the_presser_into_the_thread(
    house: House, slack_client: WebClient
) -> None:
    button = {
        "type": "button",
        "action_id": "submit:0",
        "value": "health slo",
        "text": {"type": "plain_text", "text": "SLO"},
    }
    posted = slack_client.chat_postMessage(
        channel="C0SREDAILY1", text="card", blocks=[{"type": "actions", "elements": [button]}]
    )
    delivery = house.slack.press("bob", "#sre-daily", posted["ts"], "submit:0")
    assert delivery.status == 200
    (card,) = house.requests()
    stored = house.state.load(card)
    assert stored is not None
    assert (stored.record.actor.user, stored.record.place.thread) == ("U0BOB000001", posted["ts"])  # type: ignore[union-attr]


# --- decisions about changes ---


def card_of_a_change(house: House, client: WebClient, **changes: Any) -> str:
    """A change put before people, as the courier posts it; the ts of its card."""
    request = build.change_request(build.plan(), cluster="sre-training-cluster", **changes)
    house.state.change().put(request, was="").show(request).commit()
    deliver(house, client)
    return str(next(m["ts"] for m in house.slack.messages("#sre-daily") if "thread_ts" not in m))


def deliver(house: House, client: WebClient) -> None:
    courier = Courier(house.state, client, str)
    while courier.step():
        pass


def test_a_decision_pressed_without_the_store_is_refused_in_private_and_in_time() -> None:
    with RedisServer() as server, SlackStandIn(rate_limits="off") as slack:
        slack_client = WebClient(slack.bot_token, base_url=slack.api_url)
        redis = connect(server.url, patient=False)
        house = House(State(redis), slack, slack_client)
        try:
            ts = card_of_a_change(house, slack_client)
            server.kill()
            for verb in ("approve", "reject", "cancel"):
                delivery = slack.press("bob", "#sre-daily", ts, verb)
                assert delivery.status == 200 and delivery.elapsed < 3
            texts = [each["text"] for each in slack.ephemerals("bob")]
            assert len(texts) == 3 and set(texts) == {slack_intake.NOT_ACCEPTED}
            assert slack.views("bob") == []
        finally:
            house.close()
            redis.close()


def told(house: House, client: WebClient, who: str) -> list[str]:
    """What this person alone was shown; there is one message a second in a channel."""
    courier, deadline = Courier(house.state, client, str), time.monotonic() + 60
    while not house.slack.ephemerals(who):
        courier.step()
        assert time.monotonic() < deadline
    return [each["text"] for each in house.slack.ephemerals(who)]


def the_change(house: House) -> Any:
    stored = house.state.request("RTEST0001")
    assert stored is not None
    return stored.record


def refusals(house: House) -> list[str]:
    return [line["reason"] for line in build.audit_lines(house.state) if line["what"] == "refused"]


def test_the_approve_button_of_the_card_approves(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    delivery = house.slack.press("bob", "#sre-daily", ts, "approve")
    assert delivery.status == 200 and delivery.elapsed < 3
    assert the_change(house).state is Standing.APPROVED
    assert [approval.user for approval in the_change(house).asking.approvals] == ["U0BOB000001"]
    deliver(house, slack_client)
    assert house.slack.ephemerals("bob") == []  # the card says it


def test_who_may_not_approve_is_told_privately(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    for who in ("alice", "carol", "dave"):
        assert house.slack.press(who, "#sre-daily", ts, "approve").status == 200
        (text,) = told(house, slack_client, who)
        assert "Nothing was done" in text and house.slack.ephemerals("bob") == []
    assert the_change(house).state is Standing.AWAITING
    assert len(refusals(house)) == 3


def test_the_reject_button_asks_why_in_a_window(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    assert house.slack.press("bob", "#sre-daily", ts, "reject").elapsed < 3
    (view,) = house.slack.views("bob")
    assert the_change(house).state is Standing.AWAITING and refusals(house) == []
    house.slack.submit_view("bob", view["id"], {"reason": "not during the sale"})
    assert house.slack.views("bob") == []
    record = the_change(house)
    assert (record.state, record.ended_by) == (Standing.REJECTED, "U0BOB000001")
    assert record.ended_why == "not during the sale"


def test_nobody_who_may_not_reject_is_asked_why(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    house.slack.press("carol", "#sre-daily", ts, "reject")
    assert house.slack.views("carol") == []
    assert len(refusals(house)) == 1


def test_the_approve_button_asks_for_a_reason_that_nobody_gave(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client, why="")
    house.slack.press("bob", "#sre-daily", ts, "approve")
    (view,) = house.slack.views("bob")
    assert the_change(house).state is Standing.AWAITING
    house.slack.submit_view("bob", view["id"], {"reason": "kernel update"})
    assert (the_change(house).state, the_change(house).why) == (Standing.APPROVED, "kernel update")


def test_what_the_window_cannot_do_is_said_in_it(house: House, slack_client: WebClient) -> None:
    """Blank reasons, and a change that was decided while somebody typed."""
    ts = card_of_a_change(house, slack_client)
    house.slack.press("bob", "#sre-daily", ts, "reject")
    (view,) = house.slack.views("bob")
    house.slack.submit_view("bob", view["id"], {"reason": "   "})
    (view,) = house.slack.views("bob")
    assert "needs a reason" in view["errors"]["reason"]
    house.slack.command("alice", "#sre-daily", "cancel RTEST0001")
    house.slack.submit_view("bob", view["id"], {"reason": "too late"})
    (view,) = house.slack.views("bob")
    assert "was cancelled by" in view["errors"]["reason"]
    assert the_change(house).state is Standing.CANCELLED


@pytest.mark.parametrize(
    "fault",
    [{"kind": "error", "error": "expired_trigger_id"}, {"kind": "latency", "seconds": 5}],
    ids=["error", "hangs"],
)
def test_without_the_window_the_line_to_type_is_told(
    house: House, slack_client: WebClient, fault: dict[str, Any]
) -> None:
    ts = card_of_a_change(house, slack_client)
    house.slack.fault("views.open", **fault)
    delivery = house.slack.press("bob", "#sre-daily", ts, "reject")
    assert delivery.status == 200 and delivery.elapsed < 3
    assert "/sre reject RTEST0001 REASON" in told(house, slack_client, "bob")[-1]


def test_the_cancel_button_is_the_requesters_too(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    house.slack.press("alice", "#sre-daily", ts, "cancel")
    assert (the_change(house).state, the_change(house).ended_by) == (Standing.CANCELLED, "U0ALICE0001")


def test_decisions_are_typed_in_a_thread_as_well(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    house.slack.mention("bob", "#sre-daily", "approve RTEST0001", thread_ts=ts)
    assert the_change(house).state is Standing.APPROVED


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"user": {"id": "U0BOB000001", "team_id": "T0STRANGER1"}}, "Only members of this workspace"),
        ({"user": {"id": "U0STRANGER1", "team_id": "T0STRANGER1"}}, "Only members of this workspace"),
        ({"user": {"id": "U0BOB000001"}, "team": {"id": "T0STRANGER1"}}, "Only members of this workspace"),
        ({"user": {"id": "U0CAROL0001", "name": "bob", "username": "bob"}}, "that is for `U0BOB000001`"),
        ({"user": {"id": "U0SREBOT001"}}, "Bots may not"),
        ({"user": {"id": "U0EVE000001"}}, "deactivated"),
    ],
)
def test_a_press_is_whose_the_signed_user_is_and_nobody_elses(
    house: House, slack_client: WebClient, change: dict[str, Any], says: str
) -> None:
    """Other fields that name somebody (names, the message, the view, the action itself) make no difference."""
    ts = card_of_a_change(house, slack_client)
    payload = dict(house.slack.press("carol", "#sre-daily", ts, "approve").payload)
    elsewhere = {"user": "U0BOB000001", "user_id": "U0BOB000001", "actor": {"id": "U0BOB000001"}}
    payload |= {"trigger_id": "1.2.other", "view": elsewhere, "user_id": "U0BOB000001"} | change
    payload["actions"] = [{**payload["actions"][0], **elsewhere}]
    body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
    assert signed(house, body, FORM).status_code == 200
    assert says in refusals(house)[-1]
    assert the_change(house).state is Standing.AWAITING


def test_a_press_that_is_sent_again_decides_nothing_more(house: House, slack_client: WebClient) -> None:
    ts = card_of_a_change(house, slack_client)
    payload = house.slack.press("bob", "#sre-daily", ts, "approve").payload
    version = house.state.redis.hget("sre:request:RTEST0001", "v")
    body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
    for _ in range(3):
        assert signed(house, body, FORM).status_code == 200
    assert house.state.redis.hget("sre:request:RTEST0001", "v") == version
    assert len(house.state.queue.job_ids) == 1
    assert all("was already approved by" in reason for reason in refusals(house))


def signed(
    house: House, body: bytes, kind: str, *, secret: str = "", late: float = 0, **headers: str
) -> httpx.Response:
    stamp = str(int(time.time() - late))
    key = (secret or house.slack.signing_secret).encode()
    signature = "v0=" + hmac.new(key, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    given = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    return house.post("/slack/events", body, **(given | headers))


FORM = "application/x-www-form-urlencoded"
COMMAND = b"command=%2Fsre&text=health&user_id=U0ALICE0001&team_id=T0EMULATED1&channel_id=C1&trigger_id=9.9.z"


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("a wrong secret", {"secret": "not-the-secret"}),
        ("six minutes old", {"late": 360}),
        ("six minutes ahead", {"late": -360}),
        ("no timestamp", {"x-slack-request-timestamp": ""}),
        ("a timestamp that is no number", {"x-slack-request-timestamp": "soon"}),
        ("no signature", {"x-slack-signature": ""}),
        ("a signature of an older scheme", {"x-slack-signature": "v1=00"}),
    ],
)
def test_a_forged_request_is_refused_and_opens_nothing(
    house: House, why: str, change: dict[str, Any]
) -> None:
    assert signed(house, COMMAND, FORM, **change).status_code == 401, why
    assert house.requests() == []


def test_a_forged_body_never_reaches_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        signed(house, COMMAND + b"&secret=hunter2", FORM, secret="wrong")
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("body", [b"{not json", b"[1]", b"7", b"[" * 100_000])
def test_a_signed_body_that_is_no_json_object_is_a_clear_400(house: House, body: bytes) -> None:
    assert signed(house, body, "application/json").status_code == 400


def test_the_url_check_of_a_new_app_is_answered(house: House) -> None:
    answer = signed(house, b'{"type":"url_verification","challenge":"c0de"}', "application/json")
    assert answer.json() == {"challenge": "c0de"}


def test_without_the_store_a_command_is_refused_in_private_and_in_time() -> None:
    with RedisServer() as server, SlackStandIn() as slack:
        slack_client = WebClient(slack.bot_token, base_url=slack.api_url)
        redis = connect(server.url, patient=False)
        house = House(State(redis), slack, slack_client)
        try:
            server.kill()
            delivery = slack.command("alice", "#sre-daily", "health")
            assert "Nothing was accepted and nothing was done" in delivery.body["text"]
            assert delivery.elapsed < 3
            assert house.alert().status_code == 503
            server.restart()
            deadline = time.monotonic() + 60
            while house.alert().status_code == 503:  # as Alertmanager does, again and again
                assert time.monotonic() < deadline
        finally:
            house.close()
            redis.close()


def test_socket_mode_carries_the_same_commands(house: House) -> None:
    slack = house.slack
    handler = SocketModeHandler(house.bolt, slack.app_token, web_client=WebClient(base_url=slack.api_url))
    handler.connect()  # type: ignore[no-untyped-call]
    try:
        slack.wait_for(lambda: slack.sockets.connections)
        delivery = slack.command("alice", "#sre-daily", "health")
        assert delivery.transport == "socket"
        assert "On it" in delivery.body["text"]
        slack.disconnect_sockets("refresh_requested")
        slack.wait_for(lambda: len(slack.calls("apps.connections.open")) == 2, timeout=60)
        slack.wait_for(lambda: slack.sockets.connections, timeout=60)
        assert "On it" in slack.command("bob", "#sre-daily", "health slo").body["text"]
    finally:
        handler.close()  # type: ignore[no-untyped-call]
    assert len(house.requests()) == 2


def test_a_channel_that_a_cluster_is_assigned_to_by_name_chooses_it(
    house: House, slack_client: WebClient
) -> None:
    eu, us = ClusterSite(name="eu"), ClusterSite(name="us", channels=("#incidents",))
    site = replace(Site(), clusters={"eu": eu, "us": us}, default_cluster="eu")
    people = People(house.state, site)
    people.refresh(slack_client)
    desk = Desk(house.state, Catalog.load(), site, people)
    for channel, delivery in (("C0INCIDENTS", "d1"), ("C0SREDAILY1", "d2")):
        desk.submit(Said(build.ALICE, Place(channel), "health", delivery))
    desk.submit(Said(build.ALICE, Place("C0INCIDENTS"), "health --cluster eu", "d3"))
    stored = [house.state.load(card) for card in house.requests()]
    chosen = sorted((each.record.place.channel, each.record.cluster) for each in stored if each)  # type: ignore[union-attr]
    assert chosen == [("C0INCIDENTS", "eu"), ("C0INCIDENTS", "us"), ("C0SREDAILY1", "eu")]


# --- alerts ---


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"alertmanager:{password}".encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", f"Bearer {OLD_TOKEN}", f"bearer {TOKEN}", basic(TOKEN), basic(OLD_TOKEN)],
)
def test_either_token_opens_the_webhook_while_rotating(house: House, authorization: str) -> None:
    assert house.alert(authorization=authorization).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Token {TOKEN}",
        TOKEN,
        basic("wrong"),
        "Basic %%%",
        f"Bearer {TOKEN}x",
    ],
)
def test_any_other_credential_is_refused(house: House, authorization: str) -> None:
    assert house.alert(authorization=authorization).status_code == 401
    assert house.state.depths()["outbox"] == 0


def test_without_a_configured_token_the_webhook_is_closed(house: House) -> None:
    closed = web.Web(
        None, None, signing_secret="", alert_tokens=(), not_ready=list, told=list  # type: ignore[arg-type]
    )  # fmt: skip
    assert not closed._is_alertmanager("Bearer ")
    assert not closed._is_alertmanager("Basic Og==")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html></html>", b'{"alerts": 1}'])
def test_a_malformed_webhook_is_a_400_that_says_why(house: House, body: bytes) -> None:
    answer = house.alert(body)
    assert answer.status_code == 400
    assert answer.text.strip()


def test_a_body_over_the_cap_is_refused_before_it_is_read(house: House) -> None:
    assert house.alert(b" " * (web.MAX_BODY + 1)).status_code == 413


def test_a_group_is_durable_before_the_200_and_repeats_change_nothing(house: House) -> None:
    for _ in range(3):
        assert house.alert().status_code == 200
    (key,) = house.state.redis.keys("sre:alert:*")
    stored = house.state.load(key.decode().removeprefix("sre:"))
    assert stored is not None and stored.version == "1"
    assert house.state.depths()["outbox"] == 1


def test_twins_that_post_at_the_same_moment_make_one_group(house: House) -> None:
    threads = [Thread(target=house.alert) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["what"] for line in build.audit_lines(house.state)] == ["alert"]


@pytest.mark.parametrize(("status", "beats"), [("firing", True), ("resolved", False)])
def test_a_firing_watchdog_makes_a_beat_and_no_card(house: House, status: str, beats: bool) -> None:
    body = json.loads(FIRING)
    for alert in body["alerts"]:
        alert["labels"]["alertname"] = "Watchdog"
        alert["status"] = status
    assert house.alert(json.dumps(body).encode()).status_code == 200
    assert (house.state.heard("webhook") is not None) == beats
    assert house.state.depths()["outbox"] == 0


# --- the process itself ---


def test_health_readiness_and_metrics_tell_what_they_should(house: House) -> None:
    with httpx.Client(base_url=house.url) as http:
        assert http.get("/healthz").text == "ok\n"
        assert http.get("/readyz").status_code == 200
        house.not_ready = ["Redis does not answer: x"]
        answer = http.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready: Redis does not answer: x\n")
        house.alert()
        for id in ("RREJECT01", "RREJECT02", "RQUESTION"):
            args = Args("health") if id == "RQUESTION" else Args("node", "drain", "n1")
            ended = build.request(id, args=args, state=Standing.REJECTED)
            house.state.change().put(ended, was="").commit()
        metrics = http.get("/metrics").text
        assert 'sre_bot_changes_total{command="node drain",state="rejected"} 2.0' in metrics
        assert metrics.count("sre_bot_changes_total{") == 1
        assert 'sre_bot_alert_webhooks_total{outcome="stored"}' in metrics
        assert 'sre_bot_waiting{kind="outbox"} 1.0' in metrics


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/alerts", 405), ("POST", "/metrics", 405)]
)
def test_other_paths_say_what_there_is(house: House, method: str, path: str, status: int) -> None:
    with httpx.Client(base_url=house.url) as http:
        answer = http.request(method, path)
        assert answer.status_code == status
        assert "POST /alerts" in answer.text


_HANDSHAKE = ("HELLO", "CLIENT", "SELECT")  # of a connection that the pool opens now and keeps


def round_trips(house: House, act: Callable[[], object]) -> list[str]:
    """What the act asked Redis, a script or a pipeline being one question."""
    asked = []
    with house.state.redis.monitor() as monitor:
        act()
        house.state.redis.echo("done")
        for seen in monitor.listen():
            if seen["command"].startswith("ECHO"):
                return asked
            if seen["client_type"] != "lua" and not seen["command"].startswith(_HANDSHAKE):
                asked.append(seen["command"].split()[0])
    raise AssertionError("the monitor ended")


def test_an_acknowledgement_costs_at_most_two_round_trips(house: House) -> None:
    house.slack.command("alice", "#sre-daily", "health")  # the script is loaded, the workspace is known
    asked = round_trips(house, lambda: house.slack.command("alice", "#sre-daily", "health slo"))
    assert asked == ["EVALSHA"]
