"""Who may tell people outside of a change request: those it belongs to, and those who speak for the house."""

from datetime import timedelta

import pytest

from bot.access import Kind
from bot.state import State
from commands.model import Actor
from tests.build import TEAM
from tests.edges.change_desk import CAROL, LINE, Changes, refused


@pytest.fixture
def post(state: State) -> Changes:
    return Changes(state)


def test_not_everybody_tells_the_stakeholders_and_the_public(post: Changes) -> None:
    change = post.ask(LINE)
    erin = Actor("U0ERIN00001", TEAM)
    post.state.remember(f"kind-of-{erin.user}", Kind.MEMBER, timedelta(days=1))
    for line in ("", " --status-page"):
        assert "or holds the role `comms`" in refused(post, f"change notify {change.id}{line}", erin)
    assert post.type(f"change notify {change.id}", CAROL).accepted
