"""What comes twice, late or from somebody else: copies make one card, forgeries make none."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from sandbox.house import ALERT_TOKEN, House
from sandbox.slack.delivery import sign
from tests.build import audit_lines
from tests.stories.faults import ALERTS, PATIENCE, World, alert_body

NAMES = ("copies", "mention", "both")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(NAMES) as world:
        yield world


@pytest.fixture(scope="module")
def twin(world: World) -> Iterator[House]:
    """A second bot on the same Redis, as during a rollout or with two replicas."""
    first = world.slack.request_url
    with House(slack=world.slack, redis=world.redis, site=world.site(), worker_count=0) as twin:
        world.slack.request_url = first
        yield twin


def signed(world: World, body: bytes, *, secret: str = "", age: int = 0) -> dict[str, str]:
    stamp = str(int(time.time()) - age)
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": sign(secret or world.slack.signing_secret, stamp, body),
    }


def post_together(requests: list[tuple[str, bytes, dict[str, str]]]) -> list[httpx.Response]:
    """All at once, each from a thread of its own."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client, ThreadPoolExecutor(len(requests)) as pool:
        sent = [pool.submit(client.post, url, content=body, headers=head) for url, body, head in requests]
        return [each.result() for each in sent]


def command_body(name: str) -> bytes:
    """A slash command as Slack sends it."""
    form = {
        "user_id": "U0ALICE0001", "team_id": "T0EMULATED1", "command": "/sre", "trigger_id": f"trigger.{name}",
        "channel_id": f"C0PLACE{NAMES.index(name):04}", "text": f"health app --service {name}",
    }  # fmt: skip
    return urlencode(form).encode()


def told_id(answer: httpx.Response) -> str:
    text: str = answer.json()["text"]
    return text.partition("(")[2].partition(")")[0]


def assert_one_answer(world: World, name: str, answers: list[httpx.Response]) -> None:
    assert {answer.status_code for answer in answers} == {200}
    (world.ids[name],) = {told_id(answer) for answer in answers}
    world.wait_told(name, ("card", "section:app"))
    world.assert_told_once(name)


def assert_one_group(world: World, name: str, answers: list[httpx.Response]) -> None:
    assert {answer.status_code for answer in answers} == {200}
    world.wait_alert(name, "firing")
    world.alerted(name, "resolved")
    world.wait_resolved(name)
    world.assert_alert_told_once(name)


def test_five_copies_of_a_command_are_one_request(world: World) -> None:
    body = command_body("copies")
    copy = (f"{world.house.url}/slack/events", body, signed(world, body))
    assert_one_answer(world, "copies", post_together([copy] * 5))
    late = post_together([copy])
    assert told_id(late[0]) == world.ids["copies"]
    world.assert_told_once("copies")


@pytest.mark.parametrize(
    "forgery", [{"secret": "somebody-else's-secret"}, {"age": 400}, {"age": -400}], ids=str
)
def test_a_forged_or_stale_delivery_is_refused_and_does_nothing(
    world: World, forgery: dict[str, Any]
) -> None:
    body = command_body("copies").replace(b"trigger.", b"forged.")
    before = audit_lines(world.state)
    (answer,) = post_together([(f"{world.house.url}/slack/events", body, signed(world, body, **forgery))])
    assert answer.status_code == 401
    assert audit_lines(world.state) == before


def test_an_alert_with_a_wrong_token_is_refused_and_does_nothing(world: World) -> None:
    before = audit_lines(world.state)
    assert world.house.post_alerts(alert_body("forged"), token="guessed-0123456789")[0] == 401
    assert audit_lines(world.state) == before


def test_an_event_that_slack_repeats_is_one_request(world: World) -> None:
    delivery = world.slack.mention("alice", "#mention", "health app --service mention")
    assert delivery is not None and delivery.ok
    for attempt in (1, 2, 3):
        again = world.slack.courier.deliver("event", delivery.payload, attempt=attempt, reason="http_timeout")
        assert again.ok
    (line,) = [line for line in audit_lines(world.state) if line.get("channel") == "C0PLACE0001"]
    world.ids["mention"] = line["id"]
    world.wait_told("mention", ("card", "section:app"))
    world.assert_told_once("mention")


def alert_post(house: House, name: str, receiver: str) -> tuple[str, bytes, dict[str, str]]:
    """As one of two Alertmanagers tells it: the group and its alerts are the same, the rest need not be."""
    body = json.loads(alert_body(name)) | {"externalURL": f"http://{receiver}:9093", "groupKey": receiver}
    return f"{house.url}/alerts", json.dumps(body).encode(), {"authorization": f"Bearer {ALERT_TOKEN}"}


def test_twin_alertmanagers_make_one_card(world: World) -> None:
    posts = [alert_post(world.house, "twins", f"am-{number % 2}") for number in range(8)]
    assert_one_group(world, "twins", post_together(posts))


def test_two_bots_and_twin_alertmanagers_make_one_card(world: World, twin: House) -> None:
    posts = [alert_post((world.house, twin)[n % 2], "bots", f"am-{n // 2 % 2}") for n in range(8)]
    assert_one_group(world, "bots", post_together(posts))


def test_two_bots_and_copies_of_a_command_make_one_card(world: World, twin: House) -> None:
    body = command_body("both")
    copies = [(f"{house.url}/slack/events", body, signed(world, body)) for house in (world.house, twin) * 3]
    assert_one_answer(world, "both", post_together(copies))


def test_a_storm_over_two_bots_loses_and_doubles_nothing(world: World, twin: House) -> None:
    """Six groups, each told by both Alertmanagers to both bots, all at once."""
    names = [f"storm{number:02}" for number in range(6)]
    houses = (world.house, twin)
    posts = [alert_post(house, name, f"am-{n}") for name in names for n, house in enumerate(houses)]
    assert {answer.status_code for answer in post_together(posts)} == {200}
    for name in names:
        world.wait_alert(name, "firing")
        assert [key for key, _ in world.alert_messages(name)] == ["1:card"], world.slack.transcript(ALERTS)
