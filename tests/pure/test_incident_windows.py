"""The windows of the incident's verbs: Slack takes each of them, and what is filled in does what the line would."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot import forms
from commands.entry import Entry
from commands.model import Place
from sandbox.slack import limits
from tests import build
from tests.build import ALICE, INCIDENT, given
from tests.windows import CASES, OTHER, asked


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
