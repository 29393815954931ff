"""The channel of an incident on the Slack stand-in: made once, furnished, kept in order, whatever goes wrong."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from slack_sdk import WebClient
from test_courier import MS, QUICK

from bot.courier import Courier, Pace
from bot.outbox import Outbox, Sent
from bot.records import Records
from bot.rooms import remind
from bot.state import State, connect
from commands.ledger import Draft
from commands.model import SCHEDULER, Place
from commands.model import State as Standing
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.site import ClusterSite, OnCall, Roles, Site, Urls
from commands.site import Incident as IncidentSite
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import ALICE, BOB, BOT_USER_ID, CAROL
from sandbox.slack.installed import SCOPES
from tests import build

ID = "INC-2026-11-23-001"
DAVE = "U0DAVE00001"
NAME = "inc-20261123-001-checkout-is-down"
INCIDENTS, SECURITY, ALERTS = "#incidents", "#sre-security", "#sre-alerts"
# A look is due once and not again while a test runs; those that are about looking have their own.
PACE = replace(QUICK, root=5 * MS, look=timedelta(hours=1))
LOOKING = replace(PACE, look=300 * MS)
URLS = Urls(grafana="https://grafana.example", runbooks="https://runbooks.example")
SITE = Site(
    clusters={"training": ClusterSite(name="training", urls=URLS)},
    roles=Roles(oncall=OnCall((BOB.id, CAROL.id)), security=(CAROL.id,)),
)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


def client(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])


def new_courier(state: State, slack: SlackStandIn, site: Site = SITE, pace: Pace = PACE) -> Courier:
    return Courier(state, client(slack), _redact, pace, fallback=(ALERTS, INCIDENTS), site=site)


def _redact(text: str) -> str:
    return text.replace("hunter2", "[redacted]")


@pytest.fixture
def courier(state: State, slack: SlackStandIn) -> Courier:
    return new_courier(state, slack)


def records(state: State) -> Records:
    return Records(state, SITE, lambda: build.NOW)


def declare(state: State, *more: Draft, id: str = ID, **facts: str) -> Incident:
    told = {"title": "checkout is down", "severity": "1", "cluster": "training", "channel": "yes", **facts}
    first = replace(draft(Kind.DECLARED, "declared", **told), by=ALICE.id)
    change = state.change()
    opened = records(state).open(change, id, (first, *more), records(state).register())
    change.commit()
    return opened


def add(state: State, *drafts: Draft, id: str = ID) -> Incident:
    done = records(state).append(id, lambda _: drafts)
    assert done
    return done


def incident(state: State, id: str = ID) -> Incident:
    stored = records(state).incident(id)
    assert stored
    return stored.record


def deliver(couriers: Callable[[], Courier], state: State, until: Callable[[], object] | None = None) -> None:
    """Work the outbox off until it is empty, or `until` holds; each step by another courier, if that is what is
    given."""
    deadline = time.monotonic() + 60
    while state.depths()["outbox"] and not (until and until()):
        assert time.monotonic() < deadline, "the outbox does not empty"
        if not couriers().step():
            Outbox(state).wait_for_mail(5 * MS)


def told(slack: SlackStandIn, channel: str) -> list[dict[str, Any]]:
    """What the bot said there, without Slack's own lines."""
    return [m for m in slack.messages(channel) if m.get("bot_id") and not m.get("subtype")]


def called(slack: SlackStandIn, name: str = NAME) -> Any:
    """The channel of that name, as the workspace has it."""
    return next((c for c in slack.workspace.channels.values() if c.name == name), None)


def own_rooms(slack: SlackStandIn) -> list[Any]:
    return [c for c in slack.workspace.channels.values() if c.creator == BOT_USER_ID and c.kind != "im"]


def scopes(incident: Incident) -> str:
    return "; ".join(incident.scopes)


# --- made and furnished ---------------------------------------------------------------------------


def test_a_declared_incident_gets_its_channel_card_people_pin_topic_links_and_an_announcement(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    room, (card,) = called(slack), told(slack, NAME)
    assert incident(state).room == replace(incident(state).room, channel=room.id, name=NAME, is_own=True)
    assert "Sev1" in card["text"] and "checkout is down" in card["text"]
    assert set(room.members) == {BOT_USER_ID, ALICE.id, BOB.id, CAROL.id}
    assert [pin.ts for pin in room.pins] == [card["ts"]]
    assert room.topic == f"🔴 Sev1 · declared · no commander yet · checkout is down · {ID}"
    assert ID in room.purpose
    assert {mark.link for mark in room.bookmarks} == {URLS.grafana, URLS.runbooks}
    (announced,) = told(slack, INCIDENTS)
    assert f"<#{room.id}>" in str(announced["blocks"]) and "🔴 Sev1" in announced["text"]


def test_a_hundred_changes_are_still_one_card_one_pin_and_one_announcement(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    for number in range(100):
        add(state, draft(Kind.FIELD, "impact", name="impact", value=f"{number} % of orders fail"))
        courier.step()
    deliver(lambda: courier, state)
    (card,) = told(slack, NAME)
    assert "99 % of orders fail" in str(card["blocks"])
    assert len(called(slack).pins) == 1 and len(told(slack, INCIDENTS)) == 1


def test_the_topic_follows_status_severity_and_commander(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    add(
        state,
        draft(Kind.SEVERITY, "worse", to="2"),
        draft(Kind.STATUS, "found", to="identified"),
        draft(Kind.ACCEPTED, "leads", role="ic", user=BOB.id),
    )
    deliver(lambda: courier, state)
    assert called(slack).topic.startswith(f"🟠 Sev2 · identified · commander <@{BOB.id}>")
    assert "🟠 Sev2" in told(slack, INCIDENTS)[0]["text"]


def test_who_gets_a_role_is_invited_and_who_left_is_not_fetched_back(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    slack.leave("carol", NAME)
    slack.workspace.users[DAVE].is_restricted = False
    add(state, draft(Kind.OFFERED, "asked", role="ops", user=DAVE))
    deliver(lambda: courier, state)
    members = called(slack).members
    assert DAVE in members and CAROL.id not in members


@pytest.mark.parametrize("private", ["", "yes"])
def test_who_says_elsewhere_that_they_join_is_invited_unless_it_is_private(
    state: State, slack: SlackStandIn, courier: Courier, private: str
) -> None:
    declare(state, private=private)
    deliver(lambda: courier, state)
    add(state, draft(Kind.JOINED, "joined", user=DAVE))
    deliver(lambda: courier, state)
    (room,) = own_rooms(slack)
    assert (DAVE in room.members) is not bool(private)


def test_somebody_who_cannot_be_invited_keeps_nobody_out(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, draft(Kind.OFFERED, "asked", role="ops", user="U0EVE000001"))
    deliver(lambda: courier, state)
    assert BOB.id in called(slack).members
    assert len(slack.calls("conversations.invite")) == 1 and not incident(state).scopes


def test_secrets_and_mentions_reach_neither_name_nor_topic_nor_card(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, title="<!channel> password hunter2 <@U0BOB000001>")
    deliver(lambda: courier, state)
    (room,) = own_rooms(slack)
    seen = f"{room.name} {room.topic} {room.purpose} {told(slack, room.name)} {told(slack, INCIDENTS)}"
    assert "hunter2" not in seen and "<!channel>" not in seen and "<@U0BOB000001>" not in seen
    assert "&lt;!channel&gt;" in room.topic


# --- what is lost on the way ----------------------------------------------------------------------

CALLS = (
    "conversations.create", "chat.postMessage", "conversations.invite", "pins.add", "conversations.setTopic",
    "conversations.setPurpose", "bookmarks.list", "bookmarks.add",
)  # fmt: skip


def whole(state: State, slack: SlackStandIn) -> None:
    """One channel with one card, one pin and each link once; one announcement; the record knows it."""
    (room,) = own_rooms(slack)
    assert incident(state).room.channel == room.id
    assert len(told(slack, room.name)) == len(room.pins) == len(told(slack, INCIDENTS)) == 1
    assert len(room.bookmarks) == 2 and BOB.id in room.members and room.topic and room.purpose
    assert not incident(state).scopes and Outbox(state).dead_letters() == ()


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "fatal_error", "status", "ratelimited"])
@pytest.mark.parametrize("method", CALLS)
def test_an_answer_that_is_lost_or_late_makes_nothing_twice(
    state: State, slack: SlackStandIn, courier: Courier, method: str, kind: Any
) -> None:
    slack.fault(method, kind, times=2, retry_after=0)
    declare(state)
    deliver(lambda: courier, state)
    whole(state, slack)


def test_a_courier_that_dies_after_every_step_is_followed_by_one_that_goes_on(
    state: State, slack: SlackStandIn
) -> None:
    declare(state)
    deliver(lambda: new_courier(state, slack), state)
    whole(state, slack)


def test_a_courier_that_dies_between_slacks_answer_and_its_note_leaves_no_second_channel(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    """Its note of the attempt is all there is; the channel is there, and nobody wrote down whose."""
    declare(state)
    Outbox(state).note_sent(f"incident:{ID}", "room", Sent(channel=NAME, trying=time.time()))
    client(slack).conversations_create(name=NAME)
    deliver(lambda: courier, state)
    whole(state, slack)


def test_two_couriers_at_once_make_one_channel_one_card_one_pin(
    slack: SlackStandIn, state: State, redis_server: RedisServer
) -> None:
    declare(state)

    def run() -> None:
        own = State(connect(redis_server.url, patient=True))
        courier = new_courier(own, slack)
        deliver(lambda: courier, own)

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole(state, slack)


def test_while_slack_is_away_the_record_goes_on_and_the_channel_is_made_later(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("*", "down", times=None)
    declare(state)
    for _ in range(5):
        courier.step()
        add(state, draft(Kind.NOTE, "we look at the database"))
    assert own_rooms(slack) == [] and incident(state).head.seq > 5
    slack.clear_faults()
    deliver(lambda: courier, state)
    whole(state, slack)


def test_a_limit_on_one_method_holds_up_neither_the_card_nor_the_rest(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("pins.add", "ratelimited", times=1, retry_after=3600)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    add(state, draft(Kind.FIELD, "impact", name="impact", value="nobody can pay"))
    deliver(lambda: courier, state, until=lambda: "nobody can pay" in str(told(slack, NAME)[0]["blocks"]))
    assert called(slack).topic and called(slack).bookmarks and not called(slack).pins


def test_of_many_changes_while_edits_are_limited_the_newest_is_shown(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    slack.fault("chat.update", "ratelimited", times=5, retry_after=0)
    for number in range(30):
        add(state, draft(Kind.FIELD, "impact", name="impact", value=f"{number} % of orders fail"))
        courier.step()
    deliver(lambda: courier, state)
    (card,) = told(slack, NAME)
    assert "29 % of orders fail" in str(card["blocks"])


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_archived", [True, False])
def test_a_name_that_somebody_else_has_gets_a_number(
    state: State, slack: SlackStandIn, courier: Courier, is_archived: bool
) -> None:
    slack.open_channel("alice", NAME)
    if is_archived:
        slack.archive("alice", NAME)
    declare(state)
    deliver(lambda: courier, state)
    assert incident(state).room.name == f"{NAME}-2" and len(told(slack, f"{NAME}-2")) == 1
    names = [call for call in slack.calls("conversations.list") if not call.args.get("exclude_archived")]
    assert names == [], "a large workspace has many pages of channels"


def test_the_channel_of_another_incident_is_never_taken_for_ones_own(
    state: State, slack: SlackStandIn
) -> None:
    """Where the template of names lets two have the same."""
    site = replace(SITE, incident=IncidentSite(channel_name="inc-{slug}"))
    courier = new_courier(state, slack, site)
    for id in (ID, "INC-2026-11-23-002"):
        slack.fault("conversations.create", "drop_after")
        declare(state, id=id)
        deliver(lambda: courier, state)
    assert incident(state).room.name == "inc-checkout-is-down"
    assert incident(state, "INC-2026-11-23-002").room.name == "inc-checkout-is-down-2"


def test_where_slack_takes_ascii_alone_the_name_is_plain(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, title="決済 API が落ちた")
    deliver(lambda: courier, state)
    assert incident(state).room.name == "inc-20261123-001-api"


def test_a_channel_that_people_rename_stays_the_incidents_and_goes_by_its_new_name(
    state: State, slack: SlackStandIn
) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    room = called(slack).id
    slack.rename_channel("alice", NAME, "the-checkout-thing")
    look(courier, state, lambda: incident(state).room.name == "the-checkout-thing")
    assert incident(state).room.channel == room and incident(state).room.is_own
    assert records(state).in_room(room) == ID


def look(courier: Courier, state: State, until: Callable[[], object]) -> None:
    """As the bot does it every few seconds."""
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline, "nobody looked"
        remind(state, SITE)
        courier.step()


# --- what people take away ------------------------------------------------------------------------


def test_a_bookmark_and_a_pin_that_somebody_takes_away_are_put_back(
    state: State, slack: SlackStandIn
) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    room, (card,) = called(slack), told(slack, NAME)
    look(courier, state, lambda: len(room.bookmarks) == 2)
    slack.remove_bookmark("alice", NAME, "Grafana")
    slack.workspace.channels[room.id].pins.clear()
    look(courier, state, lambda: len(room.bookmarks) == 2 and room.pins)
    assert [pin.ts for pin in room.pins] == [card["ts"]]


def test_a_topic_that_people_write_stays_until_ours_changes(state: State, slack: SlackStandIn) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: called(slack) and called(slack).purpose)
    slack.set_topic("alice", NAME, "call: https://meet.example/x")
    for _ in range(20):
        remind(state, SITE)
        courier.step()
    assert called(slack).topic == "call: https://meet.example/x"
    add(state, draft(Kind.STATUS, "found", to="identified"))
    look(courier, state, lambda: "identified" in called(slack).topic)


def test_one_whose_channel_was_archived_goes_on_in_the_channel_of_all_and_says_why(
    state: State, slack: SlackStandIn
) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    slack.archive("alice", NAME)
    look(courier, state, lambda: not incident(state).room.is_own)
    deliver(lambda: courier, state)
    assert called(slack).is_archived, "what people archived is not opened again"
    cards = [m for m in told(slack, INCIDENTS) if "was archived" in str(m["blocks"])]
    assert len(cards) == 1 and f"#{NAME} was archived" in incident(state).room.lost


def test_of_one_from_whose_channel_the_bot_was_removed_the_same(state: State, slack: SlackStandIn) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    slack.remove("alice", NAME, "sre_bot")
    add(state, draft(Kind.FIELD, "impact", name="impact", value="nobody can pay"))
    look(courier, state, lambda: not incident(state).room.is_own)
    assert "removed" in incident(state).room.lost


# --- what Slack does not allow --------------------------------------------------------------------


def without(*missing: str) -> SlackStandIn:
    return SlackStandIn(rate_limits="off", scopes=SCOPES - set(missing))


def test_without_the_right_to_make_channels_it_is_told_in_a_thread_of_the_channel_of_all(
    state: State,
) -> None:
    with without("channels:manage") as slack:
        courier = new_courier(state, slack)
        declare(state, replace(draft(Kind.NOTE, "we look"), is_told=True))
        deliver(lambda: courier, state)
        roots = [m for m in told(slack, INCIDENTS) if m.get("thread_ts", m["ts"]) == m["ts"]]
        assert len(roots) == 1 and own_rooms(slack) == []
        assert "may not create channels: scope channels:manage is missing" in str(roots[0]["blocks"])
        assert [m["text"] for m in slack.thread(INCIDENTS, roots[0]["ts"])[1:]] == ["we look"]
        assert scopes(incident(state)) == "may not create channels: scope channels:manage is missing"
        assert len(slack.calls("conversations.create")) == 1


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ("pins:write", "may not pin its card: scope pins:write is missing"),
        ("bookmarks:write", "may not put its links over its channel: scope bookmarks:write is missing"),
        ("bookmarks:read", "may not put its links over its channel: scope bookmarks:read is missing"),
    ],
)
def test_a_scope_that_is_missing_is_said_once_and_stops_nothing_else(
    state: State, scope: str, what: str
) -> None:
    with without(scope) as slack:
        courier = new_courier(state, slack)
        declare(state)
        deliver(lambda: courier, state)
        for number in range(3):
            add(state, draft(Kind.FIELD, "impact", name="impact", value=f"{number} % of orders fail"))
            deliver(lambda: courier, state)
        (card,) = told(slack, NAME)
        assert str(card["blocks"]).count(what) == 1 and incident(state).scopes == (what,)
        assert called(slack).topic and BOB.id in called(slack).members


def test_with_a_token_that_is_no_good_everything_waits_and_nothing_is_lost(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    slack.fault("conversations.create", "error", times=3, error="invalid_auth")
    declare(state)
    deliver(lambda: courier, state)
    whole(state, slack)


# --- private --------------------------------------------------------------------------------------


def test_a_security_incident_is_private_and_announced_nowhere(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, security="yes", private="yes", title="a token leaked")
    deliver(lambda: courier, state)
    (room,) = own_rooms(slack)
    assert room.is_private and set(room.members) == {BOT_USER_ID, ALICE.id, CAROL.id}
    assert told(slack, INCIDENTS) == [] and len(told(slack, room.id)) == 1


def test_a_private_one_that_may_have_no_channel_is_told_in_that_of_security(state: State) -> None:
    with without("groups:write") as slack:
        courier = new_courier(state, slack)
        declare(state, private="yes", title="a token leaked", severity="3", channel="")
        deliver(lambda: courier, state)
        assert told(slack, INCIDENTS) == [] and len(told(slack, SECURITY)) == 1


def test_one_that_becomes_private_takes_its_announcement_back(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    add(state, draft(Kind.FIELD, "private", name="private", value="yes"))
    deliver(lambda: courier, state)
    (announced,) = told(slack, INCIDENTS)
    assert announced["text"] == f"🔒 {ID} is private." and "checkout" not in str(announced)


def test_one_that_becomes_private_says_that_its_channel_is_not(state: State, slack: SlackStandIn) -> None:
    courier = new_courier(state, slack, pace=LOOKING)
    declare(state)
    deliver(lambda: courier, state, until=lambda: len(told(slack, INCIDENTS)))
    add(state, draft(Kind.FIELD, "private", name="private", value="yes"))
    look(courier, state, lambda: incident(state).scopes)
    look(courier, state, lambda: "everybody can read it" in str(told(slack, NAME)[0]["blocks"]))
    assert len(incident(state).scopes) == 1


# --- in a thread ----------------------------------------------------------------------------------


def place(channel: str, thread: str = "") -> Draft:
    return draft(Kind.ROOM, "told there", channel=channel, thread=thread)


def line(text: str) -> Draft:
    return replace(draft(Kind.NOTE, text), is_told=True)


def test_one_of_an_alert_lives_in_its_thread_and_promoted_it_gets_a_channel_and_leaves_a_link(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    state.change().put(build.group(id="ATEST"), was="").show(build.group(id="ATEST")).commit()
    declare(state, place(ALERTS), line("first"), channel="", alert="alert:ATEST 1:card", severity="3")
    deliver(lambda: courier, state)
    (root,) = [m for m in told(slack, ALERTS) if m.get("thread_ts", m["ts"]) == m["ts"]]
    assert [m["text"] for m in slack.thread(ALERTS, root["ts"])[1:]] == [incident_text(slack), "first"]
    add(state, draft(Kind.FIELD, "a channel", name="channel", value="yes"), line("second"))
    deliver(lambda: courier, state)
    room = called(slack)
    assert [m["text"] for m in told(slack, NAME)][1:] == ["second"]
    left = slack.thread(ALERTS, root["ts"])[1:]
    assert len(left) == 2 and f"<#{room.id}>" in str(left[0]["blocks"])
    assert len(room.pins) == 1 and incident(state).room.is_own


def incident_text(slack: SlackStandIn) -> str:
    return f"🟡 Sev3: checkout is down · declared · {ID}"


def test_declared_in_a_thread_it_is_told_there_and_commands_typed_there_mean_it(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    ts = slack.post_as("alice", INCIDENTS, "is checkout slow for you, too?").ts
    channel = slack.workspace.channel(INCIDENTS).id
    declare(state, place(channel, ts), line("first"), channel="", severity="3")
    deliver(lambda: courier, state)
    assert [m["text"] for m in slack.thread(INCIDENTS, ts)[1:]] == [incident_text(slack), "first"]
    assert records(state).in_room(channel, ts) == ID


def test_declared_in_a_channel_it_is_a_message_there_with_its_lines_in_its_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, place(slack.workspace.channel(ALERTS).id), line("first"), channel="", severity="3")
    deliver(lambda: courier, state)
    card = told(slack, ALERTS)[0]
    assert [m["text"] for m in slack.thread(ALERTS, card["ts"])] == [incident_text(slack), "first"]


def test_declared_where_the_bot_is_not_it_is_told_in_the_channel_of_all(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    channel = slack.open_channel("alice", "alices-own")
    declare(state, place(channel), channel="", severity="3")
    deliver(lambda: courier, state)
    assert [m["text"] for m in told(slack, INCIDENTS)] == [incident_text(slack)]
    assert incident(state).room.lost and Outbox(state).dead_letters() == ()


def asked(state: State, channel: str) -> None:
    """What the bot asks for by itself because of it."""
    made = build.request(
        "FTEST0001", text="debug layers", actor=SCHEDULER, place=Place(channel, under=f"incident:{ID} card"),
        sections=(build.section("users"),), state=Standing.ANSWERED,
    )  # fmt: skip
    state.change().put(made, was="").show(made).commit()


def test_what_follows_from_it_waits_for_its_card_and_stands_in_its_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    asked(state, ID)
    declare(state)
    deliver(lambda: courier, state)
    card = told(slack, NAME)[0]
    assert "checkout" in card["text"] and len(slack.thread(NAME, card["ts"])) == 2


def test_what_follows_from_one_in_a_thread_stands_in_that_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    ts = slack.post_as("alice", INCIDENTS, "is checkout slow for you, too?").ts
    channel = slack.workspace.channel(INCIDENTS).id
    declare(state, place(channel, ts), channel="", severity="3")
    asked(state, channel)
    deliver(lambda: courier, state)
    assert len(slack.thread(INCIDENTS, ts)) == 3


def test_what_follows_from_a_private_one_is_told_nowhere_else(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state, private="yes")
    deliver(lambda: courier, state)
    room = incident(state).room.channel
    slack.fault("chat.postMessage", "error", times=1, error="channel_not_found")
    asked(state, room)
    deliver(lambda: courier, state)
    assert told(slack, ALERTS) == told(slack, INCIDENTS) == [] and len(told(slack, room)) == 2


# --- when it is over ------------------------------------------------------------------------------


@pytest.mark.parametrize("archives", [True, False])
def test_the_channel_of_a_closed_one_is_archived_where_the_site_wants_it(
    state: State, slack: SlackStandIn, archives: bool
) -> None:
    courier = new_courier(state, slack, replace(SITE, incident=IncidentSite(archive=archives)))
    declare(state)
    deliver(lambda: courier, state)
    add(state, draft(Kind.STATUS, "closed", to="closed"))
    deliver(lambda: courier, state)
    add(state, draft(Kind.TASK, "an action", id="T1"))
    deliver(lambda: courier, state)
    assert called(slack).is_archived is archives
    assert "closed" in told(slack, NAME)[0]["text"] and "closed" in told(slack, INCIDENTS)[0]["text"]
    assert Outbox(state).dead_letters() == ()


def test_numbers_of_calls_do_not_grow_while_nothing_changes(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    deliver(lambda: courier, state)
    before = len(slack.calls())
    for _ in itertools.repeat(None, 5):
        remind(state, SITE)
        deliver(lambda: courier, state)
    assert len(slack.calls()) == before


def test_a_private_one_without_any_channel_is_told_to_who_declared_it(state: State) -> None:
    with without("groups:write") as slack:
        site = replace(SITE, channels=replace(SITE.channels, security=""))
        courier = new_courier(state, slack, site)
        declare(state, private="yes", title="a token leaked")
        deliver(lambda: courier, state)
        assert "a token leaked" in slack.messages(slack.direct_message("alice"))[-1]["text"]
        assert told(slack, INCIDENTS) == []
