"""The way of a change request: every stage with everything that may happen to it, and what its payload binds."""

import re
from dataclasses import fields, replace
from datetime import timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from commands.ledger import Draft
from commands.response.changeevents import Kind, payload_facts, payload_of
from commands.response.changemoves import MOVES, Move, after
from commands.response.changerequest import OVER, RUNNING, Payload, Risk, Stage, lines_in
from tests.build import BOB, NOW
from tests.pure.change_world import change, move, payload, standing, told

# As the manual's table has it, a line for each stage; what is not in it is refused.
TABLE = """
draft: submit→pre-checks edit→draft cancel→canceled
pre-checks: clear→pending hold up→draft edit→draft cancel→canceled
pending: agree→pending grant→approved edit→draft reject→rejected cancel→canceled expire→expired
approved: edit→draft reject→rejected cancel→canceled expire→expired start→executing
executing: finish→validating lose contact→validating break→failed roll back→rolling back
validating: pass→succeeded roll back→rolling back give up→failed
rolling back: recover→rolled back not recover→rollback failed
"""
WAYS = {
    (stage, found[1].strip()): found[2].strip()
    for stage, _, moves in (line.partition(":") for line in TABLE.strip().splitlines())
    for found in re.finditer(
        r"([a-z -]+?)→(pre-checks|rolling back|rolled back|rollback failed|[a-z]+)(?= |$)", moves
    )
}


@pytest.mark.parametrize(("stage", "happens"), [*product(Stage, Move)], ids=str)
def test_every_stage_leads_where_the_table_says_and_nowhere_else(stage: Stage, happens: Move) -> None:
    expected = WAYS.get((stage.value, happens.value))
    found = after(stage, happens)
    assert (found.value if found else None) == expected


@pytest.mark.parametrize(("stage", "happens"), [*product(Stage, Move)], ids=str)
def test_a_record_goes_the_same_way_and_what_it_does_not_have_changes_nothing(
    stage: Stage, happens: Move
) -> None:
    before = standing(stage)
    assert before.stage is stage
    now = standing(stage, move(happens))
    assert now.stage is (after(stage, happens) or stage)
    assert now.head.seq == before.head.seq + 1


def test_the_table_is_read_whole() -> None:
    assert len(WAYS) == sum(len(moves) for moves in MOVES.values()) == 27
    assert {stage for stage in Stage if not MOVES[stage]} == OVER and not OVER & RUNNING


# --- The payload ----------------------------------------------------------------------------------


def test_a_payload_is_read_back_as_it_was_written() -> None:
    whole = payload(
        verify=("/sre health slo",), expected=("HighLatency",), approvers=("U1",), authors=("U2", "U3"),
        image="shop/backend@sha256:1", is_irreversible=True, is_auto=True, risk=Risk.HIGH,
    )  # fmt: skip
    assert payload_of(payload_facts(whole)) == whole
    assert payload_of(payload_facts(payload(duration=None))) == payload(duration=None)


OTHERS: dict[str, Any] = {
    "at": NOW + timedelta(minutes=1), "duration": None, "risk": Risk.HIGH, "steps": ("other",), "verify": ("v",),
    "expected": ("a",), "approvers": ("U1",), "authors": ("U2",), "is_irreversible": True, "is_auto": True,
}  # fmt: skip


@pytest.mark.parametrize("name", [each.name for each in fields(Payload)])
def test_another_word_anywhere_in_it_is_another_digest(name: str) -> None:
    other = replace(payload(), **{name: OTHERS.get(name, "something else")})
    assert other.digest != payload().digest
    assert len(other.digest) == 64


def test_the_same_moment_in_another_zone_is_the_same_payload() -> None:
    assert payload(at=NOW.astimezone(ZoneInfo("Asia/Tokyo"))).digest == payload().digest


def test_an_edit_makes_void_what_was_agreed_and_counts_the_version_on() -> None:
    agreed = Draft(Kind.AGREED, "agrees", by=BOB.user, facts={"digest": payload().digest})
    before = standing(Stage.PENDING, agreed)
    assert [each.user for each in before.agreed] == [BOB.user]
    edited = Draft(Kind.EDITED, "edited", facts=payload_facts(payload(why="something else entirely")))
    now = standing(Stage.PENDING, agreed, edited)
    assert (now.stage, now.version, now.agreed) == (Stage.DRAFT, 2, ())
    late = standing(Stage.PENDING, agreed, edited, move(Move.SUBMIT), move(Move.CLEAR), agreed)
    assert late.agreed == ()  # an approval of what was asked for before


def test_a_window_without_downtime_is_open_for_an_hour() -> None:
    assert payload(duration=None).until - NOW == timedelta(hours=1)
    assert payload().until - NOW == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("/sre deploy rollback backend", ("deploy rollback backend",)),
        ("1. say it\n2. /sre health app\n", ("health app",)),
        ("run `/sre health app` and look", ("health app",)),
        ("- /sre pod list\n- /sre node list", ("pod list", "node list")),
        ("see https://x/sre y", ()),
        ("by hand", ()),
    ],
)
def test_lines_for_the_bot_are_found_in_a_text(text: str, lines: tuple[str, ...]) -> None:
    assert lines_in(text) == lines


def test_a_record_that_does_not_begin_with_its_opening_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin"):
        told((move(Move.SUBMIT),))
    assert change().stage is Stage.DRAFT
