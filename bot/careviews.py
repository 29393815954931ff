"""Pure: the windows that ask what a button about an alert does not say. Opened by bot/slack.py.

What is chosen stands at state.values.choice.choice; the submission has the button's value as private_metadata.
"""

from bot.blocks import Block, modal, person_input, select_input
from commands.model import Judgement


def view(verb: str, value: str) -> Block:
    """The window for a button whose press needs a word more."""
    return _hand(value) if verb == "hand" else _mark(value)


def _hand(value: str) -> Block:
    """callback_id "alert:own"."""
    return modal(
        "alert:own", value, "Hand over", "Hand over", person_input("choice", "Who has it from now on?")
    )


def _mark(value: str) -> Block:
    """callback_id "alert:mark"."""
    options = [(judgement.value.capitalize(), judgement.value) for judgement in Judgement]
    return modal(
        "alert:mark", value, "Mark the alert", "Mark", select_input("choice", "What was it?", options, 0)
    )
