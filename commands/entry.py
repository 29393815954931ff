"""A command that enters something into a record: a pure decision from what is known now to events.

It is the second kind of command. The first asks the outside (parts) or changes it (change), through a worker; this
one writes into the bot's own records of incidents, change requests and tasks, at once: bot/clerk.py reads what is
`Given`, lets the command decide, and commits the `Entry` by compare-and-set, deciding anew whenever somebody else was
quicker. A decision refuses by raising (errors.SayBack), asks for more with form.NeedsForm, and does nothing itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from commands.errors import Stale
from commands.finding import Suggestion
from commands.ledger import Draft, Event
from commands.model import Actor, AlertGroup, Args, Place, Request
from commands.response.changerequest import ChangeRequest
from commands.response.incident import Incident
from commands.response.task import Task
from commands.site import Site

# What a line does: looks at something, changes it with a plan and an approval, or is carried out at once.
Road = Literal["looks", "changes", "enters"]


@dataclass(frozen=True, slots=True)
class Given:
    """What a decision is made of.

    args, actor, place, now: who typed or pressed what, where and when. roles: the keys of `roles:` that the actor
    holds. cluster: the name of the one meant. incident: the one that is named, or whose room this is, None for none.
    other: the one named by a command that is about two, else the one that `incident` was merged into; for a
    declaration the one that its alert belonged to last. open: all that
    are not over and that the actor may see, newest first. groups: the alert groups of `incident`, or for a
    declaration the group named by --alert or whose thread this is. around: the groups that fire in its service.
    request: the change that the line names; event: the event of `incident` whose number it names. names: what people
    call those who have a part in it, by id.

    Of a change request: change, the one that is meant; changes, all that are not over, newest first; holders, the
    roles of those who approved it, by user; road, what a command line would do, which raises UsageError where it does
    not parse. task: the one that the line names.
    """

    args: Args
    actor: Actor
    place: Place
    now: datetime
    site: Site
    cluster: str = ""
    roles: frozenset[str] = frozenset()
    incident: Incident | None = None
    other: Incident | None = None
    open: tuple[Incident, ...] = ()
    groups: tuple[AlertGroup, ...] = ()
    around: tuple[AlertGroup, ...] = ()
    request: Request | None = None
    event: Event | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    change: ChangeRequest | None = None
    changes: tuple[ChangeRequest, ...] = ()
    holders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    road: Callable[[str], Road] = lambda line: "looks"
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Events for a record. id: whose, "" for a new one (then the first event declares it). erases: the number of the
    event whose content goes, 0 for none; the one event that is written says so."""

    drafts: tuple[Draft, ...]
    id: str = ""
    word: str = "incident"
    erases: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of it. answer: told to the actor alone, with these buttons. writes: to the records, all or none.
    runs: command lines that the bot then asks for by itself, told under the record's card; one that is not built is
    left out. breaks: the id of a change that is approved by this, by the actor alone. keeps: files that are kept for
    good from now on.

    {id} in answer, buttons, and in the writes to others, stands for the id of a record that is new; in runs for that of
    the first write.
    """

    answer: str
    writes: tuple[Write, ...] = ()
    runs: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    breaks: str = ""
    keeps: tuple[str, ...] = ()


Decide = Callable[[Given], Entry]

# What a command's `names` calls the place where a record may be named: the incident that is meant, the other of two,
# a change, the number of an event, and a task. What stands there is no part of a text.
INCIDENT, OTHER, CHANGE, EVENT, TASK = "INC", "OTHER", "CHANGE", "EVENT", "TASK"


class Otherwise(Stale):
    """Not like this, and these buttons are the ways on."""

    def __init__(self, text: str, *suggestions: Suggestion) -> None:
        super().__init__(text)
        self.suggestions = suggestions


def is_id(text: str) -> bool:
    """Whether this may be an incident's id or the end of one: "INC-2026-11-23-001", "11-23-001", "001"."""
    plain = text.upper().removeprefix("INC-").replace("-", "")
    return plain.isascii() and plain.isdigit() and len(plain) >= 3


def is_whole(text: str) -> bool:
    """Whether this can be nothing else, wherever it stands."""
    return text.upper().startswith("INC-") and is_id(text)
