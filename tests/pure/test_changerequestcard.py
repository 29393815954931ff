"""The card of a change request: what it shows and which buttons it has, stage by stage, and never more than Slack takes."""

from dataclasses import replace
from typing import Any

import pytest

from bot import blocks, render
from bot.changerequestcard import messages, needed
from bot.secret import redact
from commands.finding import Light
from commands.response.changeevents import Kind, draft, line_facts
from commands.response.changerequest import ChangeRequest, Checked, Risk, Stage
from tests.build import BOB
from tests.pure.change_world import ID, standing

LINES = (
    Checked("staging", "Tested in staging", Light.UNKNOWN, "no staging is configured"),
    Checked("backup", "Backup", Light.UNKNOWN, "no backup is read"),
    Checked("nodes", "Nodes", Light.GREEN, "2 of 2 Ready"),
    Checked("disruption", "Disruption budgets", Light.YELLOW, "1 of 1 allow none"),
)


def checks(change: ChangeRequest) -> Any:
    return draft(Kind.CHECKED, "x", request="F1", digest=change.digest, **line_facts(LINES))


def buttons(change: ChangeRequest) -> dict[str, str]:
    drawn = [e for b in messages(change)[0].blocks if b["type"] == "actions" for e in b["elements"]]
    return {each["text"]["text"]: each["value"] for one in drawn for each in one.get("options", [one])}


def text(change: ChangeRequest) -> str:
    return str(messages(change)[0].blocks)


@pytest.mark.parametrize(
    ("stage", "has"),
    [
        (Stage.DRAFT, {"Check again", "Edit…", "Cancel it"}),
        (Stage.PRECHECKS, {"Check again", "Edit…", "Cancel it"}),
        (
            Stage.PENDING,
            {"Approve", "Reject…", "Edit…", "Cancel it", "Check again", "I am there", "I cannot"},
        ),
        (Stage.APPROVED, {"Start", "Edit…", "Cancel it", "Tell the stakeholders"}),
        (Stage.EXECUTING, {"Roll back now: deploy rollback backend", "Users complain"}),
        (Stage.VALIDATING, {"Validate", "It worked: close", "Users accept it", "Users complain"}),
        (Stage.ROLLING_BACK, {"It is taken back"}),
        *((stage, set[str]()) for stage in tuple(Stage)[7:]),
    ],
)
def test_each_stage_has_its_buttons(stage: Stage, has: set[str]) -> None:
    found = buttons(standing(stage))
    assert has <= set(found) and bool(has) == bool(found)
    assert all(ID in value for value in found.values())


def test_approval_and_refusal_name_the_payload_that_was_seen() -> None:
    change = standing(Stage.PENDING)
    found = buttons(change)
    for label, verb in (("Approve", "approve"), ("Reject…", "reject")):
        assert found[label] == f"change {verb} {ID} --digest {change.digest[:16]}"


def test_no_step_is_offered_before_the_baseline_is_frozen() -> None:
    assert "Begin step 1" not in buttons(standing(Stage.EXECUTING))
    assert "baseline is being frozen" in text(standing(Stage.EXECUTING))
    frozen = standing(Stage.EXECUTING, draft(Kind.BASELINE, "x", baseline="{}"))
    assert {"Begin step 1", "Step 1 done", "Step 1 failed"} <= set(buttons(frozen))


def test_what_is_not_well_is_told_line_by_line_and_what_only_people_know_has_a_button() -> None:
    change = standing(Stage.PENDING, checks(standing(Stage.PENDING)))
    assert "*Pre-checks:* 1 of 4 fine" in text(change)
    assert "⚪ Backup: no backup is read" in text(change) and "Nodes" not in text(change)
    assert buttons(change)["Tick: Backup"] == f"change tick {ID} backup"


def test_how_many_agreed_of_how_many_is_told() -> None:
    high = standing(Stage.PENDING, risk=Risk.HIGH)
    agreed = replace(draft(Kind.AGREED, "x", digest=high.digest), by=BOB.user)
    assert f"*Approvals:* 1 of 2 by <@{BOB.user}>" in text(standing(Stage.PENDING, agreed, risk=Risk.HIGH))
    assert [needed(risk) for risk in Risk] == [1, 1, 2]


def test_its_window_is_told_in_the_zone_of_each_reader() -> None:
    assert "<!date^" in text(standing(Stage.PENDING))


def test_what_people_wrote_calls_nobody_and_forges_nothing() -> None:
    hostile = "<!channel> <https://x|y> *&"
    said = text(standing(Stage.PENDING, what=hostile, why=hostile, rollback=hostile, steps=(hostile,)))
    assert "<!channel>" not in said and "<https://x" not in said and "&lt;!channel&gt;" in said


@pytest.mark.parametrize("stage", list(Stage))
def test_the_longest_one_fits_into_a_message(stage: Stage) -> None:
    long = "word & " * 400
    many = tuple(Checked(f"k{n}", long, Light.RED, long) for n in range(40))
    told = draft(Kind.CHECKED, "x", request="F1", digest="d", **line_facts(many))
    change = standing(
        stage, told, what=long, why=long, rollback=long, steps=(long,) * 40, expected=(long,) * 20
    )
    (card, *_) = render.messages(change, redact)
    assert len(card.blocks) <= blocks.BLOCKS and len(card.text) <= blocks.FALLBACK
    rows = [block["elements"] for block in card.blocks if block["type"] == "actions"]
    assert all(len(row) <= 5 for row in rows)
