"""How the Slack stand-in reaches an app over HTTP, with a real slack_bolt app behind a WSGI server: commands, events and
their retries, buttons, modals, response urls; and the endpoints of the page."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
from slack_bolt import App
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from slack_sdk.webhook import WebhookClient
from websockets.asyncio.client import connect

from sandbox.slack import NotThere, SlackStandIn
from sandbox.slack.actions import VIEW_TROUBLE
from sandbox.slack.delivery import Delivery, is_loopback, sign

PAYLOAD_KEYS = json.loads(Path(__file__).with_name("test_slack_keys.json").read_text())["payloads"]

INCIDENTS = "C0INCIDENTS"
ALICE, BOB, BOT = "U0ALICE0001", "U0BOB000001", "U0SREBOT001"
EVENTS = ("app_mention", "message.im", "message.channels", "app_home_opened", "reaction_added")


class Bot:
    """A bolt app that notes what reaches it, and whose answers a test may set."""

    def __init__(self, slack: SlackStandIn) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []
        self.answer: Callable[..., None] = lambda ack, **_: ack()
        self.client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        app = App(client=self.client, signing_secret=slack.signing_secret, process_before_response=True)
        app.command("/sre")(self.on)
        app.view("form")(self.on)
        app.view_closed("form")(self.on)
        app.shortcut("declare")(self.on)
        app.action({"type": "block_actions", "action_id": "approve"})(self.on)
        app.action({"type": "block_actions", "action_id": "pick"})(self.on)
        app.options("node")(self.on)
        for event in ("app_mention", "message", "app_home_opened", "reaction_added"):
            app.event(event)(self.on)
        self.app = app

    def on(self, ack: Any, body: dict[str, Any], request: Any, respond: Any) -> None:
        self.bodies.append(body)
        self.headers.append(request.headers)
        self.answer(ack=ack, body=body, respond=respond, client=self.client)

    @property
    def last(self) -> dict[str, Any]:
        return self.bodies[-1]


class Gate:
    """The bolt app behind one port for the whole module; each test sets its own app."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = make_server(
            "127.0.0.1", 0, self._serve, server_class=_ThreadingServer, handler_class=_QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/slack/events"

    def _serve(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    """Waits for its threads when closed."""


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def running(gate: Gate) -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off", request_url=gate.url, events=EVENTS, ack_timeout=2) as slack:
        yield slack


@pytest.fixture
def slack(running: SlackStandIn, gate: Gate) -> SlackStandIn:
    running.request_url = gate.url
    running.reset()
    return running


@pytest.fixture
def bot(slack: SlackStandIn, gate: Gate) -> Bot:
    bot = Bot(slack)
    gate.app = SlackRequestHandler(bot.app)
    return bot


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def card(slack: SlackStandIn, bot: Bot, *elements: dict[str, Any], **fields: Any) -> str:
    blocks = [{"type": "actions", "block_id": "controls", "elements": list(elements or [approve("plan-1")])}]
    ts: str = bot.client.chat_postMessage(channel=INCIDENTS, text="card", blocks=blocks, **fields)["ts"]
    return ts


def approve(value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": "approve", "text": plain("Approve"), "value": value}


def picker(kind: str = "static_select") -> dict[str, Any]:
    options = [{"text": plain(name), "value": name.lower()} for name in ("Red", "Blue")]
    return {"type": kind, "action_id": "pick", "options": options}


def form(**fields: Any) -> dict[str, Any]:
    text_input = {"type": "plain_text_input", "action_id": "reason", "max_length": 10}
    blocks = [{"type": "input", "block_id": "why", "label": plain("Why"), "element": text_input}]
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("Form"),
        "submit": plain("Go"),
        "private_metadata": "plan-1",
        "blocks": blocks,
        **fields,
    }


def opened(slack: SlackStandIn, bot: Bot, **fields: Any) -> str:
    view = bot.client.views_open(trigger_id=slack.workspace.new_trigger(ALICE), view=form(**fields))["view"]
    return str(view["id"])


# In other samples of events, and in docs.slack.dev's view payloads.
KNOWN_ELSEWHERE = {"context_enterprise_id", "context_team_id", "response_urls", "blocks"}


def strange_keys(kind: str, payload: dict[str, Any]) -> dict[str, list[str]]:
    """Keys that the real samples do not have, by part of the payload."""
    found = {}
    for path, known in PAYLOAD_KEYS[kind].items():
        part = payload if path == "" else payload.get(path)
        part = part[0] if isinstance(part, list) and part else part
        if isinstance(part, dict) and (extra := set(part) - set(known.split()) - KNOWN_ELSEWHERE):
            found[path] = sorted(extra)
    return found


# --- commands


def test_a_command_reaches_the_app_and_its_answer_is_seen_by_one_person(
    slack: SlackStandIn, bot: Bot
) -> None:
    bot.answer = lambda ack, body, **_: ack(text=f"got {body['text']}")
    delivery = slack.command("alice", "#incidents", "status")
    assert (delivery.status, delivery.text, delivery.ok) == (200, "got status", True)
    assert [(e["text"], e["source"]) for e in slack.ephemerals("alice")] == [("got status", "ack")]
    assert slack.messages("incidents") == []
    assert (bot.last["user_id"], bot.last["channel_name"], bot.last["command"]) == (
        ALICE,
        "incidents",
        "/sre",
    )
    assert strange_keys("command", delivery.payload) == {}


@pytest.mark.parametrize(
    ("channel", "name"), [("sre-security", "privategroup"), ("@sre_bot", "directmessage")]
)
def test_a_command_hides_the_name_of_what_is_not_public(
    slack: SlackStandIn, bot: Bot, channel: str, name: str
) -> None:
    slack.command("alice", channel, "status")
    assert bot.last["channel_name"] == name


def test_names_in_a_command_become_ids(slack: SlackStandIn, bot: Bot) -> None:
    slack.command("alice", "incidents", "page @bob in #changes, mail a@bob.example, ask @nobody")
    text = "page <@U0BOB000001|bob> in <#C0CHANGES01|changes>, mail a@bob.example, ask @nobody"
    assert bot.last["text"] == text


def test_an_answer_in_channel_is_a_message(slack: SlackStandIn, bot: Bot) -> None:
    bot.answer = lambda ack, **_: ack(text="for all", response_type="in_channel")
    slack.command("alice", "incidents", "x")
    assert [m["text"] for m in slack.messages("incidents")] == ["for all"]
    assert slack.ephemerals("alice") == []


def _slow(ack: Any, **_: Any) -> None:
    time.sleep(2.5)
    ack()


def _broken(ack: Any, **_: Any) -> None:
    raise RuntimeError("bug")


@pytest.mark.parametrize(
    ("answer", "error"), [(_slow, "operation_timeout"), (_broken, "dispatch_failed")], ids=["late", "raises"]
)
def test_a_failed_command_shows_slacks_error(
    slack: SlackStandIn, bot: Bot, answer: Callable[..., None], error: str
) -> None:
    bot.answer = answer
    assert slack.command("alice", "incidents", "x").error == error
    assert slack.ephemerals("alice")[0]["text"] == f'/sre failed with the error "{error}"'
    assert len(slack.deliveries("command")) == 1, "commands are not retried"


def test_an_app_that_does_not_listen_is_a_failed_dispatch(slack: SlackStandIn) -> None:
    slack.request_url = "http://127.0.0.1:1/slack/events"
    delivery = slack.command("alice", "incidents", "x")
    assert (delivery.error, delivery.reason, delivery.status) == (
        "dispatch_failed",
        "connection_failed",
        None,
    )


def test_the_request_is_signed_as_slack_signs(slack: SlackStandIn, gate: Gate) -> None:
    seen = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen["body"] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        names = ("HTTP_X_SLACK_SIGNATURE", "HTTP_X_SLACK_REQUEST_TIMESTAMP", "CONTENT_TYPE")
        seen["signature"], seen["timestamp"], seen["type"] = (environ[name] for name in names)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    gate.app = app
    slack.command("alice", "incidents", "x")
    assert SignatureVerifier(slack.signing_secret).is_valid(
        seen["body"], seen["timestamp"], seen["signature"]
    )
    assert seen["type"] == "application/x-www-form-urlencoded"


def test_a_stale_or_foreign_signature_is_refused_by_the_app(slack: SlackStandIn, bot: Bot) -> None:
    slack.courier.clock_skew = -400
    assert slack.command("alice", "incidents", "x").status == 401
    slack.courier.clock_skew = 0
    slack.courier.signing_secret = "another"
    assert slack.command("alice", "incidents", "x").status == 401


def test_the_signature_matches_slacks_published_example() -> None:
    # docs.slack.dev "Verifying requests from Slack"
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body) == expected


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("slack.com", False),
        ("", False),
    ],
)
def test_what_counts_as_loopback(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours


def test_the_request_url_is_verified_by_a_challenge(slack: SlackStandIn, bot: Bot) -> None:
    assert slack.verify_request_url()


# --- what people cannot do


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.command("eve", "incidents", "x"),
        lambda s: s.command("carol", "sre-security", "x"),
        lambda s: s.command("alice", "incidents", "x", thread_ts="1700000000.000000"),
        lambda s: s.press("alice", "incidents", "1700000000.000000", "approve"),
        lambda s: s.submit_view("alice", "V0NOWHERE", {}),
        lambda s: s.react("alice", "incidents", "1700000000.000000", "eyes"),
    ],
)
def test_people_cannot_do_the_impossible(slack: SlackStandIn, act: Callable[[SlackStandIn], object]) -> None:
    with pytest.raises(NotThere):
        act(slack)
    assert slack.deliveries() == []


# --- events


def test_a_mention_is_a_message_and_an_event(slack: SlackStandIn, bot: Bot) -> None:
    slack.mention("alice", "incidents", "is a < b?")
    message = slack.messages("incidents")[0]
    assert message["text"] == f"<@{BOT}> is a &lt; b?"
    mentioned = next(body for body in bot.bodies if body["event"]["type"] == "app_mention")
    assert (mentioned["event"]["ts"], mentioned["event"]["channel"]) == (message["ts"], INCIDENTS)
    assert strange_keys("app_mention", mentioned) == {}
    assert len({body["event_id"] for body in bot.bodies}) == 2, "message and app_mention are two events"


def test_a_direct_message_needs_no_mention(slack: SlackStandIn, bot: Bot) -> None:
    slack.mention("alice", "@sre_bot", "help")
    assert (bot.last["event"]["channel_type"], bot.last["event"]["text"]) == ("im", "help")
    assert [body["event"]["type"] for body in bot.bodies] == ["message"]


def test_a_stranger_is_told_apart_by_team(slack: SlackStandIn, bot: Bot) -> None:
    slack.mention("mallory", "incidents", "hi")
    assert bot.last["event"]["user_team"] == "T0STRANGER1"
    assert bot.last["is_ext_shared_channel"] is True


def test_a_channel_the_bot_is_not_in_sends_no_message_events(slack: SlackStandIn, bot: Bot) -> None:
    slack.post_as("alice", "general", "hello")
    assert bot.bodies == []


def test_a_reaction_is_an_event(slack: SlackStandIn, bot: Bot) -> None:
    ts = card(slack, bot)
    delivery = slack.react("bob", "incidents", ts, ":eyes:")
    assert delivery is not None and delivery.ok
    assert (bot.last["event"]["reaction"], bot.last["event"]["item"]["ts"]) == ("eyes", ts)
    assert strange_keys("reaction_added", delivery.payload) == {}


def test_opening_the_home_tab_lets_the_app_publish_it(slack: SlackStandIn, bot: Bot) -> None:
    view = {"type": "home", "blocks": [{"type": "section", "text": plain("Welcome")}]}
    bot.answer = lambda ack, body, client, **_: client.views_publish(user_id=body["event"]["user"], view=view)
    slack.open_home("alice")
    home = slack.home("alice")
    assert home is not None and home["blocks"][0]["text"]["text"] == "Welcome"
    slack.open_home("alice")
    assert bot.last["event"]["view"]["id"] == home["id"]
    slack.open_home("alice", tab="messages")
    assert bot.last["event"]["tab"] == "messages" and "view" not in bot.last["event"]


def test_a_press_on_the_home_comes_from_a_view_and_from_no_channel(slack: SlackStandIn, bot: Bot) -> None:
    button = {"type": "button", "action_id": "approve", "text": plain("Go"), "value": "health"}
    bot.client.views_publish(
        user_id=ALICE, view={"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}
    )
    home = slack.home("alice")
    assert home is not None
    slack.press_in_view("alice", home["id"], "approve")
    body = bot.last
    assert (body["type"], body["container"]) == ("block_actions", {"type": "view", "view_id": home["id"]})
    assert (body["view"]["type"], body["view"]["hash"]) == ("home", home["hash"])
    assert body["actions"][0]["value"] == "health" and body["trigger_id"]
    assert not {"channel", "message", "response_url"} & body.keys()


def test_a_failed_event_is_retried_three_times_on_slacks_schedule(gate: Gate) -> None:
    with SlackStandIn(request_url=gate.url, frozen_at=time.time(), events=["app_mention"]) as slack:
        bot = Bot(slack)
        bot.answer = _broken
        gate.app = SlackRequestHandler(bot.app)

        def delivered(count: int) -> list[Delivery]:
            return slack.wait_for(lambda: found if len(found := slack.deliveries("event")) == count else [])

        slack.mention("alice", "incidents", "help")
        delivered(2)  # the first retry comes at once
        slack.clock.advance(59)
        delivered(2)
        slack.clock.advance(1)
        delivered(3)
        slack.clock.advance(300)
        attempts = delivered(4)
        slack.clock.advance(3600)
    assert [delivery.attempt for delivery in attempts] == [0, 1, 2, 3]
    assert len({delivery.payload["event_id"] for delivery in attempts}) == 1
    retries = (
        [h.get("x-slack-retry-num") for h in bot.headers],
        [h.get("x-slack-retry-reason") for h in bot.headers],
    )
    assert retries == ([None, ["1"], ["2"], ["3"]], [None, *[["http_error"]] * 3])


def test_the_app_may_decline_retries(slack: SlackStandIn, gate: Gate) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 No", [("X-Slack-No-Retry", "1")])
        return [b""]

    gate.app = app
    delivery = slack.mention("alice", "@sre_bot", "x")
    assert delivery is not None and not delivery.ok and not delivery.may_retry


def test_the_bots_own_messages_come_back_as_events(slack: SlackStandIn, bot: Bot) -> None:
    card(slack, bot)
    delivery = slack.wait_for(lambda: slack.deliveries("event"))[0]
    event = delivery.payload["event"]
    assert (event["user"], event["bot_id"], event["channel_type"]) == (BOT, "B0SREBOT001", "channel")
    assert bot.bodies == [], "bolt ignores what the bot did itself"


# --- buttons and selects


def test_a_press_carries_the_message_as_stored(slack: SlackStandIn, bot: Bot) -> None:
    ts = card(slack, bot)
    delivery = slack.press("bob", "incidents", ts, "approve")
    assert delivery.ok
    action = bot.last["actions"][0]
    assert (action["value"], action["block_id"], bot.last["user"]["id"]) == ("plan-1", "controls", BOB)
    assert bot.last["message"]["ts"] == bot.last["container"]["message_ts"] == ts
    assert strange_keys("block_actions", delivery.payload) == {}


def test_one_of_several_buttons_is_named_by_its_value(slack: SlackStandIn, bot: Bot) -> None:
    second = {**approve("plan-2"), "action_id": "approve"}
    blocks = [{"type": "actions", "elements": [approve("plan-1")]}, {"type": "actions", "elements": [second]}]
    ts = bot.client.chat_postMessage(channel=INCIDENTS, text="x", blocks=blocks)["ts"]
    with pytest.raises(NotThere, match="say which"):
        slack.press("bob", "incidents", ts, "approve")
    slack.press("bob", "incidents", ts, "approve", "plan-2")
    assert bot.last["actions"][0]["value"] == "plan-2"


def test_a_button_that_was_edited_away_cannot_be_pressed(slack: SlackStandIn, bot: Bot) -> None:
    ts = card(slack, bot)
    bot.client.chat_update(channel=INCIDENTS, ts=ts, text="decided")
    with pytest.raises(NotThere):
        slack.press("bob", "incidents", ts, "approve")


@pytest.mark.parametrize(
    ("element", "value", "field", "expected"),
    [
        (picker(), "blue", "selected_option", {"value": "blue"}),
        (picker("overflow"), "Red", "selected_option", {"value": "red"}),
        (picker("checkboxes"), ["red", "blue"], "selected_options", None),
        ({"type": "users_select", "action_id": "pick"}, ALICE, "selected_user", ALICE),
        ({"type": "multi_users_select", "action_id": "pick"}, [ALICE], "selected_users", [ALICE]),
        ({"type": "datepicker", "action_id": "pick"}, "2026-11-23", "selected_date", "2026-11-23"),
    ],
    ids=["select", "overflow", "checkboxes", "user", "users", "date"],
)
def test_every_kind_of_choice_is_written_as_slack_writes_it(
    slack: SlackStandIn, bot: Bot, element: dict[str, Any], value: Any, field: str, expected: Any
) -> None:
    slack.press("bob", "incidents", card(slack, bot, element), "pick", value)
    chosen = bot.last["actions"][0][field]
    if field == "selected_options":
        assert [option["value"] for option in chosen] == value
    elif field == "selected_option":
        assert chosen["value"] == expected["value"]
    else:
        assert chosen == expected


def test_a_selection_is_in_the_state_of_the_next_press(slack: SlackStandIn, bot: Bot) -> None:
    ts = card(slack, bot, picker(), approve("plan-1"))
    slack.press("bob", "incidents", ts, "pick", "blue")
    slack.press("bob", "incidents", ts, "approve")
    assert bot.last["state"]["values"]["controls"]["pick"]["selected_option"]["value"] == "blue"


def test_an_ephemeral_message_can_be_pressed_by_the_one_who_sees_it(slack: SlackStandIn, bot: Bot) -> None:
    blocks = [{"type": "actions", "elements": [approve("plan-1")]}]
    bot.client.chat_postEphemeral(channel=INCIDENTS, user=BOB, text="x", blocks=blocks)
    ts = slack.ephemerals("bob")[0]["ts"]
    with pytest.raises(NotThere):
        slack.press("alice", "incidents", ts, "approve")
    slack.press("bob", "incidents", ts, "approve")
    assert bot.last["container"]["is_ephemeral"] is True
    assert "blocks" not in bot.last["message"]


# --- response urls


def test_a_response_url_answers_five_times(slack: SlackStandIn, bot: Bot) -> None:
    slack.press("bob", "incidents", card(slack, bot), "approve")
    webhook = WebhookClient(bot.last["response_url"], retry_handlers=[])
    answers = [webhook.send(text=str(n)) for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert json.loads(answers[-1].body)["error"] == "used_url"
    assert [e["text"] for e in slack.ephemerals("bob")] == list("01234")


def test_a_response_url_dies_after_half_an_hour(slack: SlackStandIn, bot: Bot) -> None:
    slack.command("alice", "incidents", "x")
    webhook = WebhookClient(bot.last["response_url"], retry_handlers=[])
    slack.clock.advance(30 * 60 + 1)
    assert json.loads(webhook.send(text="late").body)["error"] == "expired_url"


def test_a_response_url_replaces_deletes_and_speaks_to_all(slack: SlackStandIn, bot: Bot) -> None:
    ts = card(slack, bot)
    slack.press("bob", "incidents", ts, "approve")
    webhook = WebhookClient(bot.last["response_url"], retry_handlers=[])
    webhook.send(text="approved", replace_original=True)
    assert [m["text"] for m in slack.messages("incidents")] == ["approved"]
    webhook.send(text="news", response_type="in_channel")
    webhook.send_dict({"delete_original": True})
    assert [m["text"] for m in slack.messages("incidents")] == ["news"]


def test_a_response_url_refuses_bad_blocks(slack: SlackStandIn, bot: Bot) -> None:
    slack.command("alice", "incidents", "x")
    answer = WebhookClient(bot.last["response_url"], retry_handlers=[]).send(blocks=[{"type": "banner"}])
    assert (answer.status_code, json.loads(answer.body)["error"]) == (400, "invalid_blocks")


# --- modals


def test_a_modal_from_command_to_submission(slack: SlackStandIn, bot: Bot) -> None:
    bot.answer = lambda ack, body, client, **_: (
        client.views_open(trigger_id=body["trigger_id"], view=form()),
        ack(),
    )
    slack.command("alice", "incidents", "drain")
    bot.answer = lambda ack, **_: ack()
    delivery = slack.submit_view("alice", slack.views("alice")[0]["id"], {"reason": "disk full"})
    assert bot.last["view"]["state"]["values"]["why"]["reason"]["value"] == "disk full"
    assert bot.last["view"]["private_metadata"] == "plan-1"
    assert strange_keys("view_submission", delivery.payload) == {}
    assert slack.views("alice") == []


def _update(ack: Any, **_: Any) -> None:
    ack(response_action="update", view=form(title=plain("Second")))


def _push(ack: Any, **_: Any) -> None:
    ack(response_action="push", view=form(title=plain("Second")))


def _bad_view(ack: Any, **_: Any) -> None:
    ack(response_action="update", view=form(title=plain("x" * 25)))


def _titles(slack: SlackStandIn) -> list[str]:
    return [view["title"]["text"] for view in slack.views("alice")]


@pytest.mark.parametrize(
    ("answer", "titles", "errors"),
    [
        (lambda ack, **_: ack(), [], None),
        (lambda ack, **_: ack(response_action="clear"), [], None),
        (lambda ack, **_: ack(response_action="errors", errors={"why": "no"}), ["Form"], {"why": "no"}),
        (lambda ack, **_: ack(response_action="errors", errors={"x": "no"}), ["Form"], {"": VIEW_TROUBLE}),
        (_update, ["Second"], {}),
        (_push, ["Form", "Second"], {}),
        (_bad_view, ["Form"], {"": VIEW_TROUBLE}),
        (_broken, ["Form"], {"": VIEW_TROUBLE}),
    ],
    ids=["close", "clear", "errors", "odd errors", "update", "push", "bad view", "raises"],
)
def test_the_acknowledgement_decides_what_the_modal_does(
    slack: SlackStandIn,
    bot: Bot,
    answer: Callable[..., None],
    titles: list[str],
    errors: dict[str, str] | None,
) -> None:
    view = opened(slack, bot)
    bot.answer = answer
    slack.submit_view("alice", view, {"why": "x"})
    assert _titles(slack) == titles
    assert errors is None or slack.views("alice")[-1]["errors"] == errors


@pytest.mark.parametrize("values", [{}, {"reason": "far too long"}, {"reason": "x", "other": "y"}])
def test_the_client_does_not_send_an_incomplete_form(
    slack: SlackStandIn, bot: Bot, values: dict[str, str]
) -> None:
    view = opened(slack, bot)
    with pytest.raises(NotThere):
        slack.submit_view("alice", view, values)
    assert slack.deliveries("interactive") == []


def test_closing_is_told_only_on_request(slack: SlackStandIn, bot: Bot) -> None:
    assert slack.close_view("alice", opened(slack, bot)) is None
    delivery = slack.close_view("alice", opened(slack, bot, notify_on_close=True), clear=True)
    assert delivery is not None and bot.last["type"] == "view_closed" and bot.last["is_cleared"]
    assert slack.views("alice") == []


def test_a_press_in_a_view_has_no_channel(slack: SlackStandIn, bot: Bot) -> None:
    view = opened(slack, bot, blocks=[{"type": "actions", "elements": [approve("x")]}])
    slack.press_in_view("alice", view, "approve")
    assert bot.last["container"] == {"type": "view", "view_id": view}
    assert "channel" not in bot.last and "response_url" not in bot.last


def test_an_external_select_asks_for_options(slack: SlackStandIn, bot: Bot) -> None:
    select = {"type": "external_select", "action_id": "node", "min_query_length": 1}
    view = opened(slack, bot, blocks=[{"type": "input", "label": plain("Node"), "element": select}])
    bot.answer = lambda ack, body, **_: ack(options=[{"text": plain(body["value"]), "value": "n"}])
    assert slack.suggestions("alice", view, "node", "ip-10").body["options"][0]["text"]["text"] == "ip-10"


def test_shortcuts_global_and_of_a_message(slack: SlackStandIn, bot: Bot) -> None:
    slack.shortcut("alice", "declare")
    assert (bot.last["type"], "channel" in bot.last) == ("shortcut", False)
    ts = slack.post_as("alice", "incidents", "api is slow").ts
    delivery = slack.shortcut("alice", "declare", channel="incidents", ts=ts)
    assert (bot.last["type"], bot.last["message"]["text"]) == ("message_action", "api is slow")
    assert "response_url" in delivery.payload


# --- the page


def test_the_page_acts_and_sees_over_http(slack: SlackStandIn, bot: Bot) -> None:
    bot.answer = lambda ack, **_: ack(text="done")
    url = f"{slack.url}/_standin"
    answer = httpx.post(f"{url}/command", json={"user": "alice", "channel": "#incidents", "text": "x"}).json()
    assert (answer["ok"], answer["result"]["body"]) == (True, {"text": "done"})
    parent = slack.post_as("alice", "incidents", "parent").ts
    card(slack, bot, thread_ts=parent)
    state = httpx.get(f"{url}/state", params={"user": "alice"}).json()
    incidents = next(channel for channel in state["channels"] if channel["name"] == "incidents")
    assert [m["replies"][0]["text"] for m in incidents["messages"]] == ["card"]
    assert [e["text"] for e in state["ephemerals"]] == ["done"]
    reply = incidents["messages"][0]["replies"][0]["ts"]
    press = {"user": "bob", "channel": INCIDENTS, "ts": reply, "action_id": "approve"}
    assert httpx.post(f"{url}/press", json=press).json()["ok"]


def test_the_page_opens_the_home_and_sees_what_is_published_there(slack: SlackStandIn, bot: Bot) -> None:
    def state() -> Any:
        return httpx.get(f"{slack.url}/_standin/state", params={"user": "alice"}).json()

    assert state()["home"] is None
    view = {"type": "home", "blocks": [{"type": "section", "text": plain("Welcome")}]}
    bot.answer = lambda body, client, **_: client.views_publish(user_id=body["event"]["user"], view=view)
    answer = httpx.post(f"{slack.url}/_standin/home", json={"user": "alice"}).json()
    assert (answer["ok"], answer["result"]["ok"]) == (True, True)
    home = state()["home"]
    assert (home["type"], home["blocks"][0]["text"]["text"]) == ("home", "Welcome")


def test_the_page_is_told_why_not(slack: SlackStandIn) -> None:
    body = {"user": "eve", "channel": "incidents", "text": "x"}
    answer = httpx.post(f"{slack.url}/_standin/command", json=body)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)
    assert "deactivated" in answer.json()["error"]


def test_the_page_shows_each_person_only_what_they_see(slack: SlackStandIn) -> None:
    def names(user: str) -> set[str]:
        state = httpx.get(f"{slack.url}/_standin/state", params={"user": user}).json()
        return {channel["name"] for channel in state["channels"]}

    assert "sre-security" in names("alice") and "sre-security" not in names("carol")
    assert names("dave") == {"general", "sre-daily"}
    assert names("mallory") == {"incidents"}


def test_the_page_follows_live(slack: SlackStandIn) -> None:
    async def follow() -> list[str]:
        url = f"{slack.url.replace('http', 'ws')}/_standin/live"
        async with connect(url, proxy=None) as socket:
            kinds = [json.loads(await socket.recv())["kind"]]
            await asyncio.to_thread(slack.post_as, "alice", "general", "hello")
            kinds.append(json.loads(await socket.recv())["kind"])
            return kinds

    assert asyncio.run(follow()) == ["hello", "message"]
