"""The one road of every command that enters something into a record (commands/entry.py).

It is decided on what is given now; when somebody else wrote meanwhile, all of it is decided anew. A repeated delivery is
answered as the first was. Every member of the workspace may, unless the command says no; a refusal is told to the actor
alone and written to the audit. What is given and where it is written is its clerks' own: bot/clerk.py for incidents and
tasks, bot/changeclerk.py for change requests.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from bot import tracing
from bot.givens import Attempt, Wanted
from bot.people import People
from bot.state import JOB_TIMEOUT, Change, Conflict, State, Taken
from commands.catalog import Catalog
from commands.errors import Denied, SayBack, Stale
from commands.finding import Suggestion
from commands.form import NeedsForm
from commands.model import Request
from commands.site import Site

log = logging.getLogger(__name__)

# Slack repeats an event for about six minutes.
_REMEMBER_DELIVERY = timedelta(hours=1)
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Entered:
    """What was done, and the buttons that go on from there."""

    answer: str
    suggestions: tuple[Suggestion, ...] = ()

    def kept(self) -> str:
        return orjson.dumps([self.answer, [[each.label, each.text] for each in self.suggestions]]).decode()

    @classmethod
    def of(cls, kept: str) -> "Entered":
        """As it was told to the first delivery of the same thing."""
        answer, buttons = orjson.loads(kept)
        return cls(answer, tuple(Suggestion(label, text) for label, text in buttons))


class EntryClerk(ABC):
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._now = now

    # --- what a clerk says of itself ---

    @abstractmethod
    def _register(self) -> str:
        """What must be so still when a record is opened (Book.register)."""

    @abstractmethod
    def _try(self, wanted: Wanted, attempt: Attempt) -> Entered:
        """Decide on what is given now, and commit. Raises Conflict or Taken when somebody was quicker."""

    @abstractmethod
    def _named(self, wanted: Wanted) -> str:
        """What a refusal was about, as the audit has it."""

    def _public(self, reason: str) -> str:
        """A refusal as everybody may read it in the audit."""
        return reason

    # --- the road ---

    def enter(self, wanted: Wanted) -> Entered:
        """Do it, and say what was done. Raises NeedsForm where something must still be said, and SayBack after writing
        the refusal down. RedisError: nothing was entered."""
        try:
            return self._enter(wanted)
        except NeedsForm:
            raise
        except SayBack as refusal:
            self._refused(wanted, str(refusal))
            raise

    def _enter(self, wanted: Wanted) -> Entered:
        may = self._people.may_act(wanted.actor)
        if not may.ok:
            raise Denied(may.reason)
        id = ""
        for _ in range(_TRIES):
            if earlier := self._state.mark(f"delivery:{wanted.delivery}"):
                return Entered.of(earlier)
            attempt = Attempt(self._register(), id)
            try:
                return self._try(wanted, attempt)
            except Taken:  # by a copy of the same delivery: it is answered as that one was
                continue
            except Conflict as conflict:  # a number that is given already is drawn anew
                id = "" if attempt.id and str(conflict).endswith(f":{attempt.id}") else attempt.id
        raise Stale("Others are writing this record. Nothing was done. Please try again.")

    def _today(self) -> date:
        """Records are numbered by the day in the zone of the configuration."""
        return self._now().astimezone(ZoneInfo(self._site.timezone)).date()

    @staticmethod
    def _ask(change: Change, request: Request | None) -> None:
        """Let what follows be worked on, if anything does."""
        if request is not None:
            change.put(request, was="").show(request, priority=2).work(request, timeout=JOB_TIMEOUT)

    def _commit(self, change: Change, wanted: Wanted, answer: Entered, **facts: str) -> None:
        change.audit("entered", act=_act(wanted), by=wanted.actor.user, team=wanted.actor.team, **facts)
        masked = replace(answer, answer=self._state.redact(answer.answer))
        with tracing.span("enter", request=facts["id"], command=_act(wanted)):
            change.once(f"delivery:{wanted.delivery}", masked.kept(), _REMEMBER_DELIVERY).commit()
            log.info("%s: %s entered", facts["id"], _act(wanted))

    def _refused(self, wanted: Wanted, reason: str) -> None:
        who = {"by": wanted.actor.user, "team": wanted.actor.team}
        line = self._state.change()
        line.audit(
            "refused", id=self._named(wanted), act=_act(wanted), reason=self._public(reason), **who
        ).commit()


def _act(wanted: Wanted) -> str:
    return f"{wanted.args.word} {wanted.args.verb}".strip()
