"""A command that enters something into a record: a pure decision from what is known now to events.

It is the second kind of command. The first asks the outside (parts) or changes it (change), through a worker; this
one writes into the bot's own records of incidents, change requests and tasks, at once: bot/records.py reads what is
`Given`, lets the command decide, and commits the `Entry` by compare-and-set, deciding anew whenever somebody else was
quicker. A decision refuses by raising (errors.SayBack), asks for more with form.NeedsForm, and does nothing itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from commands.ledger import Draft
from commands.model import Actor, AlertGroup, Args, Place
from commands.response.incident import Incident
from commands.site import Site


@dataclass(frozen=True, slots=True)
class Given:
    """What a decision is made of.

    args, actor, place, now: who typed or pressed what, where and when. roles: the keys of `roles:` that the actor
    holds. cluster: the name of the one meant. incident: the one that is named, or whose room this is, None for none.
    open: all that are not over, newest first. groups: the alert groups of `incident`, or for a declaration the group
    named by --alert or whose thread this is.
    """

    args: Args
    actor: Actor
    place: Place
    now: datetime
    site: Site
    cluster: str = ""
    roles: frozenset[str] = frozenset()
    incident: Incident | None = None
    open: tuple[Incident, ...] = ()
    groups: tuple[AlertGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """Events for a record. id: whose, "" for a new one (then the first event declares it)."""

    drafts: tuple[Draft, ...]
    id: str = ""
    word: str = "incident"


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of it. answer: told to the actor alone. writes: to the records, all or none. runs: command lines
    that the bot then asks for by itself, told under the record's card. {id} in answer and runs stands for the id of
    a record that is new."""

    answer: str
    writes: tuple[Write, ...] = ()
    runs: tuple[str, ...] = ()


Decide = Callable[[Given], Entry]
