"""The verbs of an incident through Slack: buttons, windows, mentions, and the answers that only the actor sees."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.records import Records
from commands.model import Place
from commands.response.events import Kind, draft
from commands.response.incident import Incident, Role
from sandbox.redis_server import RedisServer
from tests.build import ALICE, BOB
from tests.edges.test_care import posted
from tests.edges.test_casebook import SITE, sent_all
from tests.edges.test_intake import House, opened


@pytest.fixture(scope="module")
def running(redis_server: RedisServer) -> Iterator[House]:
    with opened(redis_server) as built:
        yield built


@pytest.fixture
def house(running: House) -> House:
    return running.emptied()


def records(house: House) -> Records:
    return Records(house.state, SITE)


def open_one(house: House) -> Incident:
    (made,) = records(house).open_incidents()
    return made


def told(house: House, who: str) -> dict[str, Any]:
    sent_all(house.state, house.slack)
    message: dict[str, Any] = house.slack.ephemerals(who)[-1]
    return message


def values(message: dict[str, Any]) -> list[str]:
    elements = (e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"])
    return [element["value"] for element in elements]


def declared(house: House, line: str = "incident declare sev3 checkout is slow") -> Incident:
    delivery = house.slack.command("alice", "#sre-daily", line)
    assert "is declared" in delivery.body["text"]
    return open_one(house)


def test_a_line_is_answered_to_its_typist_with_what_to_do_next(house: House) -> None:
    delivery = house.slack.command("alice", "#sre-daily", "incident declare sev3 checkout is slow")
    made = open_one(house)
    assert delivery.body["response_type"] == "ephemeral"
    assert delivery.body["text"].startswith(f"{made.id} is declared: Sev3")
    assert f"incident assign ic me --incident {made.id}" in values(delivery.body)


def test_the_button_of_a_critical_alert_leads_through_the_window_to_the_incident(house: House) -> None:
    id, ts = posted(house)
    assert house.slack.press("bob", "#sre-alerts", ts, "submit:0").status == 200
    view = house.slack.views("bob")[-1]
    assert view["title"]["text"] == "Declare an incident"
    assert house.slack.submit_view("bob", view["id"], {"title": "checkout is down"}).body == {}
    made = open_one(house)
    assert (made.title, made.severity, made.by) == ("checkout is down", 2, BOB.user)
    assert [link.group for link in made.alerts] == [id]
    answer = told(house, "bob")
    assert f"{made.id} is declared" in answer["text"]
    assert not answer.get("thread_ts")  # where the button was pressed, and no thread is open


def test_the_second_who_submits_is_in_the_first_ones_incident(house: House) -> None:
    _, ts = posted(house)
    for who in ("bob", "alice"):
        house.slack.press(who, "#sre-alerts", ts, "submit:0")
    for who in ("bob", "alice"):
        view = house.slack.views(who)[-1]
        assert house.slack.submit_view(who, view["id"], {"title": f"seen by {who}"}).body == {}
    made = open_one(house)
    assert made.title == "seen by bob" and made.people == (ALICE.user,)
    answer = told(house, "alice")
    assert "about this alert already" in answer["text"] and f"incident brief {made.id}" in values(answer)


def test_a_window_that_looks_like_an_open_one_closes_and_offers_both_ways(house: House) -> None:
    made = declared(house, "incident declare sev2 checkout is slow --thread")
    house.slack.command("bob", "#sre-daily", "incident declare")
    view = house.slack.views("bob")[-1]
    sent = house.slack.submit_view("bob", view["id"], {"title": "Checkout is slow", "severity": "1"})
    assert sent.body == {}
    answer = told(house, "bob")
    assert f"{made.id} is open already" in answer["text"]
    join, anyway = values(answer)
    assert join == f"incident join {made.id}" and "--anyway" in anyway
    assert house.slack.command("bob", "#sre-daily", anyway).status == 200
    assert len(records(house).open_incidents()) == 2


def test_what_is_wrong_stays_in_the_window_under_its_field(house: House) -> None:
    declared(house)
    id = open_one(house).id
    house.slack.command("bob", "#sre-daily", f"incident set started --incident {id}")
    view = house.slack.views("bob")[-1]
    sent = house.slack.submit_view("bob", view["id"], {"rest": "soon"})
    assert sent.body["response_action"] == "errors" and "`soon` is no time" in sent.body["errors"]["rest"]


def test_a_mention_in_its_thread_is_answered_in_private(house: House) -> None:
    id, ts = posted(house)
    house.slack.mention("bob", "#sre-alerts", "incident declare sev3 slow", thread_ts=ts)
    made = open_one(house)
    assert made.room.thread == "" and made.alert == f"alert:{id} 1:card"
    house.slack.mention("bob", "#sre-alerts", "incident ack", thread_ts=ts)
    answer = told(house, "bob")
    assert f"You are on {made.id}" in answer["text"] and "What is known" in str(answer["blocks"])
    assert open_one(house).people == (BOB.user,)


def test_away_from_its_room_one_press_does_it_there(house: House) -> None:
    made = declared(house, "incident declare sev1 checkout is down")
    delivery = house.slack.command("bob", "#sre-daily", "incident ack")
    (offer,) = values(delivery.body)
    assert offer == f"incident ack --incident {made.id}"
    assert "You are on" in house.slack.command("bob", "#sre-daily", offer).body["text"]
    assert open_one(house).holder(Role.IC) == ""


def test_what_people_write_calls_nobody(house: House) -> None:
    made = declared(house)
    place = Place("#sre-daily")
    room = draft(Kind.ROOM, "told here", channel=place.channel)
    records(house).append(made.id, lambda _: [room])
    house.slack.command("bob", "#sre-daily", f"incident note --incident {made.id}")
    view = house.slack.views("bob")[-1]
    house.slack.submit_view("bob", view["id"], {"rest": "<!channel> <@U0ALICE0001> wake up"})
    sent_all(house.state, house.slack)
    said = [m["text"] for m in house.slack.messages("#sre-daily") if "wake up" in m["text"]]
    assert said and all("&lt;!channel&gt; &lt;@U0ALICE0001&gt; wake up" in each for each in said)


def test_a_line_too_long_for_a_window_is_answered_with_what_to_type(house: House) -> None:
    quotes = '"' * 1800  # each is two characters where the window carries it
    delivery = house.slack.command("alice", "#sre-daily", f"incident declare --service '{quotes}'")
    assert delivery.status == 200 and "Nothing was done." in delivery.body["text"]
