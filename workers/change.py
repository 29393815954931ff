"""Walks a change from the typed line to its first step: plan, ask, plan again, begin.

What follows (workers/applying.py) is walked by the same turns: whoever holds the request's lease takes it as
far as it goes, gives the worker back when other jobs wait, and the next turn, by this worker or another,
begins from the record. So taking over after a crash is no path of its own.
"""

import logging
import time
from dataclasses import replace
from datetime import timedelta

from bot import tracing
from bot.metrics import APPROVALS, phase
from bot.state import Stored
from commands import words
from commands.change import Who, drift
from commands.errors import SayBack
from commands.finding import Finding, Light
from commands.model import Request
from commands.model import State as Standpoint
from commands.plan import Asking, Go, Plan, Progress
from workers.applying import Agenda, Applying
from workers.house import House, command_of, said_of
from workers.walk import walk

log = logging.getLogger(__name__)

# How long the reads of one plan may take, in seconds.
PLAN_SECONDS = 40.0

_AGENDAS = 50  # of changes that another process may have ended

# An approval that could not be used for so long, behind other changes, is not what people meant any more.
USE_WITHIN = timedelta(hours=1)


class Changes:
    def __init__(self, house: House) -> None:
        self._house = house
        self._state = house.state
        self._agendas: dict[str, Agenda] = {}

    def advance(self, stored: Stored[Request]) -> timedelta | None:
        """Take an open change as far as it goes now; after how long it wants another turn, None for never.

        The caller holds the request's lease. Raises Conflict or Lost when somebody else was quicker.
        """
        match stored.record.state:
            case Standpoint.READING:
                self._plan(stored)
            case Standpoint.AWAITING:
                self._wait(stored)
            case Standpoint.APPROVED:
                begun = self._begin(stored)
                return self._turn(begun) if begun else None
            case Standpoint.APPLYING:
                return self._turn(stored)
        return None

    def _turn(self, stored: Stored[Request]) -> timedelta | None:
        """With what this process knows of earlier turns: who waits behind makes them short, and a server that
        said "later" is not asked at each. Nothing is lost with it but patience."""
        if len(self._agendas) > _AGENDAS:
            self._agendas.clear()
        agenda = self._agendas.setdefault(stored.record.id, {})
        after = Applying(self._house, stored, agenda).turn()
        if after is None:
            del self._agendas[stored.record.id]
        return after

    # --- plan and ask ---

    def _plan(self, stored: Stored[Request]) -> None:
        request = stored.record
        plan = self._planned(request)
        if "dry-run" in request.args.flags and plan.go is not Go.BLOCKED:
            self._house.end(stored, request.move(Standpoint.ANSWERED, plan=plan), "dry run")
        elif plan.go is Go.NOTHING:
            self._house.end(stored, request.move(Standpoint.ANSWERED, plan=plan), "nothing to do")
        elif plan.go is Go.BLOCKED:
            self._house.end(stored, request.move(Standpoint.BLOCKED, plan=plan), "blocked")
        else:
            self._ask(stored, plan, turn=1)

    def _planned(self, request: Request) -> Plan:
        change = self._house.change_of(request)
        why = self._state.redact(request.why)  # it goes into annotations, which many may read
        who = Who(request.id, request.actor.user, why, request.created)
        reader = self._house.reader(request.cluster)
        try:
            inquiry = change.plan(request.args, self._house.cluster(request), who)
            with tracing.span("plan"), phase(command_of(request), "plan"):
                plan = walk(inquiry, reader, time.monotonic() + PLAN_SECONDS)
        except SayBack as refusal:
            no = Finding("plan.refused", "Cannot be planned", Light.RED, value=str(refusal))
            return Plan(request.text, (no,))
        findings = (self._house.with_buttons(finding, request.cluster) for finding in plan.findings)
        return replace(plan, findings=tuple(findings), undo=self._here(plan.undo, request.cluster))

    def _here(self, undo: str, cluster: str) -> str:
        """The way back, in the cluster of the change, wherever it is typed."""
        name = self._house.site.told_apart(cluster)
        return f"{undo} --cluster {name}" if undo and name else undo

    def _ask(self, stored: Stored[Request], plan: Plan, turn: int, changed: tuple[str, ...] = ()) -> None:
        request, approvals = stored.record, self._house.site.approvals
        needed = max(_approvers(request), plan.approvers)
        expires = self._house.now() + approvals.expire
        line, own = (
            f"{request.args.word} {request.args.verb}",
            words.is_own(request.args.word, request.args.verb),
        )
        roles = self._house.site.approver_roles(line, request.cluster, own=own)
        asking = Asking(
            turn,
            plan.digest,
            needed,
            expires,
            changed=changed,
            self_approve=approvals.self_approve,
            roles=roles,
            own=own,
        )
        asked = request.move(Standpoint.AWAITING, plan=plan, asking=asking, behind="")
        change = self._state.change().put(asked, was=stored.version).show(asked, priority=1)
        change.step_out(request).wake(asked, approvals.expire)
        change.audit(
            "planned", **said_of(asked), go=plan.go.value, turn=str(turn), changed="; ".join(changed)
        )
        change.commit()
        log.info("%s planned, turn %s: people are asked", asked.id, turn)

    def _wait(self, stored: Stored[Request]) -> None:
        request, asking = stored.record, stored.record.asking
        assert asking is not None, "a request that is awaited was put before people"
        left = asking.expires - self._house.now()
        if left > timedelta():
            # Written with its version: an approval that came meanwhile wants its turn now.
            saved = self._state.change().put(request.move(Standpoint.AWAITING), was=stored.version)
            saved.wake(request, left).commit()
        else:
            self._house.end(stored, request.move(Standpoint.EXPIRED), "nobody decided in time")
            APPROVALS.labels("expired").inc()

    # --- begin ---

    def _begin(self, stored: Stored[Request]) -> Stored[Request] | None:
        """From approved to applying, or to waiting, asking again or an end: then None."""
        request, shown, asking = stored.record, stored.record.plan, stored.record.asking
        if asking is None or shown is None or not asking.is_granted:
            raise AssertionError(f"{request.id} was not approved as it stands")
        if self._house.now() - max(each.at for each in asking.approvals) > USE_WITHIN:
            self._house.end(stored, request.move(Standpoint.EXPIRED), "approved, and could not begin in time")
            return None
        if self._is_behind(stored):
            return None
        plan = self._planned(request)
        if plan.go is Go.BLOCKED:
            self._house.end(stored, request.move(Standpoint.BLOCKED, plan=plan, behind=""), "blocked since")
            return None
        changed = drift(shown, plan)
        if asking.digest != shown.digest:  # altered, or another version of the bot writes it differently
            changed = (*changed, "the plan on record is not, to the letter, the one that was shown")
        if changed:
            self._ask(stored, plan, asking.turn + 1, changed)
            return None
        started = self._house.now()
        progress = Progress(owner="", started=started, deadline=started + plan.timeout, at=started)
        plan = replace(plan, locks=shown.locks)  # it stands in those lines, and frees them at its end
        begun = request.move(Standpoint.APPLYING, plan=plan, progress=progress, behind="")
        change = self._state.change().put(begun, was=stored.version).show(begun, priority=1)
        change.audit("applying", **said_of(begun))
        change.commit()
        log.info("%s begins: %s steps", begun.id, len(plan.steps))
        return Stored(begun, str(int(stored.version) + 1))

    def _is_behind(self, stored: Stored[Request]) -> bool:
        request = stored.record
        try:
            ahead = self._state.ahead(request)
        except LookupError:  # its place was lost with a part of the store: it stands at the end again
            self._state.change().line_up(request).commit()
            ahead = self._state.ahead(request)
        if not ahead:
            return False
        change = self._state.change().wake(request, timedelta(seconds=1))
        if ahead != request.behind:
            other = self._state.request(ahead)
            what, by = (other.record.text, other.record.actor.user) if other else ("", "")
            waiting = request.move(Standpoint.APPROVED, behind=ahead, behind_what=what, behind_by=by)
            change.put(waiting, was=stored.version).show(waiting, priority=2)
            change.audit("queued", **said_of(waiting), behind=ahead)
        change.commit()
        return True


def _approvers(request: Request) -> int:
    word = words.WORDS[request.args.word]
    verb = word.verb(request.args.verb)
    return verb.approvers if verb else 1
