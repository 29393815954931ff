"""A window that asks for what a command line lacks: its fields as data, and the command it becomes.

Each field fills a flag of that name, or with "name" and "rest" the two places of a line without one. bot/forms.py
draws it and reads it back; nothing here knows Slack.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from commands.errors import SayBack, UsageError
from commands.model import Args

# line, text: one line or several. choice: one of `options`. person: a user. time: a moment. people: several users.
# date: a day.
FieldKind = Literal["line", "text", "choice", "person", "people", "time", "date", "channel"]


@dataclass(frozen=True, slots=True)
class Field:
    """options: (value, what it means) of a choice. initial: what stands there at first. most: characters."""

    name: str
    label: str
    kind: FieldKind = "line"
    hint: str = ""
    initial: str = ""
    options: tuple[tuple[str, str], ...] = ()
    is_optional: bool = False
    most: int = 3000


@dataclass(frozen=True, slots=True)
class Form:
    """title and submit: at most 24 characters, as Slack has it. args: the command it completes. intro: a sentence
    above the fields, "" for none."""

    title: str
    submit: str
    args: Args
    fields: tuple[Field, ...]
    intro: str = ""


class NeedsForm(SayBack):
    """All is in order, and something must still be said; where no window can be opened the text says what to type."""

    def __init__(self, form: Form, text: str) -> None:
        super().__init__(text)
        self.form = form


class FieldErrors(UsageError):
    """What is wrong, by the name of the field; the text says it all for who typed the line."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)
