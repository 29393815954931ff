"""What people do in the Slack stand-in with messages, files and channels, and what the app is told of it: the
events over HTTP and over Socket Mode, and what the history says afterwards."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from websockets.sync.client import connect

from sandbox.slack import NotThere, SlackStandIn
from sandbox.slack.api import EVERY_SCOPE
from sandbox.slack.events import SCOPES
from sandbox.slack.workspace import SlackError

PAYLOAD_KEYS = json.loads(Path(__file__).with_name("test_slack_keys.json").read_text())["payloads"]

DAILY, GENERAL, SECURITY = "C0SREDAILY1", "C0GENERAL01", "C0SECURITY1"
ALICE, BOB, CAROL, BOT = "U0ALICE0001", "U0BOB000001", "U0CAROL0001", "U0SREBOT001"

Json = dict[str, Any]


class Ear:
    """An app that says 200 to everything; what it was sent is among the stand-in's deliveries."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    options: Json = {"rate_limits": "off", "scopes": EVERY_SCOPE, "events": SCOPES}
    with Ear() as ear, SlackStandIn(request_url=ear.url, **options) as slack:
        yield slack


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    return client_of(slack)


def client_of(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])


def told(slack: SlackStandIn) -> list[Json]:
    """The events that reached the app, in order."""
    return [delivery.payload["event"] for delivery in slack.deliveries("event") if delivery.ok]


def kind(event: Json) -> str:
    """A message that notes what happened to a channel is not the event of it."""
    subtype = event.get("subtype") or event["type"]
    is_note = event["type"] == "message" and subtype.startswith(("channel_", "group_"))
    return f"message_{subtype}" if is_note else str(subtype)


def kinds(events: list[Json]) -> list[str]:
    return [kind(event) for event in events]


def strange(name: str, payload: Json) -> dict[str, set[str]]:
    """Keys that the real samples do not have, by part of the payload."""
    found = {}
    for path, known in PAYLOAD_KEYS[name].items():
        part: Any = payload
        for step in path.split(".") if path else ():
            part = part.get(step, {})
        part = part[0] if isinstance(part, list) else part
        if extra := set(part) - set(known.split()) - KNOWN_ELSEWHERE:
            found[path] = extra
    return found


# In other samples of events and messages.
KNOWN_ELSEWHERE = {
    "context_enterprise_id", "context_team_id", "client_msg_id", "user", "files", "pinned_to", "reactions", "team",
    "reply_users", "thread_ts", "parent_user_id", "topic",
}  # fmt: skip


# --- what is told of each doing

Doing = Callable[[SlackStandIn, str], object]

DOINGS: dict[str, tuple[list[str], Doing]] = {
    "say": (["message"], lambda s, ts: s.post_as("bob", DAILY, "hello")),
    "reply": (["message"], lambda s, ts: s.post_as("bob", DAILY, "hello", thread_ts=ts)),
    "edit": (["message_changed"], lambda s, ts: s.edit("alice", DAILY, ts, "api is slow")),
    "delete": (["message_deleted"], lambda s, ts: s.delete("alice", DAILY, ts)),
    "react": (["reaction_added"], lambda s, ts: s.react("bob", DAILY, ts, ":pushpin:")),
    "unreact": (
        ["reaction_added", "reaction_removed"],
        lambda s, ts: (s.react("bob", DAILY, ts, "pushpin"), s.unreact("bob", DAILY, ts, "pushpin")),
    ),
    "pin": (["pin_added"], lambda s, ts: s.pin("bob", DAILY, ts)),
    "unpin": (
        ["pin_added", "pin_removed"],
        lambda s, ts: (s.pin("bob", DAILY, ts), s.unpin("alice", DAILY, ts)),
    ),
    "upload": (["file_share", "file_shared"], lambda s, ts: s.upload("bob", DAILY, "a.log", b"a line")),
    "leave": (["message_channel_leave", "member_left_channel"], lambda s, ts: s.leave("carol", DAILY)),
    "come back": (
        ["message_channel_leave", "member_left_channel", "message_channel_join", "member_joined_channel"],
        lambda s, ts: (s.leave("carol", DAILY), s.join("carol", DAILY)),
    ),
    "remove": (["member_left_channel"], lambda s, ts: s.remove("bob", DAILY, "carol")),
    "remove the bot": (["channel_left"], lambda s, ts: s.remove("bob", DAILY, "sre_bot")),
    "rename": (
        ["message_channel_name", "channel_rename"],
        lambda s, ts: s.rename_channel("bob", DAILY, "sre-days"),
    ),
    "topic": (["message_channel_topic"], lambda s, ts: s.set_topic("bob", DAILY, "all is well")),
    "archive": (["message_channel_archive", "channel_archive"], lambda s, ts: s.archive("bob", DAILY)),
    "unarchive": (
        ["message_channel_archive", "channel_archive", "message_channel_unarchive", "channel_unarchive"],
        lambda s, ts: (s.archive("bob", DAILY), s.unarchive("bob", DAILY)),
    ),
    "bookmark": ([], lambda s, ts: s.add_bookmark("bob", DAILY, "Graph", "https://graph.example.com")),
}


@pytest.mark.parametrize("doing", DOINGS)
def test_the_app_is_told_as_slack_tells_it(slack: SlackStandIn, doing: str) -> None:
    expected, act = DOINGS[doing]
    ts = slack.post_as("alice", DAILY, "api slow").ts
    act(slack, ts)
    sent = slack.deliveries("event")[1:]
    assert kinds([delivery.payload["event"] for delivery in sent]) == expected
    for delivery in sent:
        assert strange(kind(delivery.payload["event"]), delivery.payload) == {}


def test_a_private_channel_has_events_of_its_own(slack: SlackStandIn) -> None:
    slack.invite("alice", SECURITY, ["carol"])
    slack.rename_channel("alice", SECURITY, "sre-sec")
    slack.archive("alice", SECURITY)
    joined, member, named, renamed, noted, archived = told(slack)
    assert (joined["subtype"], joined["channel_type"], joined["inviter"]) == ("group_join", "group", ALICE)
    assert (member["channel_type"], member["user"], member["inviter"]) == ("G", CAROL, ALICE)
    assert (named["old_name"], named["name"]) == ("sre-security", "sre-sec")
    assert (renamed["type"], renamed["channel"]["id"]) == ("group_rename", SECURITY)
    assert (noted["subtype"], archived["type"], archived["user"]) == ("group_archive", "group_archive", ALICE)
    assert strange("group_rename", slack.deliveries("event")[3].payload) == {}


@pytest.mark.parametrize(
    "act",
    [
        lambda s, ts: s.post_as("bob", GENERAL, "hello"),
        lambda s, ts: s.edit("alice", GENERAL, ts, "other"),
        lambda s, ts: s.delete("alice", GENERAL, ts),
        lambda s, ts: s.react("bob", GENERAL, ts, "eyes"),
        lambda s, ts: s.pin("bob", GENERAL, ts),
        lambda s, ts: s.upload("bob", GENERAL, "a.log", "text"),
        lambda s, ts: s.leave("carol", GENERAL),
        lambda s, ts: s.rename_channel("bob", GENERAL, "everybody"),
    ],
)
def test_nothing_is_told_of_a_channel_that_the_bot_is_not_in(slack: SlackStandIn, act: Doing) -> None:
    act(slack, slack.post_as("alice", GENERAL, "hi").ts)
    assert slack.deliveries() == []


def test_an_event_takes_both_its_subscription_and_its_scope() -> None:
    with Ear() as ear:
        without = EVERY_SCOPE - {"reactions:read", "groups:history"}
        subscribed = ["message.channels", "message.groups", "reaction_added"]
        with SlackStandIn(request_url=ear.url, scopes=without, events=subscribed) as slack:
            ts = slack.post_as("alice", DAILY, "public").ts
            slack.post_as("alice", SECURITY, "private: no scope")
            slack.react("bob", DAILY, ts, "eyes")  # no scope
            slack.pin("bob", DAILY, ts)  # no subscription
            assert [event["text"] for event in told(slack)] == ["public"]


def test_the_app_as_installed_has_what_the_manifest_asks_for() -> None:
    with Ear() as ear, SlackStandIn(request_url=ear.url) as slack:
        ts = slack.post_as("alice", DAILY, "api slow").ts
        slack.react("bob", DAILY, ts, "pushpin")
        assert kinds(told(slack)) == ["message", "reaction_added"]
        with pytest.raises(SlackApiError) as refusal:
            client_of(slack).team_info()
        assert refusal.value.response["needed"] == "team:read"


# --- messages


def test_an_edit_tells_what_it_was_and_who_changed_it(slack: SlackStandIn, client: WebClient) -> None:
    ts = slack.post_as("alice", DAILY, "db is down").ts
    slack.edit("alice", DAILY, ts, "db is <slow>")
    event = told(slack)[-1]
    assert (event["message"]["text"], event["previous_message"]["text"]) == (
        "db is &lt;slow&gt;",
        "db is down",
    )
    assert (event["message"]["ts"], event["message"]["edited"]["user"], event["hidden"]) == (ts, ALICE, True)
    assert "edited" not in event["previous_message"]
    message = client.conversations_history(channel=DAILY)["messages"][0]
    assert (message["text"], message["edited"]["user"]) == ("db is &lt;slow&gt;", ALICE)
    assert slack.edit("alice", DAILY, ts, "db is <slow>") == (), "the same words are no edit"


def test_a_preview_of_a_link_changes_a_message_that_nobody_edited(slack: SlackStandIn) -> None:
    ts = slack.post_as("alice", DAILY, "see https://graph.example.com").ts
    slack.unfurl(DAILY, ts, "https://graph.example.com", "Latency")
    event = told(slack)[-1]
    assert (event["subtype"], event["message"]["text"]) == (
        "message_changed",
        event["previous_message"]["text"],
    )
    assert "edited" not in event["message"]
    assert event["message"]["attachments"][0]["title"] == "Latency"


def test_a_deleted_message_is_told_with_its_words_and_gone_from_the_history(
    slack: SlackStandIn, client: WebClient
) -> None:
    ts = slack.post_as("alice", DAILY, "oops").ts
    slack.pin("bob", DAILY, ts)
    slack.delete("alice", DAILY, ts)
    event = told(slack)[-1]
    assert (event["deleted_ts"], event["previous_message"]["text"]) == (ts, "oops")
    assert event["previous_message"]["pinned_to"] == [DAILY]
    assert client.conversations_history(channel=DAILY)["messages"] == []
    assert client.pins_list(channel=DAILY)["items"] == []


def test_a_threads_deleted_parent_is_changed_into_a_tombstone_that_goes_with_the_last_reply(
    slack: SlackStandIn, client: WebClient
) -> None:
    parent = slack.post_as("alice", DAILY, "api is down").ts
    reply = slack.post_as("bob", DAILY, "looking", thread_ts=parent).ts
    slack.delete("alice", DAILY, parent)
    changed = told(slack)[-1]
    assert (changed["subtype"], changed["message"]["subtype"]) == ("message_changed", "tombstone")
    assert (changed["message"]["user"], changed["message"]["hidden"]) == ("USLACKBOT", True)
    assert (changed["message"]["reply_count"], changed["previous_message"]["text"]) == (1, "api is down")
    stone = client.conversations_replies(channel=DAILY, ts=parent)["messages"][0]
    assert (stone["subtype"], stone["text"]) == ("tombstone", "This message was deleted.")
    slack.delete("bob", DAILY, reply)
    assert [event["deleted_ts"] for event in told(slack)[-2:]] == [reply, parent]
    assert told(slack)[-1]["previous_message"]["reply_count"] == 0
    assert client.conversations_history(channel=DAILY)["messages"] == []


def test_another_apps_message_has_a_bot_and_no_user(slack: SlackStandIn, client: WebClient) -> None:
    slack.post_as_app("deployer", DAILY, "shop 1.4 is out")
    event = told(slack)[-1]
    message = client.conversations_history(channel=DAILY)["messages"][0]
    for seen in (event, message):
        assert (seen["subtype"], seen["bot_id"], seen["username"]) == (
            "bot_message",
            "B0ANOTHER01",
            "deployer",
        )
        assert "user" not in seen


def test_reactions_and_pins_are_in_the_history(slack: SlackStandIn, client: WebClient) -> None:
    ts = slack.post_as("alice", DAILY, "rolled back").ts
    slack.react("bob", DAILY, ts, "pushpin")
    slack.react("carol", DAILY, ts, "pushpin")
    slack.pin("bob", DAILY, ts)
    message = client.conversations_history(channel=DAILY)["messages"][0]
    assert message["reactions"] == [{"name": "pushpin", "users": [BOB, CAROL], "count": 2}]
    assert message["pinned_to"] == [DAILY]
    assert client.reactions_get(channel=DAILY, timestamp=ts)["message"]["reactions"][0]["count"] == 2
    pinned = told(slack)[-1]
    assert (pinned["channel_id"], pinned["item"]["created_by"], pinned["item_user"]) == (DAILY, BOB, ALICE)
    assert (pinned["pin_count"], pinned["item"]["message"]["ts"]) == (1, ts)
    slack.unpin("carol", DAILY, ts)
    assert (told(slack)[-1]["has_pins"], told(slack)[-1]["pinned_info"]["pinned_by"]) == (False, BOB)


# --- files


def test_a_file_without_words_can_be_read_with_the_token_alone(
    slack: SlackStandIn, client: WebClient
) -> None:
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 3, 2)
    message = slack.upload("alice", DAILY, "graph.png", content)
    shared, also = told(slack)
    assert (shared["subtype"], shared["text"], shared["files"][0]["mimetype"]) == (
        "file_share",
        "",
        "image/png",
    )
    assert (also["file_id"], also["channel_id"], also["user_id"]) == (message.files[0], DAILY, ALICE)
    stored = client.conversations_history(channel=DAILY)["messages"][0]
    assert "subtype" not in stored and stored["files"][0]["id"] == message.files[0]
    file = client.files_info(file=message.files[0])["file"]
    assert (file["size"], file["original_w"], file["original_h"]) == (len(content), 3, 2)
    bearer = {"authorization": f"Bearer {slack.bot_token}"}
    assert httpx.get(file["url_private_download"], headers=bearer).content == content
    assert httpx.get(file["url_private"]).status_code == 302


def test_a_file_is_seen_only_where_the_bot_is_and_only_with_the_scope(
    slack: SlackStandIn, client: WebClient
) -> None:
    elsewhere = slack.upload("alice", GENERAL, "plan.txt", "secret").files[0]
    with pytest.raises(SlackApiError, match="file_not_found"):
        client.files_info(file=elsewhere)
    with SlackStandIn(scopes=EVERY_SCOPE - {"files:read"}) as poor:
        file = poor.upload("alice", DAILY, "a.txt", "text").files[0]
        bearer = {"authorization": f"Bearer {poor.bot_token}"}
        assert httpx.get(f"{poor.url}/files-pri/{file}/a.txt", headers=bearer).status_code == 302


# --- what people cannot do


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda s, ts: s.edit("bob", DAILY, ts, "x"), "is not bob's"),
        (lambda s, ts: s.delete("bob", DAILY, ts), "is not bob's"),
        (lambda s, ts: s.pin("mallory", DAILY, ts), "is not in"),
        (lambda s, ts: s.pin("bob", DAILY, "1700000000.000000"), "no message"),
        (lambda s, ts: s.unreact("bob", DAILY, ts, "eyes"), "no_reaction"),
        (lambda s, ts: s.unpin("bob", DAILY, ts), "no_pin"),
        (lambda s, ts: s.rename_channel("dave", DAILY, "x"), "cannot do that"),
        (lambda s, ts: s.rename_channel("bob", DAILY, "incidents"), "name_taken"),
        (lambda s, ts: s.join("carol", SECURITY), "does not see"),
        (lambda s, ts: s.join("bob", DAILY), "already"),
        (lambda s, ts: s.archive("bob", GENERAL), "cant_archive_general"),
        (lambda s, ts: s.upload("carol", SECURITY, "a", "b"), "does not see"),
        (lambda s, ts: s.remove("bob", DAILY, "bob"), "cannot be removed"),
        (lambda s, ts: s.remove_bookmark("bob", DAILY, "Graph"), "no bookmark"),
        (lambda s, ts: (s.archive("bob", DAILY), s.edit("alice", DAILY, ts, "x")), "is archived"),
    ],
)
def test_people_cannot_do_the_impossible_with_messages_and_channels(
    slack: SlackStandIn, act: Doing, why: str
) -> None:
    ts = slack.post_as("alice", DAILY, "hello").ts
    with pytest.raises((NotThere, SlackError), match=why):
        act(slack, ts)


def test_an_admin_deletes_what_others_wrote(slack: SlackStandIn) -> None:
    ts = slack.post_as("alice", DAILY, "password: hunter2").ts
    slack.workspace.user("bob").is_admin = True
    slack.delete("bob", DAILY, ts)
    assert slack.messages(DAILY) == []


# --- away


def test_what_happens_while_the_app_is_away_is_only_in_the_history(
    slack: SlackStandIn, client: WebClient
) -> None:
    kept = slack.post_as("alice", DAILY, "before").ts
    slack.lose_events()
    missed = slack.post_as("bob", DAILY, "missed").ts
    slack.edit("alice", DAILY, kept, "before, corrected")
    client.chat_postMessage(channel=DAILY, text="mine")
    slack.lose_events(False)
    slack.post_as("bob", DAILY, "after")
    assert [event.get("text") for event in told(slack)] == ["before", "after"]
    history = client.conversations_history(channel=DAILY, oldest=kept, inclusive=True)["messages"]
    assert [m["text"] for m in history] == ["after", "mine", "missed", "before, corrected"]
    assert history[2]["ts"] == missed


def test_the_bots_own_doings_are_told_as_well(slack: SlackStandIn, client: WebClient) -> None:
    channel = client.conversations_create(name="inc-1")["channel"]["id"]
    ts = client.chat_postMessage(channel=channel, text="card")["ts"]
    client.chat_update(channel=channel, ts=ts, text="card, again")
    client.pins_add(channel=channel, timestamp=ts)
    client.conversations_invite(channel=channel, users=[ALICE])
    client.conversations_setTopic(channel=channel, topic="api is down")
    client.conversations_rename(channel=channel, name="inc-1-api")
    client.chat_delete(channel=channel, ts=ts)
    client.conversations_archive(channel=channel)
    expected = {
        "message_channel_join", "member_joined_channel", "message", "message_changed", "pin_added", "message_channel_topic",
        "message_channel_name", "channel_rename", "message_deleted", "message_channel_archive",
        "channel_archive",
    }  # fmt: skip
    slack.wait_for(lambda: set(kinds(told(slack))) == expected)
    joined = [event["user"] for event in told(slack) if event["type"] == "member_joined_channel"]
    assert sorted(joined) == [ALICE, BOT]


def test_over_socket_mode_they_are_told_as_events_api_envelopes() -> None:
    with SlackStandIn(scopes=EVERY_SCOPE, events=SCOPES) as slack:
        url = client_of(slack).apps_connections_open(app_token=slack.app_token)["url"]
        with connect(url, proxy=None) as socket:
            assert json.loads(socket.recv(timeout=60))["type"] == "hello"
            slack.wait_for(lambda: slack.sockets.connections)
            ts = slack.workspace.post(slack.workspace.channel(DAILY), ALICE, "hi").ts
            doing = threading.Thread(target=slack.react, args=("bob", DAILY, ts, "pushpin"))
            doing.start()
            envelope = json.loads(socket.recv(timeout=60))
            socket.send(json.dumps({"envelope_id": envelope["envelope_id"]}))
            doing.join()
        event = envelope["payload"]["event"]
        assert (envelope["type"], event["type"], event["item"]["ts"]) == ("events_api", "reaction_added", ts)
        assert slack.deliveries("event")[0].ok


# --- the page


def test_the_page_does_all_of_it_over_http(slack: SlackStandIn) -> None:
    def do(what: str, **fields: Any) -> Json:
        answer = httpx.post(f"{slack.url}/_standin/{what}", json=fields)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()
        return result

    ts = slack.post_as("alice", DAILY, "hello").ts
    place = {"channel": DAILY, "ts": ts}
    assert do("edit", user="alice", text="hello all", **place)["result"][0]["ok"]
    do("react", user="bob", emoji="pushpin", **place)
    do("unreact", user="bob", emoji="pushpin", **place)
    do("pin", user="bob", **place)
    made = do("open_channel", user="alice", name="war-room")["result"]
    do("invite", user="alice", channel=made, guests=["bob", "sre_bot"])
    do("set_topic", user="bob", channel=made, topic="api is down")
    do("upload", user="alice", channel=made, name="a.log", content="a line")
    state = httpx.get(f"{slack.url}/_standin/state", params={"user": "bob"}).json()
    daily, room = (next(c for c in state["channels"] if c["id"] == name) for name in (DAILY, made))
    assert (daily["messages"][0]["text"], daily["pins"]) == ("hello all", [ts])
    assert (room["name"], room["topic"]["value"]) == ("war-room", "api is down")
    do("delete", user="alice", **place)
    assert slack.messages(DAILY) == []
