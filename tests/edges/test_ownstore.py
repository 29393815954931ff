"""The bot's own store as a source: away it is a gap, and a wrong question to it a bug."""

import pytest

from bot.state import State, connect
from bot.taskrecords import TaskRecords
from commands.errors import Unreachable
from commands.reads import Nodes
from commands.responsereads import TasksOf
from commands.site import Site
from sandbox.process import free_ports
from workers.tasks import TasksSource


def test_a_store_that_is_away_is_told_as_any_other_source() -> None:
    away = State(connect(f"redis://127.0.0.1:{free_ports(1)[0]}", patient=False))
    with pytest.raises(Unreachable, match="the bot's own store does not answer") as told:
        TasksSource(TaskRecords(away, Site())).read(TasksOf("INC-2026-11-23-001"), 0.0)
    assert told.value.mend == "see /readyz"


def test_what_is_no_read_of_it_is_a_bug_and_no_silence(state: State) -> None:
    with pytest.raises(LookupError):
        TasksSource(TaskRecords(state, Site())).read(Nodes(), 0.0)
