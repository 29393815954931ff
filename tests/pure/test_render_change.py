"""Changes → Slack messages: golden pictures of every state, Slack's limits, and what must never be said."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import blocks, render
from bot.secret import Redactor
from commands.finding import Finding, Light, Suggestion
from commands.model import Request, State
from commands.plan import Approval, Mark, Plan, Result, Standing, Verdict, Wave
from sandbox.slack import limits
from tests import build
from tests.change_cards import (
    APPLYING,
    ASKED,
    BOB,
    DRAIN,
    GRANTED,
    KEYS,
    RECORDS,
    ROLLBACK,
    SUCCEEDED,
    ended,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def drawn(request: Request) -> tuple[blocks.Message, ...]:
    return render.messages(request, lambda text: text)


def said(request: Request) -> str:
    return json.dumps([[m.text, m.blocks] for m in drawn(request)], ensure_ascii=False)


@pytest.mark.parametrize("name", RECORDS)
def test_a_change_looks_as_it_did(name: str) -> None:
    """UPDATE_GOLDEN=1 writes them anew; look at the difference before you commit it."""
    shown = [
        {"key": m.key, "text": m.text, "in_thread": m.in_thread, "blocks": m.blocks}
        for m in drawn(RECORDS[name])
    ]
    text = json.dumps(shown, ensure_ascii=False, indent=1) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text


@pytest.mark.parametrize("name", RECORDS)
def test_slack_takes_it(name: str) -> None:
    check(drawn(RECORDS[name]))


def check(messages: tuple[blocks.Message, ...]) -> None:
    for message in messages:
        assert len(message.text) <= 4000
        limits.message_blocks(json.loads(json.dumps(message.blocks)))


# --- what a button carries, and what is asked before it is taken


def elements(request: Request, action: str) -> list[dict[str, Any]]:
    card = drawn(request)[0]
    return [
        element
        for block in card.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == action
    ]


@pytest.mark.parametrize("action", ["approve", "reject", "cancel"])
def test_a_button_names_the_request_the_turn_and_the_plan_that_is_shown(action: str) -> None:
    (found,) = elements(RECORDS["change-awaiting-turn-2"], action)
    assert found["value"] == f"RTEST0001 2 {DRAIN.digest}"


def test_a_plan_made_anew_meanwhile_does_not_change_what_a_press_approves() -> None:
    """Redaction changes a plan, too, and with it the digest it would have."""
    masked = render.messages(ASKED, lambda text: text.replace("emptyDir", "***"))
    assert f"RTEST0001 1 {DRAIN.digest}" in json.dumps([m.blocks for m in masked])


def test_approve_asks_first_and_names_the_worst_risk() -> None:
    (approve,) = elements(ASKED, "approve")
    asked = approve["confirm"]["text"]["text"]
    assert "8 objects" in asked and "Webhooks" in asked and "2 more risks" in asked
    assert approve["style"] == "primary"


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("change-planning", []),
        ("change-awaiting", ["approve", "reject", "cancel"]),
        ("change-queued", ["cancel"]),
        ("change-applying", ["cancel"]),
        ("change-stopping", []),
        ("change-succeeded", []),
        ("change-rejected", []),
        ("change-expired", []),
        ("change-blocked", []),
        ("change-dry-run", []),
    ],
)
def test_a_card_offers_what_is_still_possible(name: str, actions: list[str]) -> None:
    offered = ("approve", "reject", "cancel")
    assert [action for action in offered if elements(RECORDS[name], action)] == actions


@pytest.mark.parametrize("view", [render.reject_view("R1 1 abc"), render.why_view("R1 1 abc")])
def test_a_window_is_one_that_slack_opens_and_brings_the_value_back(view: dict[str, Any]) -> None:
    assert limits.view(json.loads(json.dumps(view)))["private_metadata"] == "R1 1 abc"
    assert [block["block_id"] for block in view["blocks"]] == ["reason"]


# --- what is said, and what is not


def test_a_plan_shown_again_says_first_what_changed() -> None:
    card = said(RECORDS["change-awaiting-turn-2"])
    assert card.index("also: Deployment shop/search") < card.index("GO WITH RISK")
    assert "/sre approve RTEST0001.2" in card


def test_all_that_changed_stands_in_the_thread() -> None:
    """The card has the first few, and says where the others are."""
    again = RECORDS["change-awaiting-turn-2"]
    assert again.asking
    many = tuple(f"also: Deployment shop/w{n:02}" for n in range(12))
    messages = drawn(replace(again, asking=replace(again.asking, changed=many)))
    thread = json.dumps([message.blocks for message in messages if message.key == "plan:2"])
    assert all(each in thread for each in many)


def test_what_a_finding_suggests_is_offered_until_the_plan_is_approved() -> None:
    assert "scale reports 2" in said(ASKED)
    assert "scale reports 2" not in said(APPLYING)


def test_each_turn_has_a_plan_of_its_own_in_the_thread() -> None:
    keys = [{m.key for m in drawn(RECORDS[name])} for name in ("change-awaiting", "change-awaiting-turn-2")]
    assert "plan:1" in keys[0] and keys[1] & keys[0] == {"card"}


def test_a_weakened_rule_is_said_on_the_card_and_beside_the_approval() -> None:
    assert "self_approve" in said(RECORDS["change-self-approve"])
    own = Approval(build.ALICE.user, build.NOW, is_self=True)
    done = said(replace(SUCCEEDED, asking=replace(GRANTED, approvals=(own,))))
    assert "their own request" in done and "because `approvals.self_approve` is on" in done
    assert "self_approve" not in said(ASKED)
    assert "the requester may approve this alone" in said(RECORDS["change-self-approve"])
    two = replace(RECORDS["change-self-approve"], asking=build.asking(DRAIN, self_approve=True, needed=2))
    assert "the requester may be one of the 2 who approve this" in said(two)


@pytest.mark.parametrize(
    "name",
    ["change-succeeded", "change-partial", "change-failed", "change-cancelled", "change-rejected", "change-expired"],
)  # fmt: skip
def test_one_line_at_the_end_mentions_the_requester(name: str) -> None:
    closing = [m for m in drawn(RECORDS[name]) if m.in_thread and m.text.startswith("<@U0ALICE0001>")]
    assert [m.key for m in closing] == ["closing"]


@pytest.mark.parametrize("name", ["change-planning", "change-awaiting", "change-applying", "change-dry-run"])
def test_nobody_is_called_before_the_end(name: str) -> None:
    assert "closing" not in {m.key for m in drawn(RECORDS[name])}


@pytest.mark.parametrize(
    ("marks", "is_said"),
    [
        ({}, True),
        ({KEYS[0]: Standing.BLOCKED}, True),
        ({KEYS[0]: Standing.TRYING}, False),
        ({KEYS[0]: Standing.APPLIED}, False),
        ({KEYS[0]: Standing.FAILED}, False),
    ],
)
def test_nothing_was_changed_is_said_only_where_it_is_certain(
    marks: dict[str, Standing], is_said: bool
) -> None:
    request = ended(State.FAILED, marks, reference="E123")
    assert ("nothing was changed" in drawn(request)[0].text) == is_said
    assert "E123" in drawn(request)[0].text


def test_undo_is_offered_only_for_what_was_changed() -> None:
    assert "uncordon node-3" in json.dumps(next_to(SUCCEEDED))
    assert next_to(ended(State.FAILED, {})) == []
    assert next_to(replace(SUCCEEDED, plan=replace(DRAIN, undo=""))) == []


def next_to(request: Request) -> list[str]:
    return [
        element["value"]
        for block in drawn(request)[-1].blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def test_the_way_back_is_offered_once() -> None:
    assert next_to(RECORDS["change-partial"]) == ["drain node-3", "uncordon node-3"]


def test_every_step_that_is_not_proved_is_told_with_its_reason() -> None:
    mark = Mark(Standing.BLOCKED, build.NOW, "budget shop/orders allows none", tries=4)
    progress = build.progress(dict.fromkeys(KEYS[:6], Standing.PROVED))
    stuck = replace(progress, marks=progress.with_marks({KEYS[6]: mark}))
    steps = next(
        m for m in drawn(replace(SUCCEEDED, state=State.PARTIAL, progress=stuck)) if m.key == "steps"
    )
    text = json.dumps(steps.blocks, ensure_ascii=False)
    assert "budget shop/orders allows none (tried 4 times)" in text and "search-1  ·  not begun" in text
    assert "backend-1" not in text


def test_a_name_is_read_aloud_with_what_speaks_against_it_and_what_to_type() -> None:
    text = drawn(ASKED)[0].text
    assert "Webhooks" in text and "type /sre approve RTEST0001" in text and "*" not in text


# --- size and hostility


@pytest.mark.parametrize("count", [110, 1100], ids=["one node", "ten nodes"])
def test_a_full_node_is_told_whole_on_several_pages(count: int) -> None:
    pods = [f"backend-5d9f7c6b8-{n:05d}" for n in range(count)]
    steps = tuple(
        replace(
            build.step(pod), text=f"Evict shop/{pod} (Deployment shop/backend): 30 s; budget shop/backend"
        )
        for pod in pods
    )
    diff = tuple(f"+   {'key' * 9}-{n:03d}: value" for n in range(200))
    plan = build.plan(waves=(Wave("Empty node-3", steps),), diff=diff)
    messages = drawn(build.change_request(plan))
    check(messages)
    told = json.dumps([message.blocks for message in messages if message.in_thread])
    assert [text for text in (*pods, *diff) if text not in told] == []
    assert [m.key for m in messages][:3] == ["card", "plan:1", "plan:1:steps:0"]


def test_a_drain_of_pods_with_the_longest_names_fits_and_counts_the_rest() -> None:
    pods = [f"{'p' * 240}-{n:03d}" for n in range(500)]
    messages = drawn(build.change_request(build.plan(*pods, stays=tuple(pods), diff=tuple(pods))))
    check(messages)
    told = json.dumps([message.blocks for message in messages], ensure_ascii=False)
    assert "more lines" in told and "did not fit into one message" not in told
    assert len(messages) < 50


def test_why_there_is_nothing_to_do_is_on_the_card() -> None:
    done = build.finding(key="drain.done", label="Drained", value="closed already, and no pod is left")
    idle = build.plan(waves=(), findings=(done,))
    card = drawn(replace(RECORDS["change-nothing-to-do"], plan=idle))[0]
    assert "closed already, and no pod is left" in json.dumps(card.blocks)


def test_a_mend_that_serves_several_risks_is_said_once_on_the_card() -> None:
    silent = Finding("a", "Volumes", Light.UNKNOWN, "no answer", mend="set the right\nwith care")
    plan = build.plan(findings=(silent, replace(silent, key="b", label="Webhooks")))
    card = json.dumps(drawn(build.change_request(plan))[0].blocks)
    assert card.count("set the right") == 1 and "with care" not in card


def test_a_plan_without_steps_or_findings_is_drawn() -> None:
    check(drawn(build.change_request(Plan("Nothing"))))


def test_a_secret_in_a_difference_is_masked() -> None:
    leaky = replace(ROLLBACK, diff=("- env DB_PASSWORD: hunter2hunter2", "+ env DB_PASSWORD: correct-horse"))
    shown = json.dumps([m.blocks for m in render.messages(build.change_request(leaky), Redactor())])
    assert "hunter2" not in shown and "correct-horse" not in shown and "DB_PASSWORD" in shown


HOSTILE = "<!channel> <@U0BOB000002> <https://evil|https://bank> & *bold* `code` ```"
TEXT = st.text(max_size=30) | st.sampled_from([HOSTILE, HOSTILE * 40, "x" * 9000, "&" * 4000, "\n" * 500, ""])
TEXTS = st.lists(TEXT, max_size=12).map(tuple)
FINDING = st.builds(
    Finding, key=st.just("x"), label=TEXT, light=st.sampled_from(Light), value=TEXT, evidence=TEXTS, mend=TEXT,
    suggestions=st.lists(st.builds(Suggestion, TEXT.filter(bool), TEXT.filter(bool)), max_size=5).map(tuple),
)  # fmt: skip
FINDINGS = st.lists(FINDING, max_size=12).map(tuple)
STEP = st.builds(lambda name, text: replace(build.step(name), text=text), TEXT, TEXT)
WAVES = st.lists(st.builds(Wave, TEXT, st.lists(STEP, max_size=60).map(tuple)), max_size=6).map(tuple)
PLAN = st.builds(
    Plan, title=TEXT, findings=FINDINGS, waves=WAVES, facts=TEXTS, stays=TEXTS, diff=TEXTS, undo=TEXT,
    before=st.lists(st.tuples(TEXT, TEXT), max_size=9).map(tuple), rehearsal=TEXTS,
)  # fmt: skip
VERDICT = st.builds(
    Verdict, st.sampled_from(Result), waiting=TEXTS, left=TEXTS, summary=TEXT, findings=FINDINGS,
    suggestions=st.lists(st.builds(Suggestion, TEXT.filter(bool), TEXT.filter(bool)), max_size=9).map(tuple),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(PLAN, VERDICT, TEXTS, TEXT, st.sampled_from(State), st.sampled_from(Standing))
def test_no_change_breaks_a_limit_of_slack_mentions_anybody_or_links(
    plan: Plan, verdict: Verdict, texts: tuple[str, ...], text: str, state: State, standing: Standing
) -> None:
    marks = dict.fromkeys([step.key for step in plan.steps], standing)
    request = replace(
        ASKED,
        state=state,
        plan=plan,
        asking=replace(build.asking(plan), turn=2, changed=texts, roles=texts),
        progress=build.progress(marks, waiting=texts),
        verdict=verdict,
        ended_by=BOB,
        ended_why=text,
        why=text,
        behind=text,
        behind_what=text,
    )
    check(drawn(request))
    shown = json.dumps([[*_mrkdwn(list(m.blocks)), m.text] for m in drawn(request)], ensure_ascii=False)
    assert "<!channel>" not in shown and "<@U0BOB000002>" not in shown and "<https://evil" not in shown


def _mrkdwn(node: Any) -> list[str]:
    """Every text in which Slack would find a mention or a link."""
    if isinstance(node, dict):
        own = [node["text"]] if node.get("type") == "mrkdwn" else []
        return own + [text for value in node.values() for text in _mrkdwn(value)]
    return [text for value in node for text in _mrkdwn(value)] if isinstance(node, list) else []
