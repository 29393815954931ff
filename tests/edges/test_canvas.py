"""The postmortem as the canvas of an incident's channel, on the Slack stand-in: written, anew with every draft, or not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from test_rooms import ID, NAME, add, called, client, declare, deliver, incident, new_courier

from bot.courier import Courier
from bot.state import State
from commands.response.events import Kind, draft
from sandbox.slack import SlackStandIn
from sandbox.slack.installed import SCOPES

TEXT = "# Postmortem: checkout\n\n## Lessons\n\n<!-- lessons: written by people -->\n{}\n<!-- end of lessons -->\n"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


@pytest.fixture
def courier(state: State, slack: SlackStandIn) -> Courier:
    return new_courier(state, slack)


def drafted(state: State, lessons: str, version: str = "1") -> None:
    """A draft that is kept, as the engine keeps one."""
    name = f"F{version}:postmortem:0"
    state.change().keep_file(name, TEXT.format(lessons).encode()).commit()
    told = draft(Kind.REPORT, "drafted", step="drafted", seq="2", stored=name, sha256=version * 64)
    add(state, replace(told, key=f"drafted {version}"))


def canvas(slack: SlackStandIn) -> str:
    """What stands in the canvas of the channel, "" without one."""
    id = called(slack).canvas_id
    return slack.workspace.canvases[id].markdown if id else ""


def test_a_draft_is_written_as_the_canvas_and_anew_in_place(
    state: State, slack: SlackStandIn, courier: Courier
) -> None:
    declare(state)
    drafted(state, "limit pools, never hunter2")
    deliver(lambda: courier, state)
    first = called(slack).canvas_id
    text = canvas(slack)
    assert "limit pools" in text and "hunter2" not in text and "<!--" not in text
    assert "incident postmortem --lessons" in text
    drafted(state, "limit queues, too", "2")
    deliver(lambda: courier, state)
    assert called(slack).canvas_id == first and "limit queues" in canvas(slack)
    assert "limit pools" not in canvas(slack)
    assert len(slack.calls("conversations.canvases.create")) == len(slack.calls("canvases.edit")) == 1


def test_without_a_draft_there_is_none(state: State, slack: SlackStandIn, courier: Courier) -> None:
    declare(state)
    deliver(lambda: courier, state)
    assert canvas(slack) == "" and slack.calls("conversations.canvases.create") == []


def test_a_missing_scope_is_said_once_and_stops_nothing(state: State) -> None:
    with SlackStandIn(rate_limits="off", scopes=SCOPES - {"canvases:write"}) as slack:
        courier = new_courier(state, slack)
        declare(state)
        drafted(state, "limit pools")
        deliver(lambda: courier, state)
        drafted(state, "limit queues", "2")
        deliver(lambda: courier, state)
        what = "may not write the postmortem as a canvas: scope canvases:write is missing"
        assert incident(state).scopes == (what,)
        assert called(slack).topic and canvas(slack) == ""


def test_a_canvas_that_people_made_is_left_alone(state: State, slack: SlackStandIn, courier: Courier) -> None:
    declare(state)
    deliver(lambda: courier, state)
    theirs = {"type": "markdown", "markdown": "our own notes"}
    body = {"channel_id": called(slack).id, "document_content": theirs}
    client(slack).api_call("conversations.canvases.create", json=body)
    drafted(state, "limit pools")
    deliver(lambda: courier, state)
    assert canvas(slack) == "our own notes"
    assert incident(state).scopes == (
        "may not write the postmortem as a canvas: channel canvas already exists",
    )
    assert called(slack).name == NAME and incident(state).id == ID
