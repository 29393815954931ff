"""Windows: what was typed stands in them, what is emptied there is gone, and one that would not hold it is not drawn."""

from typing import Any

import pytest

from bot import forms
from commands.form import Field, Form
from commands.model import Args, Place
from sandbox.slack import limits

PLACE = Place("C0INCROOM01", "1700000000.000100")
CHOICE = Field("next", "When?", "choice", initial="30m", options=(("15m", "soon"), ("30m", "later")))


def form(*fields: Field, **flags: str) -> Form:
    return Form("Update", "Send", Args("incident", "update", "", flags), fields)


def shown(window: dict[str, Any]) -> dict[str, str]:
    own = {block["block_id"]: block["element"] for block in window["blocks"] if block["type"] == "input"}
    chosen = {name: (each.get("initial_option") or {}).get("value") for name, each in own.items()}
    return {name: chosen[name] or each.get("initial_value", "") for name, each in own.items()}


def sent(window: dict[str, Any], **typed: str | None) -> dict[str, str]:
    state = {name: {"value": {"type": "plain_text_input", "value": text}} for name, text in typed.items()}
    return dict(forms.read({**window, "state": {"values": state}})[0].flags)


def test_what_was_typed_stands_in_the_window_before_what_was_said_last() -> None:
    actions = Field("actions", "What is being done?", "text", initial="we look")
    window = forms.view(form(actions, CHOICE, actions="rolling back", next="15m"), PLACE)
    assert shown(limits.view(window)) == {"actions": "rolling back", "next": "15m"}


def test_what_somebody_empties_in_the_window_is_gone_although_it_was_typed() -> None:
    window = forms.view(form(Field("needs", "What is needed?"), needs="a DBA", incident="INC-1"), PLACE)
    assert sent(window, needs=None) == {"incident": "INC-1"}
    assert sent(window, needs="two DBAs") == {"incident": "INC-1", "needs": "two DBAs"}


def test_what_no_field_can_show_is_carried_as_it_was_typed() -> None:
    window = forms.view(form(CHOICE, Field("owner", "Who?", "person"), next="2h", owner="bob"), PLACE)
    assert shown(window) == {"next": "30m", "owner": ""}
    assert sent(window) == {"next": "2h", "owner": "bob"}


def test_letters_of_any_script_are_carried_up_to_the_limit_and_more_is_refused() -> None:
    frame = len(forms.view(form(why=""), PLACE)["private_metadata"])
    window = forms.view(form(why="漢" * (3000 - frame)), PLACE)
    assert len(limits.view({**window, "blocks": [{"type": "divider"}]})["private_metadata"]) == 3000
    with pytest.raises(ValueError, match="3001 characters do not fit into a window"):
        forms.view(form(why="漢" * (3001 - frame)), PLACE)
