"""Socket Mode of the Slack stand-in, with slack_bolt's builtin SocketModeHandler and with bare websockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from websockets.sync.client import ClientConnection, connect

from sandbox.slack import SlackStandIn

# The longest a test waits for an acknowledgement that never comes.
ACK_TIMEOUT = 0.3


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    told = ["app_mention"]
    with SlackStandIn(rate_limits="off", events=told, ack_timeout=ACK_TIMEOUT, retry_scale=0) as slack:
        yield slack


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])


def opened(slack: SlackStandIn, client: WebClient) -> ClientConnection:
    return connect(client.apps_connections_open(app_token=slack.app_token)["url"], proxy=None)


def received(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return message


@pytest.fixture(scope="module")
def linked() -> Iterator[SlackStandIn]:
    """A stand-in with a bolt app on its Socket Mode; shared, as the handler takes a second to close."""
    with SlackStandIn(rate_limits="off") as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        handler = SocketModeHandler(_app(client), slack.app_token, web_client=client)
        handler.connect()
        slack.wait_for(lambda: slack.sockets.connections)
        yield slack
        _close(handler, slack)


def _close(handler: SocketModeHandler, slack: SlackStandIn) -> None:
    """The client's own close waits up to 3 s for data, so the server closes first; and it would then race with
    its receiving thread for the socket (slack_sdk 3.47 builtin connection), so it is not let near it."""
    closed = threading.Event()
    handler.client.auto_reconnect_enabled = False
    handler.client.on_close_listeners.append(lambda *_: closed.set())
    slack.sockets.cut()
    assert closed.wait(5)
    handler.client.current_session = None
    handler.close()


def _app(client: WebClient) -> App:
    app = App(client=client, process_before_response=True)

    @app.command("/sre")
    def on_command(ack: Any, body: dict[str, Any]) -> None:
        ack(text=f"got {body['text']}")

    @app.event("app_mention")
    def on_mention(event: dict[str, Any], say: Any) -> None:
        say(text="hello", thread_ts=event["ts"])

    @app.view("form")
    def on_form(ack: Any) -> None:
        ack(response_action="errors", errors={"why": "no"})

    return app


def test_a_bot_token_opens_no_connection(slack: SlackStandIn, client: WebClient) -> None:
    with pytest.raises(SlackApiError) as refusal:
        client.apps_connections_open(app_token=slack.bot_token)
    assert refusal.value.response["error"] == "not_allowed_token_type"


def test_the_first_message_is_hello(slack: SlackStandIn, client: WebClient) -> None:
    with opened(slack, client) as socket:
        hello = received(socket)
    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert hello["connection_info"] == {"app_id": "A0SREBOT001"}
    assert hello["debug_info"]["approximate_connection_time"] > 0


def test_a_command_is_acknowledged_with_a_payload(linked: SlackStandIn) -> None:
    delivery = linked.command("alice", "incidents", "status")
    assert (delivery.transport, delivery.text) == ("socket", "got status")
    assert linked.ephemerals("alice")[0]["text"] == "got status"


def test_an_event_is_acknowledged_without_one(linked: SlackStandIn) -> None:
    delivery = linked.mention("alice", "incidents", "hi")
    assert delivery is not None and delivery.ok and delivery.body == {}
    parent = linked.messages("incidents")[0]["ts"]
    assert linked.thread("incidents", parent)[-1]["text"] == "hello"


def test_a_view_submission_may_answer_with_errors(linked: SlackStandIn) -> None:
    text = {"type": "plain_text", "text": "Why"}
    element = {"type": "plain_text_input", "action_id": "reason"}
    block = {"type": "input", "block_id": "why", "label": text, "element": element}
    view = {"type": "modal", "callback_id": "form", "title": text, "submit": text, "blocks": [block]}
    client = WebClient(linked.bot_token, base_url=linked.api_url, retry_handlers=[])
    trigger = linked.workspace.new_trigger("U0ALICE0001")
    view_id = client.views_open(trigger_id=trigger, view=view)["view"]["id"]
    linked.submit_view("alice", view_id, {"reason": "x"})
    assert linked.views("alice")[0]["errors"] == {"why": "no"}


def test_a_refresh_makes_the_client_reconnect(linked: SlackStandIn) -> None:
    linked.disconnect_sockets()
    linked.wait_for(lambda: len(linked.calls("apps.connections.open")) >= 2 and linked.sockets.connections)
    assert linked.command("alice", "incidents", "again").text == "got again"


def test_an_envelope_not_acknowledged_in_time_is_a_timeout(slack: SlackStandIn, client: WebClient) -> None:
    with opened(slack, client) as socket:
        received(socket)
        delivery = slack.command("alice", "incidents", "x")
        envelope = received(socket)
    assert (delivery.error, delivery.transport) == ("operation_timeout", "socket")
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    assert envelope["payload"]["text"] == "x"


def test_an_event_not_acknowledged_comes_again_and_says_why(slack: SlackStandIn, client: WebClient) -> None:
    with opened(slack, client) as socket:
        received(socket)
        slack.mention("alice", "incidents", "x")
        envelopes = [received(socket) for _ in range(4)]
        slack.wait_for(lambda: len(slack.deliveries("event")) == 4)
    assert [envelope["retry_attempt"] for envelope in envelopes] == [0, 1, 2, 3]
    assert [envelope["retry_reason"] for envelope in envelopes] == ["", "timeout", "timeout", "timeout"]
    assert len({envelope["payload"]["event_id"] for envelope in envelopes}) == 1
    assert len({envelope["envelope_id"] for envelope in envelopes}) == 4


def test_an_envelope_goes_to_any_one_connection(slack: SlackStandIn, client: WebClient) -> None:
    served: list[str] = []

    def serve(name: str, socket: ClientConnection, count: int) -> None:
        for _ in range(count):
            envelope = received(socket)
            served.append(name)
            socket.send(json.dumps({"envelope_id": envelope["envelope_id"]}))

    with opened(slack, client) as first, opened(slack, client) as second:
        received(first)
        assert received(second)["num_connections"] == 2
        slack.wait_for(lambda: slack.sockets.connections == 2)
        threads = [threading.Thread(target=serve, args=(n, s, 2)) for n, s in (("a", first), ("b", second))]
        for thread in threads:
            thread.start()
        results = [slack.command("alice", "incidents", str(n)).ok for n in range(4)]
        for thread in threads:
            thread.join()
    assert results == [True] * 4
    assert sorted(served) == ["a", "a", "b", "b"]


def test_an_eleventh_connection_is_turned_away(slack: SlackStandIn, client: WebClient) -> None:
    with ExitStack() as connections:
        for _ in range(10):
            received(connections.enter_context(opened(slack, client)))
        eleventh = connections.enter_context(opened(slack, client))
        assert received(eleventh)["reason"] == "too_many_websockets"


def test_a_url_opens_one_connection(slack: SlackStandIn, client: WebClient) -> None:
    url = client.apps_connections_open(app_token=slack.app_token)["url"]
    with connect(url, proxy=None) as socket:
        received(socket)
        with pytest.raises(Exception, match="HTTP 403"):
            connect(url, proxy=None)


def test_a_warning_leaves_the_connection_in_use(slack: SlackStandIn, client: WebClient) -> None:
    with opened(slack, client) as socket:
        received(socket)
        slack.disconnect_sockets("warning")
        assert received(socket) == {
            "type": "disconnect",
            "reason": "warning",
            "debug_info": {"host": "applink-emulated"},
        }
        assert slack.sockets.connections == 1


def test_down_cuts_the_connections_too(slack: SlackStandIn, client: WebClient) -> None:
    with opened(slack, client) as socket:
        received(socket)
        slack.fault("*", "down", times=None)
        slack.wait_for(lambda: slack.sockets.connections == 0)
    assert slack.command("alice", "incidents", "x").error == "dispatch_failed"
