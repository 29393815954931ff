"""Carries out what people decide about a change: approve, reject, cancel, by button or typed.

An approval names what was seen: a button carries the request, the turn and the digest of its plan; what is
typed means the first showing unless it names another. Every check is made again on the record as it is now,
and its compare-and-set lets one decision through, however many come at once. A refusal is written to the
audit and told to the actor alone. Called by bot/desk.py; nothing here touches a cluster.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot import access, tracing
from bot.metrics import APPROVAL_TOOK, APPROVALS
from bot.outbox import Outbox
from bot.people import People
from bot.state import JOB_TIMEOUT, KEEP, Change, Conflict, State, Stored, card_of
from commands import words
from commands.catalog import Catalog
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.grammar import visible
from commands.model import Actor, Args, Request
from commands.model import State as Standing
from commands.plan import Approval, Asking, Plan
from commands.site import Site

log = logging.getLogger(__name__)

Verb = Literal["approve", "reject", "cancel"]

_VERBS: tuple[Verb, ...] = ("approve", "reject", "cancel")
_BUTTON = re.compile(r"(R[A-Z0-9]{1,20}) ([1-9][0-9]{0,5}) ([0-9a-f]{16})")
# In ASCII: to Python a dotless i is a small I.
_TYPED = re.compile(r"(R[A-Z0-9]{1,20})(?:\.([1-9][0-9]{0,5}))?", re.IGNORECASE | re.ASCII)
_TRIES = 25  # a worker may be writing the same record
_REASON = 500  # characters of a reason; more is not read on a card

_NOTHING = "Nothing was done."


class NeedsReason(SayBack):
    """Everything else is in order: the actor must only say why."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decided. turn and digest: of the plan that was seen; digest "" when it was typed."""

    actor: Actor
    verb: Verb
    request: str
    turn: int = 1
    digest: str = ""
    why: str = ""

    @classmethod
    def pressed(cls, actor: Actor, verb: str, value: str, why: str = "") -> "Decided":
        """Of a button with this value; raises UsageError for a value that no button of the bot has."""
        found = _BUTTON.fullmatch(value)
        if found is None or verb not in _VERBS:
            raise UsageError(f"This button does not say which change it is about. {_NOTHING}")
        which = next(each for each in _VERBS if each == verb)
        return cls(actor, which, found[1], int(found[2]), found[3], why)

    @classmethod
    def typed(cls, actor: Actor, args: Args) -> "Decided":
        """Of `task approve ID`; raises UsageError where that names no change."""
        which = next(each for each in _VERBS if each == args.verb)
        found = _TYPED.fullmatch(args.name)
        if found is None:
            line = f"/sre {which} ID{' REASON' if which == 'reject' else ''}"
            raise UsageError(f"Name the change: `{line}`, as its card shows it. {_NOTHING}")
        why = args.rest or args.flags.get("why", "")
        return cls(actor, which, found[1].upper(), int(found[2] or 1), "", why)


def _reason(text: str, redact: Callable[[str], str]) -> str:
    """One line of what can be seen. Redacted before it is cut: half a secret does not look like one any more."""
    return redact(" ".join(visible(text).split()))[:_REASON]


class Decisions:
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._now = now

    def carry_out(self, decided: Decided) -> str:
        """Decide, and say what was decided. Raises NeedsReason; Denied or Stale after writing that down."""
        decided = replace(decided, why=_reason(decided.why, self._state.redact))
        try:
            for _ in range(_TRIES):
                try:
                    return self._carry_out(decided)
                except Conflict:
                    continue
            raise Stale(f"{decided.request} is being written by others. {_NOTHING} Please try again.")
        except NeedsReason:
            raise
        except SayBack as refusal:
            self.refused(decided.actor, decided.verb, decided.request, str(refusal))
            raise

    def refused(self, actor: Actor, verb: str, subject: str, reason: str) -> None:
        """Write down who was not let, from doing what, and why."""
        APPROVALS.labels("refused").inc()
        line = self._state.change()
        line.audit("refused", id=subject, by=actor.user, team=actor.team, act=verb, reason=reason).commit()

    def _carry_out(self, decided: Decided) -> str:
        _demand(self._people.may_act(decided.actor))
        stored = self._state.request(decided.request)
        if stored is None or self._catalog.find(stored.record.args).change is None:
            raise Stale(f"There is no change {decided.request}, or not any more. {_NOTHING}")
        match decided.verb:
            case "approve":
                return self._approve(stored, decided)
            case "reject":
                return self._reject(stored, decided)
            case "cancel":
                return self._cancel(stored, decided)

    # --- approve and reject ---

    def waiting_for(self, user: str) -> tuple[Request, ...]:
        """The changes of others that this user may approve and has not, the longest waiting first."""
        found = [
            each for each in self._state.open_requests() if each.state is Standing.AWAITING and each.asking
        ]
        return self.waiting_among(found, user)

    def waiting_among(self, awaiting: Iterable[Request], user: str) -> tuple[Request, ...]:
        """Of these, which all are put before people."""
        mine = (each for each in awaiting if self._waits_for(user, each))
        return tuple(sorted(mine, key=lambda each: each.created))

    def _waits_for(self, user: str, request: Request) -> bool:
        agreed = {each.user for each in request.asking.approvals} if request.asking else set()
        is_own = self._is_same(user, request.actor.user) or _is_own(request)
        return not is_own and user not in agreed and self._may_agree(user, request, _deed(request)).ok

    def _approve(self, stored: Stored[Request], decided: Decided) -> str:
        request, user = stored.record, decided.actor.user
        is_self = self._is_same(user, request.actor.user)
        own = _is_own(request)
        if (
            is_self and not own and not self._may_approve_own(request)
        ):  # before the role: this holds for every role
            as_ = self._as(user, request.actor.user)
            raise Denied(
                f"You asked for {request.id} yourself{as_}: somebody else must approve it. {_NOTHING}"
            )
        if not (is_self and own):  # whose right to ask for it is demanded below
            self._demand_role(user, request)
        asking = self._asked(stored, decided)
        if not decided.digest and not is_self:
            self._demand_card(request)
        earlier = next((each.user for each in asking.approvals if self._is_same(each.user, user)), "")
        if earlier:
            as_ = self._as(user, earlier)
            raise Stale(f"You approved {request.id} already{as_}; it needs {asking.needed} different people.")
        self._demand_requester(request)
        if self._site.approvals.reason_required and not (own or request.why or decided.why):
            typed = f"`/sre approve {_typed_id(request)} REASON`"
            raise NeedsReason(
                f"{request.id} was asked for without a reason, so give one: {typed}. {_NOTHING}"
            )
        everybody = (*self._valid(asking, request), Approval(user, self._now(), is_self))
        agreed = tuple(replace(each, person=self._site.person(each.user)) for each in everybody)
        return self._agree(stored, replace(asking, approvals=agreed), decided)

    def _valid(self, asking: Asking, request: Request) -> tuple[Approval, ...]:
        """The approvals of those who still may: whoever lost the role meanwhile counts no more."""
        deed = _deed(request)
        return tuple(each for each in asking.approvals if self._may_agree(each.user, request, deed).ok)

    def _agree(self, stored: Stored[Request], asking: Asking, decided: Decided) -> str:
        request = stored.record
        to = Standing.APPROVED if asking.is_granted else Standing.AWAITING
        moved = request.move(to, asking=asking, why=request.why or decided.why)
        change = self._state.change().put(moved, was=stored.version).show(moved, priority=1)
        if asking.is_granted:
            change.line_up(moved).work(moved, timeout=JOB_TIMEOUT)
        what = "approved" if asking.is_granted else "agreed"
        change.audit(what, **_facts(moved, decided), turn=str(asking.turn)).commit()
        self._tell(request, what)
        if asking.is_granted:
            shown = asking.expires - self._site.approvals.expire
            APPROVAL_TOOK.observe(max((self._now() - shown).total_seconds(), 0.0))
            return f"Approved: `{request.text}` ({request.id})."
        return (
            f"Agreed: `{request.text}` ({request.id}) needs {asking.needed} people, and has {asking.agreed}."
        )

    def _reject(self, stored: Stored[Request], decided: Decided) -> str:
        request = stored.record
        self._demand_role(decided.actor.user, request)
        self._asked(stored, decided)
        if not decided.why:
            typed = f"`/sre reject {request.id} REASON`"
            raise NeedsReason(f"A rejection needs a reason: {typed}. {_NOTHING}")
        self._end(stored, Standing.REJECTED, decided)
        return f"Rejected: `{request.text}` ({request.id})."

    def _is_same(self, user: str, other: str) -> bool:
        """Whether these are one person: people, not accounts, are asked for."""
        return self._site.person(user) == self._site.person(other)

    def _as(self, user: str, other: str) -> str:
        return "" if user == other else f" as {self._people.called(other)} ({other})"

    def _may_approve_own(self, request: Request) -> bool:
        """Where the configuration says so now, and the card says so, too."""
        asking = request.asking
        return self._site.approvals.self_approve and asking is not None and asking.self_approve

    def _demand_role(self, user: str, request: Request) -> None:
        _demand(self._may_agree(user, request, _deed(request)))

    def _may_agree(self, user: str, request: Request, deed: access.Deed) -> access.Decision:
        """Of a change that its requester may confirm: whoever may ask for the like may confirm it, too."""
        holder = self._people.holder(user)
        may = access.may_approve(holder, self._site.access, deed)
        if may.ok or not _is_own(request):
            return may
        return access.may_submit(holder, self._site.access, deed)

    def _demand_requester(self, request: Request) -> None:
        """The plan shows more of what is touched than the text that was let in, and roles change."""
        holder = self._people.holder(request.actor.user)
        let = access.may_submit(holder, self._site.access, _deed(request))
        if not let.ok:
            raise Denied(
                f"{self._people.called(request.actor.user)}, who asked for it, is told: {let.reason}"
            )

    def _asked(self, stored: Stored[Request], decided: Decided) -> Asking:
        """What is asked of people now, if that is what the actor saw and it is still in time."""
        request, asking = stored.record, stored.record.asking
        if request.state is not Standing.AWAITING or asking is None:
            raise Stale(f"{self._standing_of(request)} {_NOTHING}")
        is_typed_no = decided.verb == "reject" and not decided.digest
        is_seen = decided.turn == asking.turn and decided.digest in ("", asking.digest)
        if not (is_seen or is_typed_no):
            raise Stale(
                f"{request.id} was shown differently since: its plan has changed. {_NOTHING} Look at the card; "
                "it has the button, and the line to type, for the plan as it is now."
            )
        if self._now() >= asking.expires:
            self._end(stored, Standing.EXPIRED, decided)
            raise Stale(
                f"{request.id} expired at {asking.expires:%H:%M:%S} UTC. {_NOTHING} Ask for it again."
            )
        return asking

    def _demand_card(self, request: Request) -> None:
        """A button was on the card. Who types must have been able to see it: where the bot may not post, it goes
        to the requester alone."""
        card = Outbox(self._state).sent(card_of(request)).get("card")
        if card and card.channel.startswith(("@", "D")):
            raise Stale(
                f"Only the requester can see what {request.id} would do: the bot may not post where it was asked "
                f"for. {_NOTHING} Invite the bot there, and ask again."
            )

    def _standing_of(self, request: Request) -> str:
        asking = request.asking
        match request.state:
            case Standing.READING:
                return f"{request.id} is still being planned."
            case Standing.REJECTED | Standing.CANCELLED:
                return f"{request.id} was {request.state} by {self._people.called(request.ended_by)} already."
            case Standing.EXPIRED:
                return f"{request.id} expired."
        if asking is None or not asking.is_granted:
            return f"{request.id} asks for no approval: it is {request.state}."
        names = " and ".join(self._people.called(each.user) for each in asking.approvals)
        return f"{request.id} was already approved by {names}; it is {request.state}."

    # --- break-glass ---

    def broken(self, change: Change, id: str, actor: Actor, incident: str) -> None:
        """Add to a change what the commander of an incident approves alone: whatever is still missing of the people it
        needs. Who may neither ask for the like nor approve it may not break the glass either."""
        stored = self._state.request(id)
        if stored is None:
            raise Stale(f"There is no change {id}, or not any more. {_NOTHING}")
        request, decided = stored.record, Decided(actor, "approve", id, why=f"break-glass in {incident}")
        if request.state is not Standing.AWAITING or request.asking is None:
            raise Stale(f"{self._standing_of(request)} {_NOTHING}")
        if self._now() >= request.asking.expires:
            raise Stale(
                f"{id} expired at {request.asking.expires:%H:%M:%S} UTC. {_NOTHING} Ask for it again."
            )
        self._demand_trusted(actor.user, request)
        self._demand_requester(request)
        approval = Approval(actor.user, self._now(), person=self._site.person(actor.user))
        asking = replace(
            request.asking, approvals=(*request.asking.approvals, approval), broken_by=actor.user
        )
        moved = request.move(Standing.APPROVED, asking=asking, why=request.why or decided.why)
        change.put(moved, was=stored.version).show(moved, priority=1).line_up(moved)
        change.work(moved, timeout=JOB_TIMEOUT)
        change.audit("approved", **_facts(moved, decided), turn=str(asking.turn), glass=incident)

    def _demand_trusted(self, user: str, request: Request) -> None:
        holder, deed = self._people.holder(user), _deed(request)
        may = access.may_approve(holder, self._site.access, deed)
        _demand(may if may.ok else access.may_submit(holder, self._site.access, deed))

    # --- cancel ---

    def _cancel(self, stored: Stored[Request], decided: Decided) -> str:
        """Stopping is the safe direction, so it is bound to no showing of the plan."""
        request, user = stored.record, decided.actor.user
        if not self._is_same(user, request.actor.user):
            _demand(access.may_stop(self._people.holder(user), self._site.access, _deed(request)))
        if request.state is Standing.APPLYING:
            return self._stop(stored, decided)
        if not request.is_open:
            by = f" by {self._people.called(request.ended_by)}" if request.ended_by else ""
            raise Stale(f"{request.id} is over: {request.state}{by}. {_NOTHING}")
        self._end(stored, Standing.CANCELLED, decided)
        return f"Cancelled: `{request.text}` ({request.id}). Nothing of it was done."

    def _stop(self, stored: Stored[Request], decided: Decided) -> str:
        """Leave word for the worker that is at it: it writes the record too, so this may need several tries."""
        request, progress = stored.record, stored.record.progress
        if progress is None or progress.cancelled_by:
            by = self._people.called(progress.cancelled_by) if progress else "the bot"
            raise Stale(f"{request.id} is being stopped by {by} already; that begins nothing more.")
        stopping = replace(progress, cancelled_by=decided.actor.user)
        moved = request.move(Standing.APPLYING, progress=stopping, ended_why=decided.why)
        change = self._state.change().put(moved, was=stored.version).show(moved, priority=1)
        change.audit("stopping", **_facts(moved, decided)).commit()
        self._tell(request, "stopping")
        return f"Stopping: `{request.text}` ({request.id}) begins nothing more. Its card says what stands."

    # --- writing down ---

    def _end(self, stored: Stored[Request], to: Standing, decided: Decided) -> None:
        is_decided = to is not Standing.EXPIRED
        ended = stored.record.move(
            to,
            finished=self._now(),
            behind="",
            ended_by=decided.actor.user if is_decided else "",
            ended_why=decided.why if is_decided else "",
        )
        change: Change = self._state.change().put(ended, was=stored.version, keep=KEEP)
        change.show(ended, priority=1).close(ended)
        change.audit(to.value, **_facts(ended, decided if is_decided else None)).commit()
        self._tell(ended, to.value)

    def _tell(self, request: Request, what: str) -> None:
        APPROVALS.labels(what).inc()
        with tracing.span("decide", request=request.id, after=request.trace, outcome=what):
            log.info("%s %s", request.id, what)


def _demand(decision: access.Decision) -> None:
    if not decision.ok:
        raise Denied(decision.reason)


def _deed(request: Request) -> access.Deed:
    return access.Deed.planned(request.args, request.cluster, request.plan or Plan(request.text))


def _is_own(request: Request) -> bool:
    """Where the vocabulary says so now, and the card says so, too."""
    asking = request.asking
    return asking is not None and asking.own and words.is_own(request.args.word, request.args.verb)


def _typed_id(request: Request) -> str:
    """How the id is typed for the plan as it is shown now."""
    turn = request.asking.turn if request.asking else 1
    return request.id if turn == 1 else f"{request.id}.{turn}"


def _facts(request: Request, decided: Decided | None) -> dict[str, str]:
    """What an audit line of a decision says beside what its request says of itself."""
    facts = {"id": request.id, "requester": request.actor.user, "text": request.text}
    if decided is not None:
        facts |= {"by": decided.actor.user, "reason": decided.why}
    return facts
