"""Who may tell people outside how an incident stands."""

import pytest

from commands.errors import Denied
from commands.response.events import Kind, draft
from tests.build import ALICE, BOB, decided, incident

LINE = "update half of the payments fail --to"


@pytest.mark.parametrize("audience", ["stakeholders", "public"])
def test_who_is_not_in_it_tells_nobody_outside_until_they_join(audience: str) -> None:
    with pytest.raises(Denied, match="is in it: `/sre incident join INC-2026-11-23-001`"):
        decided(f"{LINE} {audience}", incident(), BOB)
    joined = incident(draft(Kind.JOINED, "joined", user=BOB.user))
    assert decided(f"{LINE} {audience}", joined, BOB).writes
    assert decided(f"{LINE} {audience}", incident(), ALICE).writes  # declared it
    assert decided(f"{LINE} {audience}", incident(), BOB, roles=frozenset({"comms"})).writes
    assert decided(f"{LINE} channel", incident(), BOB).writes
