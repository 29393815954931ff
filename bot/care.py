"""Carries out what people decide about an alert: take notice, have it in hand or hand it over, snooze, mark.

Every member of the workspace may; a refusal is told to the actor alone and written to the audit. The group
that is meant, and the episode a button was pressed under, are looked up on the record as it is now, and its
compare-and-set lets every press count once. Called by bot/desk.py; nothing here touches a cluster.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot.access import Kind
from bot.casebook import Casebook
from bot.people import People
from bot.state import Conflict, State, Stored
from commands.errors import Denied, SayBack, Stale, Unreachable, UsageError
from commands.grammar import duration
from commands.model import Actor, AlertGroup, Args, Judged, Judgement, Place
from commands.model import Care as Cared
from commands.phrase import span

Verb = Literal["ack", "own", "snooze", "mark"]
VERBS: tuple[Verb, ...] = ("ack", "own", "snooze", "mark")

LONGEST_SNOOZE = timedelta(hours=4)
SNOOZE = timedelta(minutes=30)  # where nobody says for how long

_BUTTON = re.compile(r"(A[0-9a-f]{16}) ([1-9][0-9]{0,5})(?: (.{1,40}))?")
_USER = re.compile(r"@?([UW][A-Z0-9]{2,})")
_TRIES = 100  # the intake, the rounds and other people may be writing the same record
_JUDGED = 19  # earlier marks kept beside the last one
_LISTED = 10  # groups named where several may be meant

_NOTHING = "Nothing was done."


class NeedsWord(SayBack):
    """A button that does not say all: the actor must still choose."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants. subject: an id, its beginning or a name; "" for that of the place. episode: 0 for the
    one of now. word: whom to hand it to, how long to snooze, what to call it; "" for the usual."""

    actor: Actor
    verb: Verb
    place: Place
    subject: str = ""
    episode: int = 0
    word: str = ""

    @classmethod
    def pressed(cls, actor: Actor, verb: str, value: str, word: str, place: Place) -> "Wish":
        """Of a button or window with this value; raises UsageError for a value that no button of the bot has, and
        NeedsWord where it is to be handed over and nobody said to whom."""
        found, which = _BUTTON.fullmatch(value), _verb("own" if verb == "hand" else verb)
        if found is None or which is None:
            raise UsageError(f"This button does not say which alert it is about. {_NOTHING}")
        if verb == "hand" and not word:
            raise NeedsWord(f"Say whom to: `/sre alert own {found[1]} --to @…`. {_NOTHING}")
        return cls(actor, which, place, found[1], int(found[2]), word or found[3] or "")

    @classmethod
    def typed(cls, actor: Actor, args: Args, place: Place) -> "Wish":
        """Of `alert ack A…`; the name may be left out in the thread of an alert."""
        which = _verb(args.verb)
        if which is None:
            raise UsageError(f"`alert {args.verb}` decides nothing. {_NOTHING}")
        subject, word = args.name, args.flags.get("to", "") or args.flags.get("for", "")
        if which == "mark":
            subject, word = _marked(args)
        return cls(actor, which, place, subject, 0, word)


def _verb(name: str) -> Verb | None:
    return next((verb for verb in VERBS if verb == name), None)


def _marked(args: Args) -> tuple[str, str]:
    """The alert and what to call it: in a thread the alert is left out."""
    if args.rest:
        return args.name, args.rest
    try:
        _judgement(args.name)
    except UsageError:
        return args.name, ""
    return "", args.name


def _judgement(word: str) -> Judgement:
    plain = word.casefold().replace("-", " ").replace("_", " ").strip()
    known = {"false": Judgement.FALSE_ALARM, "info": Judgement.INFORMATIONAL}
    for judgement in Judgement:
        if plain == judgement.value or known.get(plain) is judgement:
            return judgement
    raise UsageError(f"Call it `actionable`, `informational` or `false-alarm`. {_NOTHING}")


@dataclass(frozen=True, slots=True)
class Decided:
    """What becomes of the group, None where all is as wished already, and what the actor is told. past: an earlier
    episode, and what people have done about that."""

    group: AlertGroup | None
    answer: str
    act: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    past: tuple[int, Cared] | None = None


class Carer:
    def __init__(self, state: State, casebook: Casebook, people: People, now: Callable[[], datetime]) -> None:
        self._state = state
        self._casebook = casebook
        self._people = people
        self._now = now

    def carry_out(self, wish: Wish) -> Decided:
        """Do it; says what was done. Raises NeedsWord; UsageError, Denied or Stale after writing that down."""
        try:
            for _ in range(_TRIES):
                try:
                    return self._carry_out(wish)
                except Conflict:
                    continue
            raise Stale(f"This alert is being written by others. {_NOTHING} Please try again.")
        except NeedsWord:
            raise
        except SayBack as refusal:
            self.refused(wish.actor, wish.verb, wish.subject, str(refusal))
            raise

    def refused(self, actor: Actor, verb: str, subject: str, reason: str) -> None:
        """Write down who was not let, from doing what, and why."""
        line = self._state.change()
        act = f"alert {verb}"
        line.audit(
            "refused", id=subject[:40], by=actor.user, team=actor.team, act=act, reason=reason
        ).commit()

    def _carry_out(self, wish: Wish) -> Decided:
        may = self._people.may_act(wish.actor)
        if not may.ok:
            raise Denied(may.reason)
        stored = self._meant(wish)
        decided = self._decide(stored.record, wish)
        if decided.group is not None:
            self._write(stored, decided.group, decided, wish)
        return decided

    def _write(self, stored: Stored[AlertGroup], group: AlertGroup, decided: Decided, wish: Wish) -> None:
        change = self._casebook.put(self._state.change(), stored, group, self._now(), is_awaited=True)
        if decided.past:
            self._casebook.care_for(change, group.id, *decided.past)
        facts = {"id": group.id, "by": wish.actor.user, "cluster": group.cluster, **dict(decided.facts)}
        change.audit(decided.act, episode=str(wish.episode or group.episode), **facts).commit()

    # --- which one ---

    def _meant(self, wish: Wish) -> Stored[AlertGroup]:
        found = self._candidates(wish)
        if len(found) > 1:
            raise UsageError(f"Which one? {_list(found)}. Type its id behind the verb. {_NOTHING}")
        stored = self._state.alert_group(found[0].id)
        if stored is None:
            raise Stale(f"There is no alert {found[0].id} any more. {_NOTHING}")
        return stored

    def _candidates(self, wish: Wish) -> tuple[AlertGroup, ...]:
        if wish.subject:
            found = self._casebook.named(wish.subject)
            if not found:
                is_unsaid = wish.verb == "mark" and not wish.word
                words = " Call one `actionable`, `informational` or `false-alarm`." if is_unsaid else ""
                raise UsageError(
                    f"There is no alert `{wish.subject[:40]}`, or not any more.{words} {_NOTHING}"
                )
            return found
        told = self._casebook.told_in(wish.place.channel, wish.place.thread)
        found = _waiting(told) if len(told) > 1 else told
        found = found or _waiting(self._casebook.shown_in(wish.place.channel))
        if not found:
            raise UsageError(
                f"No alert here waits for anybody. Name one: `/sre alert {wish.verb} A…`, as its card shows "
                f"it. {_NOTHING}"
            )
        return found

    # --- what becomes of it ---

    def _decide(self, group: AlertGroup, wish: Wish) -> Decided:
        if wish.verb == "mark":
            return self._mark(group, wish)
        if wish.episode and wish.episode != group.episode:
            raise Stale(
                f"This is over: {group.name} fired again since, and its newer card counts. {_NOTHING}"
            )
        match wish.verb:
            case "ack":
                return self._ack(group, wish)
            case "own":
                return self._own(group, wish)
            case "snooze":
                return self._snooze(group, wish)

    def _ack(self, group: AlertGroup, wish: Wish) -> Decided:
        care, user, name = group.care, wish.actor.user, group.name
        if care.acked and care.acked_by == user:
            return Decided(None, f"You have acknowledged {name} already ({group.id}).")
        if care.acked:
            since = span(self._now() - care.acked)
            raise Stale(f"{self._people.called(care.acked_by)} has it: acknowledged {since} ago. {_NOTHING}")
        if not group.firing:
            raise Stale(f"{name} ({group.id}) is resolved: there is nothing to acknowledge. {_NOTHING}")
        moved = _acked(group, user, self._now()).say("👀 acknowledged", self._now(), by=user)
        return Decided(moved, f"Acknowledged: {name} ({group.id}). It reminds nobody any more.", "acked")

    def _own(self, group: AlertGroup, wish: Wish) -> Decided:
        user, now = wish.actor.user, self._now()
        to = self._receiver(wish)
        owner = group.care.owner
        if owner == to:
            return Decided(None, f"{self._person(to, user)} {group.name} in hand already ({group.id}).")
        if owner and not wish.word:
            raise Stale(
                f"{self._people.called(owner)} has {group.name} in hand. To take it over: "
                f"`/sre alert own {group.id} --to me`. {_NOTHING}"
            )
        moved = replace(group, care=replace(group.care, owner=to))
        if to == user:
            moved = _acked(moved, user, now) if group.firing else moved
            from_whom = f" over from {self._people.called(owner)}" if owner else ""
            moved = moved.say(f"🙋 taken{from_whom}", now, by=user)
            return Decided(moved, f"You have {group.name} in hand ({group.id}).", "owned")
        moved = moved.say("🤝 is in your hands: handed over", now, mention=to, by=user)
        answer = f"Handed over to {self._people.called(to)}: {group.name} ({group.id})."
        return Decided(moved, answer, "handed over", (("to", to),))

    def _person(self, to: str, user: str) -> str:
        return "You have" if to == user else f"{self._people.called(to)} has"

    def _receiver(self, wish: Wish) -> str:
        if wish.word.casefold().removeprefix("@") in ("", "me"):
            return wish.actor.user
        found = _USER.fullmatch(wish.word)
        if found is None:
            raise UsageError(
                f"Choose whom from Slack's list behind `--to @`, so that it is clear. {_NOTHING}"
            )
        try:
            kind = self._people.kind_of(found[1])
        except Unreachable as error:
            raise Denied(f"{error.reason}. {_NOTHING} Please try again in a minute.") from error
        if kind is not Kind.MEMBER:
            raise Denied(f"Only a member of this workspace can have an alert in hand. {_NOTHING}")
        return found[1]

    def _snooze(self, group: AlertGroup, wish: Wish) -> Decided:
        length = duration(wish.word) if wish.word else SNOOZE
        if length > LONGEST_SNOOZE:
            raise UsageError(f"A snooze lasts {span(LONGEST_SNOOZE)} at most. {_NOTHING}")
        if not group.firing:
            raise Stale(f"{group.name} ({group.id}) is resolved: there is nothing to snooze. {_NOTHING}")
        now, user = self._now(), wish.actor.user
        until = now + length
        care = group.care
        if care.snoozed_by == user and care.snoozed and abs(care.snoozed - until) < timedelta(seconds=30):
            return Decided(None, f"{group.name} is snoozed already ({group.id}).")  # the same press, again
        moved = replace(group, care=replace(care, snoozed=until, snoozed_by=user))
        moved = moved.say(f"💤 no reminder for {span(length)}, wanted", now, by=user)
        answer = f"No reminder of {group.name} ({group.id}) for {span(length)}."
        return Decided(moved, answer, "snoozed", (("until", until.isoformat(timespec="seconds")),))

    def _mark(self, group: AlertGroup, wish: Wish) -> Decided:
        """Also of what is over: that is when people know."""
        if not wish.word:
            raise NeedsWord(f"Say what it was: `/sre alert mark {group.id} false-alarm`. {_NOTHING}")
        if wish.episode > group.episode:
            raise Stale(f"There is no such episode of {group.name}. {_NOTHING}")
        judgement, now, user = _judgement(wish.word), self._now(), wish.actor.user
        is_past = 0 < wish.episode < group.episode
        care = (self._casebook.care_of(group.id, wish.episode) or Cared()) if is_past else group.care
        if care.judged and (care.judged[-1].judgement, care.judged[-1].by) == (judgement, user):
            return Decided(None, f"You have marked {group.name} as {judgement} already ({group.id}).")
        care = replace(care, judged=(*care.judged[-_JUDGED:], Judged(judgement, user, now)))
        what = "the time before " if is_past else ""
        moved = (group if is_past else replace(group, care=care)).say(
            f"🏷️ {what}marked as {judgement}", now, by=user
        )
        past = (wish.episode, care) if is_past else None
        answer = f"Marked as {judgement}: {group.name} ({group.id})."
        return Decided(moved, answer, "marked", (("judgement", judgement.value),), past)


def _acked(group: AlertGroup, user: str, now: datetime) -> AlertGroup:
    if group.care.acked:
        return group
    return replace(group, care=replace(group.care, acked=now, acked_by=user))


def _waiting(groups: tuple[AlertGroup, ...]) -> tuple[AlertGroup, ...]:
    return tuple(group for group in groups if group.firing and not group.care.acked)


def _list(groups: tuple[AlertGroup, ...]) -> str:
    told = "; ".join(f"`{group.id}` {group.name}" for group in groups[:_LISTED])
    more = len(groups) - _LISTED
    return f"{told}; and {more} more" if more > 0 else told
