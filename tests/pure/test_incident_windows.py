"""The windows of the incident's verbs: Slack takes each of them, and what is filled in does what the line would."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot import forms
from commands.entry import Entry
from commands.form import Form, NeedsForm
from commands.ledger import START, Event, sealed
from commands.model import Place
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from sandbox.slack import limits
from tests import build
from tests.build import ALICE, BOB, INCIDENT, NOW, decided, given, incident

LONG = "checkout <is> & stays down " * 7  # a title nearly as long as they may be
OTHER = replace(incident(title=LONG), id="INC-2026-11-23-002")
LED = incident(draft(Kind.ACCEPTED, "took it", role="ic", user=ALICE.user), title=LONG)
MITIGATED = incident(draft(Kind.STATUS, "mitigated", to="mitigated"), title=LONG)
RESOLVED = incident(draft(Kind.STATUS, "resolved", to="resolved"), title=LONG)
CHANGE = replace(build.change_request(build.plan()), id="R1A2B", place=Place("C0INCROOM01"))
FIRES = build.group(*(build.alert(f"Alert{n}", pod="x" * 60) for n in range(40)))


def noted() -> Event:
    (made,) = sealed((replace(draft(Kind.NOTE, "hunter2"), by=BOB.user),), START, NOW, ("salt",))
    return replace(made, seq=3)


NOTED = noted()

# What was typed, in which incident, with what else: and the fields as somebody fills them in.
CASES: dict[str, tuple[Incident | None, dict[str, Any], dict[str, str]]] = {
    "declare": (None, {}, {"title": "it is down", "severity": "1", "from": "customer"}),
    "declare --alert ATEST": (None, {"groups": (FIRES,)}, {}),
    "security": (None, {}, {"title": "a key is public"}),
    "assign": (LED, {}, {"name": "ops", "rest": BOB.user}),
    "assign ic me": (LED, {"by": BOB}, {"why": "she is away"}),
    "sev": (LED, {}, {"name": "2", "why": "reads work"}),
    "sev 3": (LED, {}, {"why": "one node"}),
    "identify": (MITIGATED, {}, {"why": "errors are back"}),
    "set": (LED, {}, {"name": "impact", "rest": "a third fails\nof all"}),
    "set started": (LED, {}, {"rest": "09:02"}),
    "set detection": (LED, {}, {"rest": "customer"}),
    "set title": (LED, {}, {"rest": "it is down"}),
    "note": (LED, {}, {"rest": "09:02 it fell"}),
    "page": (LED, {}, {"name": f"@{BOB.user}", "why": "it is your queue"}),
    "resolve --force": (LED, {"groups": (FIRES,)}, {"why": "old pods"}),
    "reopen": (RESOLVED, {}, {"why": "it is back"}),
    "cancel": (LED, {}, {"why": "a mistake"}),
    "waive": (RESOLVED, {}, {"why": "the same as before"}),
    "merge": (LED, {"open": (LED, OTHER)}, {"name": OTHER.id}),
    "redact 3": (LED, {"event": NOTED}, {"why": "a password"}),
    "postmortem --lessons": (RESOLVED, {}, {"rest": "limits\nfor all"}),
    "action": (LED, {}, {"rest": "limit every pool", "owner": BOB.user, "due": "2026-12-01"}),
    "action limit --owner me": (LED, {}, {"due": "2026-12-01"}),
    "action --none": (RESOLVED, {}, {"why": "the vendor mends it"}),
    "break-glass R1A2B": (LED, {"request": CHANGE}, {"confirm": "R1A2B", "why": "nobody is awake"}),
}


def asked(line: str) -> Form:
    known, more, _ = CASES[line]
    with pytest.raises(NeedsForm) as needed:
        decided(line, known, **more)
    assert "Nothing was done." in str(needed.value)
    return needed.value.form


@pytest.mark.parametrize("line", CASES)
def test_slack_takes_every_window(line: str) -> None:
    form = asked(line)
    limits.view(forms.view(form, Place("C0INCROOM01", "1700000000.000100")))
    assert form.args.flags.get("incident", INCIDENT) == INCIDENT


def element(block: dict[str, Any], text: str) -> dict[str, Any]:
    kind = block["element"]["type"]
    filled: dict[str, Callable[[], dict[str, Any]]] = {
        "static_select": lambda: {"selected_option": {"value": text}},
        "users_select": lambda: {"selected_user": text},
        "datepicker": lambda: {"selected_date": text},
        "plain_text_input": lambda: {"value": text},
    }
    return {"type": kind, **filled[kind]()}


def initial(block: dict[str, Any]) -> str:
    own = block["element"]
    option = own.get("initial_option") or {}
    return str(own.get("initial_value") or option.get("value") or own.get("initial_user") or "")


@pytest.mark.parametrize("line", CASES)
def test_what_is_filled_in_is_entered(line: str) -> None:
    known, more, fields = CASES[line]
    window = forms.view(asked(line), Place("C0INCROOM01"))
    inputs = {block["block_id"]: block for block in window["blocks"] if block["type"] == "input"}
    assert fields.keys() <= inputs.keys()
    values = {
        key: {"value": element(block, fields.get(key, initial(block)))} for key, block in inputs.items()
    }
    args, place = forms.read({**window, "state": {"values": values}})
    more = dict(more)
    if args.verb == "merge":
        more["other"] = OTHER
    sent = replace(given(args.verb, known, more.pop("by", ALICE), **more), args=args, place=place)
    entry = next(each.entry for each in build.VERBS if args.verb in each.verbs)
    assert entry is not None
    made: Entry = entry(sent)
    assert made.writes and made.answer
