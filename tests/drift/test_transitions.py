"""The drawing of a request's states in README.md is the table that the code obeys."""

import re

import pytest

from commands.model import TRANSITIONS, State
from tests.drift.tree import ROOT


def drawing() -> str:
    """TRANSITIONS as the README shows it, one line per state in the order of the enumeration.

    An arrow back to the same state is a word of its own: it is how a record is saved on the way.
    """
    width = max(len(state) for state in State)
    return "\n".join(line(state, width) for state in State)


def line(state: State, width: int) -> str:
    onward = [next for next in State if next in TRANSITIONS[state] and next != state]
    if not onward:
        return f"{state:<{width}} ■"
    again = " ↺" if state in TRANSITIONS[state] else ""
    return f"{state:<{width}} → {' | '.join(onward)}{again}"


def test_the_readme_draws_the_states_as_they_are() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not written yet")
    found = re.search(r"^```text states\n(.*?)\n```$", readme.read_text(), re.DOTALL | re.MULTILINE)
    wanted = f"```text states\n{drawing()}\n```"
    assert found and found[0] == wanted, f"README.md must show:\n\n{wanted}\n"


def test_the_table_has_every_state_and_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached, ahead = {State.READING}, [State.READING]
    while ahead:
        new = TRANSITIONS[ahead.pop()] - reached
        reached |= new
        ahead += new
    assert reached == set(State)


def test_every_open_state_can_end() -> None:
    """A request that no arrow brings to an end would be looked at forever."""
    ends = {state for state in State if not TRANSITIONS[state]}
    assert ends
    while more := {state for state in State if TRANSITIONS[state] & ends} - ends:
        ends |= more
    assert ends == set(State)
