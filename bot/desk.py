"""The application's verbs, with no vendor types in or out: submit a command, decide on a change.

Everything typed, pressed or scheduled enters at `submit`; the same text gives the same request wherever
it came from. Nothing is answered as accepted before it is stored.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot import access, tracing
from bot.access import Holder
from bot.care import Carer, NeedsWord, Wish
from bot.casebook import Casebook
from bot.changeclerk import ChangeClerk
from bot.clerk import Clerk
from bot.decisions import Decided, Decisions, NeedsReason
from bot.givens import Wanted, no_incident
from bot.meant import spelt_out
from bot.outbox import Outbox
from bot.people import People
from bot.state import JOB_TIMEOUT, Conflict, State, Taken, new_id
from commands import grammar, words
from commands.alertreads import Called, Occurrences
from commands.catalog import Catalog
from commands.command import Command
from commands.entry import Otherwise
from commands.errors import Denied, SayBack, UsageError
from commands.finding import Suggestion
from commands.form import FieldErrors, Form, NeedsForm
from commands.model import Actor, Args, Place, Read, Reads, Request, Section, Seen, Whisper
from commands.numbers.turns import turns
from commands.reads import DeadLetters, EffectiveConfig, Now, RunLog, Whoami, WhoamiView
from commands.response.seeing import may_see
from commands.response.task import Task
from commands.responsereads import (
    Asker,
    Awaiting,
    Duty,
    EventsOf,
    HouseZone,
    IncidentOf,
    Incidents,
    OnCallTurns,
    OpenIncidents,
    Tasks,
)
from commands.site import ClusterSite, Site

log = logging.getLogger(__name__)

# Slack repeats an event for about six minutes, and a captured request stays valid for five.
_REMEMBER_DELIVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a person said to the bot. delivery: what makes copies of the same delivery recognisable."""

    actor: Actor
    place: Place
    text: str
    delivery: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the asker alone is told at once: that a card follows, a page, or why not. needs_reason: all is in
    order, and the asker must only say why. form: the window that asks for what is missing. entered: it stands in a
    record, and the text is all that says so to the asker."""

    text: str = ""
    sections: tuple[Section, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    accepted: bool = False
    needs_reason: bool = False
    form: Form | None = None
    entered: bool = False


class Desk:
    """`read_own` answers the reads that only the bot's own store can answer."""

    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        people: People,
        *,
        effective_config: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._effective_config = effective_config
        self._now = now
        self._decisions = Decisions(state, catalog, site, people, now)
        self._casebook = Casebook(state, site)
        self._carer = Carer(state, self._casebook, people, now)
        self._clerk = Clerk(state, catalog, site, people, now)
        self._changes = ChangeClerk(state, catalog, site, people, now)

    def submit(self, said: Said) -> Receipt:
        """Take a command text; the receipt says what became of it. RedisError: nothing was accepted."""
        try:
            return self._submit(said)
        except grammar.Misspelt as slip:
            return Receipt(str(slip), suggestions=(slip.suggestion,) if slip.suggestion else ())
        except Otherwise as refusal:
            return Receipt(str(refusal), suggestions=refusal.suggestions)
        except SayBack as refusal:
            return Receipt(str(refusal))

    def press(self, actor: Actor, verb: str, value: str, why: str = "") -> Receipt:
        """Take a button's decision (or that of the window it opened); value: what the button carries."""
        try:
            decided = Decided.pressed(actor, verb, value, why)
        except UsageError as refusal:
            self._decisions.refused(actor, verb, value[:40], str(refusal))
            return Receipt(str(refusal))
        return self.decide(decided)

    def decide(self, decided: Decided) -> Receipt:
        """Approve, reject or cancel a change. RedisError: nothing was decided."""
        try:
            return Receipt(self._decisions.carry_out(decided), accepted=True)
        except NeedsReason as missing:
            return Receipt(str(missing), needs_reason=True)
        except SayBack as refusal:
            return Receipt(str(refusal))

    def tend(self, actor: Actor, place: Place, verb: str, value: str, word: str = "") -> Receipt:
        """Take what somebody pressed about an alert (or chose in the window that opened); value: what the button
        carries, word: what was chosen. needs_reason: it must still be chosen."""
        try:
            return self._tend(Wish.pressed(actor, verb, value, word, place))
        except NeedsWord as missing:
            return Receipt(str(missing), needs_reason=True)
        except UsageError as refusal:
            self._carer.refused(actor, verb, value, str(refusal))
            return Receipt(str(refusal))

    def _tend(self, wish: Wish) -> Receipt:
        try:
            done = self._carer.carry_out(wish)
            # Where all was so already no thread shows it; who pressed a button has the card before them.
            return Receipt(done.answer, accepted=done.group is not None or wish.episode > 0)
        except NeedsWord as missing:
            return Receipt(str(missing), needs_reason=True)
        except SayBack as refusal:
            return Receipt(str(refusal))

    def fill(self, actor: Actor, place: Place, args: Args, delivery: str) -> Receipt:
        """Take a window that completes a command. Raises FieldErrors for what is wrong in one of its fields."""
        try:
            return self._enter(Wanted(self._catalog.find(args), args, actor, place, delivery))
        except FieldErrors:
            raise
        except Otherwise as refusal:
            return Receipt(str(refusal), suggestions=refusal.suggestions)
        except SayBack as refusal:
            return Receipt(str(refusal))

    def _enter(self, wanted: Wanted) -> Receipt:
        try:
            clerk = self._changes if wanted.command.word == "change" else self._clerk
            done = clerk.enter(wanted)
            return Receipt(done.answer, suggestions=done.suggestions, accepted=True, entered=True)
        except NeedsForm as missing:
            return Receipt(str(missing), form=missing.form)

    def whisper(self, said: Said, receipt: Receipt) -> None:
        """Tell only the asker, where no acknowledgement can carry a text (mentions and messages)."""
        note = Whisper(
            new_id("W"), said.actor.user, said.place, receipt.text, receipt.sections, receipt.suggestions
        )
        change = self._state.change().put(note, was="", keep=timedelta(days=1)).show(note, priority=2)
        try:
            change.once(f"whisper:{said.delivery}", note.id, _REMEMBER_DELIVERY).commit()
        except Taken:
            return  # a repeated delivery of the same message

    def _submit(self, said: Said) -> Receipt:
        parsed = grammar.parse(said.text, self._catalog.commands)
        args = self._meant(parsed.args, said)
        command = parsed.command if args.word == parsed.args.word else self._catalog.find(args)
        if command.decides and command.word == "alert":
            return self._tend(Wish.typed(said.actor, args, said.place))
        if command.decides:
            return self.decide(Decided.typed(said.actor, args))
        self._admit(said.actor, command, args)
        if command.entry is not None and command.enters(args):
            return self._enter(Wanted(command, args, said.actor, said.place, said.delivery))
        channel = self._people.channel_name(said.place.channel)
        cluster = self._site.cluster_for(channel, args.flags.get("cluster", ""))
        if command.change:
            self._admit_change(said.actor, args, cluster)
            self._demand_witness(said, args)
        parts = command.parts(args, cluster)
        if command.immediate:
            return Receipt(sections=tuple(self._look_up(part.inquiry, said) for part in parts.values()))
        self._demand_incident(said, args)
        if args.word == "incident" and args.name and not command.change:
            self._demand_closed_door(said, args)
        request = Request(
            id=new_id("R"),
            text=grammar.format(args),
            args=args,
            actor=said.actor,
            place=replace(said.place, private="private" in args.flags),
            cluster=cluster.name,
            created=self._now(),
            sections=tuple(Section(key, part.title) for key, part in parts.items()),
            why=args.flags.get("why", ""),
        )
        with tracing.span("submit", request=request.id, command=f"{args.word} {args.verb}".strip()):
            return self._open(replace(request, trace=tracing.carried()), said)

    def _meant(self, args: Args, said: Said) -> Args:
        """Spelt out; of a private incident only for who may know of it: to others it has no number either."""
        meant = spelt_out(args, said.place, self._casebook, self._clerk.records, self._changes.changes)
        is_found = meant.word == "incident" and meant.name != args.name
        return args if is_found and not self._is_known(meant.name, said) else meant

    def _is_known(self, id: str, said: Said) -> bool:
        """Whether there is such an incident, and its asker may know of it."""
        stored = self._clerk.records.incident(id)
        roles = self._people.holder(said.actor.user).roles
        return stored is not None and may_see(stored.record, said.actor.user, roles, said.place.channel)

    def _open(self, request: Request, said: Said) -> Receipt:
        change = self._state.change().put(request, was="").show(request, priority=2)
        change.work(request, timeout=JOB_TIMEOUT)
        change.audit(
            "submitted", id=request.id, by=said.actor.user, text=request.text, channel=said.place.channel
        )
        change.once(f"delivery:{said.delivery}", request.id, _REMEMBER_DELIVERY)
        try:
            change.commit()
        except Taken as earlier:
            return Receipt(_accepted(request, earlier.value), accepted=True)
        except Conflict:
            pass  # its id is new: the first try arrived, its answer got lost, and a worker was quick
        log.info("%s asked for: `%s`", request.id, request.text)
        return Receipt(_accepted(request, request.id), accepted=True)

    def _admit(self, actor: Actor, command: Command, args: Args) -> None:
        holder = self._people.holder(actor.user) if command.role != "anyone" else Holder(actor.user)
        decision = access.may_ask(actor, command, home_team=self._people.home_team(), holder=holder)
        if not decision.ok and command.change:
            self._decisions.refused(actor, "submit", grammar.format(args), decision.reason)
        if not decision.ok:
            raise Denied(decision.reason)

    def _demand_incident(self, said: Said, args: Args) -> None:
        """What is asked for in an incident stands in its timeline: not in one that the asker may not know of."""
        named = args.flags.get("incident", "")
        whole = self._clerk.records.whole(named) if named else ""
        if named and not self._is_known(whole, said):
            raise no_incident(named)

    def _demand_closed_door(self, said: Said, args: Args) -> None:
        """What is private is told to who may know of it, and where nobody else reads it."""
        stored, channel = self._clerk.records.incident(args.name), said.place.channel
        if stored is None or not self._is_known(args.name, said):
            raise no_incident(args.name)
        room = stored.record.room
        is_heard = not (channel.startswith("D") or "private" in args.flags)
        if stored.record.is_private and is_heard and not (room.is_own and room.channel == channel):
            raise UsageError(
                f"{args.name} is private: ask in its channel, or with `--private`. Nothing was done."
            )

    def _demand_witness(self, said: Said, args: Args) -> None:
        """What only its requester sees nobody else can approve."""
        is_private = "private" in args.flags or said.place.channel.startswith("D")
        is_own = self._site.approvals.self_approve or words.is_own(args.word, args.verb)
        if is_private and "dry-run" not in args.flags and not is_own:
            raise UsageError(
                f"Somebody else must see `{grammar.format(args)}` before it is done, so ask for it in a channel "
                "and without `--private`. Here you may add `--dry-run`. Nothing was done."
            )

    def _admit_change(self, actor: Actor, args: Args, cluster: ClusterSite) -> None:
        decision = self._people.may_act(actor)
        if decision.ok:
            deed = access.Deed.typed(args, cluster)
            decision = access.may_submit(self._people.holder(actor.user), self._site.access, deed)
        if not decision.ok:
            self._decisions.refused(actor, "submit", grammar.format(args), decision.reason)
            raise Denied(decision.reason)

    def _look_up(self, inquiry: Any, said: Said) -> Section:
        try:
            reads: Reads = next(inquiry)
            while True:
                reads = inquiry.send(Seen({read: self._own(read, said) for read in reads}))
        except StopIteration as done:
            section: Section = done.value
            return section

    def _own(self, read: Read, said: Said) -> Any:
        actor = said.actor
        match read:
            case RunLog():
                return self._state.run_views(self._now())
            case DeadLetters():
                return Outbox(self._state).dead_letters()
            case Whoami():
                return self._whoami(actor.user)
            case EffectiveConfig():
                return self._effective_config
            case Now():
                return self._now()
            case Called():
                return {user: name for user in read.users if (name := self._state.called(user))}
            case Occurrences():
                return self._casebook.occurrences(read.window, self._now(), read.cluster)
            case OnCallTurns():
                return Duty(turns(self._site, read.start, read.end), self._site.timezone)
            case HouseZone():
                return self._site.timezone
            case Asker():
                return actor.user
            case Tasks():
                return self._tasks(read, actor)
            case Awaiting():
                return self._awaiting(actor)
            case IncidentOf() | OpenIncidents() | Incidents() | EventsOf():
                return self._response(read, said)
        raise AssertionError(f"an immediate command reads only the bot's own store, not {read}")

    def _response(self, read: Read, said: Said) -> Any:
        """Of the records of incidents, as far as the asker may know of them."""
        user, channel, records = said.actor.user, said.place.channel, self._clerk.records
        roles = self._people.holder(user).roles
        match read:
            case IncidentOf() | EventsOf():
                stored = records.incident(read.id)
                found_one = stored.record if stored and may_see(stored.record, user, roles, channel) else None
                if isinstance(read, IncidentOf):
                    return found_one
                return records.events(read.id, read.start, read.count) if found_one else ()
            case OpenIncidents():
                found = records.open_incidents()
            case Incidents():
                found = records.told_between(read.start, read.end)
            case _:
                raise AssertionError(f"not a read of the records: {read}")
        mine = (each for each in found if may_see(each, user, roles, channel))
        return tuple(each for each in mine if read.cluster in ("", each.cluster))

    def _tasks(self, read: Tasks, actor: Actor) -> tuple[Task, ...]:
        """Of a private incident only for who may know of that, and whose they are."""
        roles = self._people.holder(actor.user).roles
        found = self._clerk.tasks.told(read.since)
        return tuple(each for each in found if self._clerk.givens.may_know(each, actor.user, roles))

    def _awaiting(self, actor: Actor) -> tuple[Request, ...]:
        """Not what is asked for in the channel of a private incident that the actor may not know of."""
        roles, records = self._people.holder(actor.user).roles, self._clerk.records
        waiting = self._decisions.waiting_for(actor.user)
        rooms = records.rooms(each.place.channel for each in waiting)
        hidden = {channel for channel, of in rooms.items() if not may_see(of, actor.user, roles)}
        return tuple(each for each in waiting if each.place.channel not in hidden)

    def _whoami(self, user: str) -> WhoamiView:
        holder = self._people.holder(user)
        return WhoamiView(
            roles=holder.roles,
            unsure=holder.unsure,
            changes=access.lines_of(holder, self._site.access, self._site.clusters),
            grants=access.grants_of(holder, self._site.access),
            user=user,
        )


def _accepted(request: Request, id: str) -> str:
    where = "in your direct messages" if request.place.private else "here"
    return f"On it: `{request.text}` ({id}). The answer follows {where}."
