"""Tasks in Slack, against the stand-in: told where they were asked for, under their incident, or to their owner alone."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient
from test_courier import DAILY, QUICK, deliver, show, texts, thread

from bot.courier import Courier
from bot.state import State
from commands.ledger import START, Draft, sealed
from commands.response import taskfold
from commands.response.task import Kind, Task, draft
from sandbox.slack import SlackStandIn
from tests.build import ALICE, BOB, NOW, incident


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def courier(state: State, slack_client: WebClient) -> Courier:
    return Courier(state, slack_client, str, QUICK)


def opened(channel: str = DAILY, *drafts: Draft, **facts: Any) -> Task:
    said: dict[str, Any] = {
        "title": "limit every pool",
        "owner": BOB.user,
        "due": "2026-12-01",
        "channel": channel,
        **facts,
    }
    made = None
    for each in (draft(Kind.OPENED, "opened", ALICE.user, **said), *drafts):
        made = grown(made, each)
    assert made is not None
    return made


def grown(made: Task | None, *drafts: Draft) -> Task:
    for each in drafts:
        (event,) = sealed([each], made.head if made else START, NOW, ["salt"])
        made = taskfold.after(made, event) if made else taskfold.begun("TSK-2026-11-23-001", event)
    assert made is not None
    return made


def alone(slack: SlackStandIn, user: str) -> list[str]:
    """What stands in somebody's direct messages, without replies."""
    with slack.workspace.changed:
        ims = [c.id for c in slack.workspace.channels.values() if c.kind == "im" and user in c.members]
    return [text for im in ims for text in texts(slack, im)]


REMIND = draft(Kind.REMINDED, "⏰ due today: limit every pool", is_told=True, mention=BOB.user)


def test_a_task_is_one_card_and_its_reminders_call_its_owner_in_the_thread(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, opened())
    deliver(courier, state)
    show(state, opened(DAILY, REMIND, draft(Kind.DONE, "done", BOB.user)), was="1")
    deliver(courier, state)
    assert texts(slack) == ["✅ limit every pool · due 2026-12-01"]
    assert thread(slack) == [f"<@{BOB.user}> ⏰ due today: limit every pool"]


def test_an_action_stands_in_the_thread_of_the_card_of_its_incident(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    of = incident()
    show(state, replace(of, room=replace(of.room, channel=DAILY)))
    deliver(courier, state)
    show(state, opened("", REMIND, incident=of.id))
    deliver(courier, state)
    replies = [each for each in thread(slack) if "limit every pool" in each]
    assert replies == ["☐ limit every pool · due 2026-12-01", f"<@{BOB.user}> ⏰ due today: limit every pool"]


def test_a_task_of_a_direct_message_goes_to_its_owner_and_then_to_who_gets_it(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    first = opened("", REMIND)
    show(state, first)
    deliver(courier, state)
    given = draft(Kind.ASSIGNED, "yours now", ALICE.user, is_told=True, mention=ALICE.user, owner=ALICE.user)
    show(state, grown(first, given), was="1")
    deliver(courier, state)
    assert alone(slack, BOB.user) == [f"☐ limit every pool · now <@{ALICE.user}>'s"]
    assert alone(slack, ALICE.user) == ["☐ limit every pool · due 2026-12-01"]


def test_where_the_channel_is_gone_the_owner_is_told_alone(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    show(state, opened("C0NOWHERE99"))
    deliver(courier, state)
    assert alone(slack, BOB.user) == ["☐ limit every pool · due 2026-12-01"]
