"""How grave an incident was, said after its end: who led it does not talk themselves out of its postmortem."""

import pytest

from commands.errors import Denied
from commands.ledger import Draft
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from tests.build import ALICE, BOB, decided, grown, incident


def ended(*drafts: Draft, severity: str = "1") -> Incident:
    led = draft(Kind.ACCEPTED, "leads", role="ic", user=ALICE.user)
    left = draft(Kind.ENDED, "lays it down", role="ic", user=ALICE.user)
    return grown(incident(led, *drafts, severity=severity), draft(Kind.STATUS, "x", to="resolved"), left)


def test_who_led_a_grave_one_does_not_make_it_a_milder_one_alone() -> None:
    with pytest.raises(Denied, match="it ended as a Sev1: somebody else must agree"):
        decided("sev 3 it was not so bad", ended())
    assert decided("sev 3 it was not so bad", ended(), BOB).writes


def test_while_it_goes_on_and_among_the_grave_or_the_mild_ones_they_may() -> None:
    going_on = incident(draft(Kind.ACCEPTED, "leads", role="ic", user=ALICE.user))
    for known, line in (
        (going_on, "sev 3 one node"),
        (ended(), "sev 2 less"),
        (ended(severity="3"), "sev 4 less"),
    ):
        assert decided(line, known).writes
