"""Channels of the Slack stand-in over the Web API, as an incident needs them: scopes by kind of channel, invitations,
pages that survive what happens meanwhile, broadcasts, bookmarks and canvases by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from sandbox.slack import SlackStandIn
from sandbox.slack.api import EVERY_SCOPE

DAILY, GENERAL, SECURITY = "C0SREDAILY1", "C0GENERAL01", "C0SECURITY1"
ALICE, BOB, EVE, BOT = "U0ALICE0001", "U0BOB000001", "U0EVE000001", "U0SREBOT001"


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off", scopes=EVERY_SCOPE) as slack:
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


def refused(act: Callable[[], SlackResponse]) -> SlackResponse:
    with pytest.raises(SlackApiError) as refusal:
        act()
    answer: SlackResponse = refusal.value.response
    return answer


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


# --- scopes


@pytest.mark.parametrize(
    ("needed", "act"),
    [
        ("channels:manage", lambda c: c.conversations_create(name="inc-1")),
        ("groups:write", lambda c: c.conversations_create(name="inc-1", is_private=True)),
        ("groups:history", lambda c: c.conversations_history(channel=SECURITY)),
        ("groups:history", lambda c: c.conversations_replies(channel=SECURITY, ts="1.0")),
        ("groups:read", lambda c: c.conversations_info(channel=SECURITY)),
        (
            "groups:read",
            lambda c: c.conversations_list(types="public_channel,private_channel"),
        ),
        ("pins:read", lambda c: c.pins_list(channel=DAILY)),
        ("bookmarks:read", lambda c: c.bookmarks_list(channel_id=DAILY)),
        ("canvases:write", lambda c: c.conversations_canvases_create(channel_id=DAILY, document_content={})),
    ],
)
def test_a_scope_for_public_channels_is_none_for_private_ones(
    needed: str, act: Callable[[WebClient], SlackResponse]
) -> None:
    with SlackStandIn(rate_limits="off", scopes=EVERY_SCOPE - {needed}) as slack:
        client = client_of(slack)
        answer = refused(lambda: act(client))
        assert (answer["error"], answer["needed"]) == ("missing_scope", needed)
        assert needed not in answer["provided"].split(",")
        assert client.conversations_history(channel=DAILY)["ok"], "the other kind still works"


def test_either_scope_for_invitations_will_do() -> None:
    scopes = EVERY_SCOPE - {"channels:manage"}
    with SlackStandIn(rate_limits="off", scopes=scopes) as slack:
        answer = client_of(slack).conversations_invite(channel="C0GENSTATUS", users="U0DAVE00001")
        assert answer["channel"]["id"] == "C0GENSTATUS"


# --- who is in it


def test_one_bad_guest_keeps_all_others_out_unless_it_is_forced(client: WebClient) -> None:
    channel = client.conversations_create(name="inc-1")["channel"]["id"]
    guests = [ALICE, "U0NOBODY001", BOT, EVE]
    answer = refused(lambda: client.conversations_invite(channel=channel, users=guests))
    assert answer["error"] == "user_not_found"
    assert [(each["user"], each["error"], each["ok"]) for each in answer["errors"]] == [
        ("U0NOBODY001", "user_not_found", False),
        (BOT, "cant_invite_self", False),
        (EVE, "cant_invite", False),
    ]
    assert client.conversations_members(channel=channel)["members"] == [BOT]
    client.conversations_invite(channel=channel, users=guests, force=True)
    assert client.conversations_members(channel=channel)["members"] == [BOT, ALICE]
    nobody = ["U0NOBODY001", BOT]
    assert not refused(lambda: client.conversations_invite(channel=channel, users=nobody, force=True))["ok"]


def test_a_new_channel_begins_with_who_made_it(slack: SlackStandIn, client: WebClient) -> None:
    channel = client.conversations_create(name="inc-1")["channel"]
    assert (channel["creator"], channel["is_member"], channel["is_private"]) == (BOT, True, False)
    client.conversations_invite(channel=channel["id"], users=ALICE)
    first, second = slack.messages("inc-1")
    assert (first["subtype"], first["user"], "inviter" in first) == ("channel_join", BOT, False)
    assert (second["subtype"], second["user"], second["inviter"]) == ("channel_join", ALICE, BOT)


def test_members_come_in_pages(client: WebClient) -> None:
    first = client.conversations_members(channel=DAILY, limit=3)
    rest = client.conversations_members(
        channel=DAILY, limit=3, cursor=first["response_metadata"]["next_cursor"]
    )
    assert len(first["members"]) == 3 and len(rest["members"]) == 2
    assert rest["response_metadata"]["next_cursor"] == ""


def test_a_channel_renamed_by_a_person_keeps_its_id_and_frees_its_name(
    slack: SlackStandIn, client: WebClient
) -> None:
    channel = client.conversations_create(name="inc-1")["channel"]["id"]
    client.conversations_invite(channel=channel, users=ALICE)
    slack.rename_channel("alice", channel, "inc-1-checkout")
    described = client.conversations_info(channel=channel)["channel"]
    assert (described["name"], described["previous_names"]) == ("inc-1-checkout", ["inc-1"])
    assert client.conversations_create(name="inc-1")["ok"]


def test_a_bot_that_leaves_reads_no_more(slack: SlackStandIn, client: WebClient) -> None:
    client.conversations_leave(channel=DAILY)
    assert client.conversations_leave(channel=DAILY)["not_in_channel"]
    assert refused(lambda: client.conversations_history(channel=DAILY))["error"] == "not_in_channel"
    client.conversations_leave(channel=SECURITY)
    assert refused(lambda: client.conversations_history(channel=SECURITY))["error"] == "channel_not_found"


def test_an_archived_channel_is_still_read(slack: SlackStandIn, client: WebClient) -> None:
    slack.post_as("alice", DAILY, "kept")
    slack.archive("alice", DAILY)
    assert texts(client.conversations_history(channel=DAILY)["messages"]) == ["archived the channel", "kept"]
    for act in (
        lambda: client.conversations_invite(channel=DAILY, users=BOB),
        lambda: client.conversations_setTopic(channel=DAILY, topic="x"),
        lambda: client.conversations_rename(channel=DAILY, name="x"),
    ):
        assert refused(act)["error"] == "is_archived"


# --- the history


def test_pages_do_not_move_when_something_is_said_or_deleted_meanwhile(
    slack: SlackStandIn, client: WebClient
) -> None:
    stamps = [slack.post_as("alice", DAILY, str(n)).ts for n in range(6)]
    first = client.conversations_history(channel=DAILY, limit=2)
    slack.post_as("bob", DAILY, "meanwhile")
    slack.delete("alice", DAILY, stamps[5])
    cursor = first["response_metadata"]["next_cursor"]
    second = client.conversations_history(channel=DAILY, limit=2, cursor=cursor)
    assert texts(first["messages"]) + texts(second["messages"]) == ["5", "4", "3", "2"]
    last = client.conversations_history(
        channel=DAILY, limit=2, cursor=second["response_metadata"]["next_cursor"]
    )
    assert (texts(last["messages"]), last["has_more"]) == (["1", "0"], False)


def test_a_thread_comes_in_pages_each_with_its_parent(slack: SlackStandIn, client: WebClient) -> None:
    parent = slack.post_as("alice", DAILY, "parent").ts
    replies = [slack.post_as("bob", DAILY, str(n), thread_ts=parent).ts for n in range(5)]
    first = client.conversations_replies(channel=DAILY, ts=parent, limit=2)
    slack.delete("bob", DAILY, replies[0])
    cursor = first["response_metadata"]["next_cursor"]
    second = client.conversations_replies(channel=DAILY, ts=parent, limit=2, cursor=cursor)
    assert texts(first["messages"]) == ["parent", "0", "1"]
    assert texts(second["messages"]) == ["parent", "2", "3"]
    since = client.conversations_replies(channel=DAILY, ts=parent, oldest=replies[2], latest=replies[4])
    assert texts(since["messages"]) == ["parent", "3"]


def test_a_reply_to_all_is_seen_in_the_channel_with_its_parent(client: WebClient) -> None:
    parent = client.chat_postMessage(channel=DAILY, text="parent")["ts"]
    client.chat_postMessage(channel=DAILY, text="for all", thread_ts=parent, reply_broadcast=True)
    shown = client.conversations_history(channel=DAILY)["messages"][0]
    assert (shown["subtype"], shown["root"]["ts"], shown["thread_ts"]) == ("thread_broadcast", parent, parent)


def test_a_reply_has_a_permalink_that_names_its_thread(slack: SlackStandIn, client: WebClient) -> None:
    parent = slack.post_as("alice", DAILY, "parent").ts
    reply = slack.post_as("alice", DAILY, "reply", thread_ts=parent).ts
    link = client.chat_getPermalink(channel=DAILY, message_ts=reply)["permalink"]
    assert link.endswith(f"/archives/{DAILY}/p{reply.replace('.', '')}?thread_ts={parent}&cid={DAILY}")


# --- what hangs on a channel


def test_a_bookmark_that_somebody_removed_is_not_found_again(slack: SlackStandIn, client: WebClient) -> None:
    mark = client.bookmarks_add(channel_id=DAILY, title="Graph", type="link", link="https://g.example.com")
    slack.remove_bookmark("alice", DAILY, "Graph")
    assert client.bookmarks_list(channel_id=DAILY)["bookmarks"] == []
    gone = {"channel_id": DAILY, "bookmark_id": mark["bookmark"]["id"]}
    assert refused(lambda: client.bookmarks_edit(**gone, title="Graphs"))["error"] == "not_found"


def test_a_canvas_is_edited_section_by_section(slack: SlackStandIn, client: WebClient) -> None:
    def content(markdown: str) -> dict[str, str]:
        return {"type": "markdown", "markdown": markdown}

    def section(**criteria: Any) -> str:
        found = client.canvases_sections_lookup(canvas_id=canvas, criteria=criteria)["sections"]
        return str(found[0]["id"])

    def change(operation: str, **fields: Any) -> None:
        client.canvases_edit(canvas_id=canvas, changes=[{"operation": operation, **fields}])

    whole = content("# Postmortem\nDraft.\n\n## Causes\n\nUnknown.\n\n## Actions\n- none")
    canvas = client.conversations_canvases_create(channel_id=DAILY, document_content=whole)["canvas_id"]
    headings = client.canvases_sections_lookup(canvas_id=canvas, criteria={"section_types": ["any_header"]})
    assert len(headings["sections"]) == 3
    change("replace", section_id=section(contains_text="Unknown"), document_content=content("A full disk."))
    causes = section(section_types=["h2"], contains_text="Causes")
    change("insert_before", section_id=causes, document_content=content("## Impact\n\n3 %"))
    change("insert_after", section_id=causes, document_content=content("In short:"))
    change("delete", section_id=section(contains_text="- none"))
    change("insert_at_end", document_content=content("Nobody yet."))
    change("rename", title_content=content("INC-1"))
    kept = slack.workspace.canvases[canvas]
    assert kept.title == "INC-1"
    assert kept.markdown == (
        "# Postmortem\n\nDraft.\n\n## Impact\n\n3 %\n\n## Causes\n\nIn short:\n\nA full disk.\n\n## Actions\n\nNobody yet."
    )
    client.canvases_delete(canvas_id=canvas)
    assert slack.workspace.channel(DAILY).canvas_id is None
