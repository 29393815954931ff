"""Walks a change: plan, ask, plan again, apply wave by wave with checkpoints, verify, tell.

The only caller of an effect, and only for a request that people approved. It works in short turns: whoever
holds the request's lease takes it as far as it goes, gives the worker back when other jobs wait, and the next
turn, by this worker or another, begins from the record. So taking over after a crash is no path of its own.
A checkpoint is written before every effect and after it; the record's version and `Progress.owner` keep a
worker that lost its lease from beginning anything.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bot.audit import named
from bot.state import KEEP, LEASE, Conflict, State, Stored
from commands import words
from commands.catalog import Catalog
from commands.change import Change, Doing, Who, drift
from commands.command import Command
from commands.effects import Already, Blocked, Done, Effect, Moved, Outcome, Rejected
from commands.errors import Refused, SayBack, Unanswered, Unreachable
from commands.finding import Finding, Light
from commands.model import Request
from commands.model import State as Standpoint
from commands.plan import Asking, Go, Mark, Plan, Progress, Result, Standing, Step, Verdict, Wave
from commands.site import ClusterSite, Site
from workers.walk import Reader, walk

log = logging.getLogger(__name__)

# How long the reads of one plan, of one look at the result, and one effect may take, in seconds.
PLAN_SECONDS = 40.0
VERIFY_SECONDS = 10.0
EFFECT_SECONDS = 10.0

# Effects side by side. More would only queue at the API server, whose fair share for one client is small.
AT_ONCE = 10

# How long one turn may keep its worker when nobody else waits for it; well below a job's timeout.
TURN = timedelta(seconds=20)

# A budget is asked again after these; the last one repeats. kubectl waits 5 s each time.
AGAIN = (1.0, 2.0, 3.0, 5.0)

# The lane of every step: nothing is sent while the API server answers nobody, or says "later" to everybody.
_ALL = ""

LOOK_EVERY = 1.0  # seconds between two looks at the result
SHOW_EVERY = 3.0  # seconds between two edits of the card

# When a step or a lane is due again, and how often that was said.
Agenda = dict[str, tuple[float, int]]
_AGENDAS = 50  # of changes that another process may have ended

# An approval that could not be used for so long, behind other changes, is not what people meant any more.
USE_WITHIN = timedelta(hours=1)


class Effects(Protocol):
    """Carries effects out in one cluster; raises Unanswered when the outcome is not known."""

    def apply(self, effect: Effect, deadline: float) -> Outcome: ...


class Lost(Exception):
    """Another worker has the change now."""


@dataclass(frozen=True, slots=True)
class House:
    """What every turn needs. reader and effects: of a cluster by its name. stopping: this process was asked
    to end."""

    state: State
    catalog: Catalog
    site: Site
    reader: Callable[[str], Reader]
    effects: Callable[[str], Effects]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep
    stopping: Callable[[], bool] = lambda: False

    def cluster(self, request: Request) -> ClusterSite:
        return self.site.cluster_for("", request.cluster)


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
            self._end(stored, request.move(Standpoint.ANSWERED, plan=plan), "dry run")
        elif plan.go is Go.NOTHING:
            self._end(stored, request.move(Standpoint.ANSWERED, plan=plan), "nothing to do")
        elif plan.go is Go.BLOCKED:
            self._end(stored, request.move(Standpoint.BLOCKED, plan=plan), "blocked")
        else:
            self._ask(stored, plan, turn=1)

    def _planned(self, request: Request) -> Plan:
        change = _change_of(self._house.catalog.find(request.args))
        who = Who(request.id, request.actor.user, request.why, request.created)
        reader = self._house.reader(request.cluster)
        try:
            inquiry = change.plan(request.args, self._house.cluster(request), who)
            plan = walk(inquiry, reader, time.monotonic() + PLAN_SECONDS)
        except SayBack as refusal:
            no = Finding("plan.refused", "Cannot be planned", Light.RED, value=str(refusal))
            return Plan(request.text, (no,))
        return replace(plan, findings=tuple(map(self._with_buttons, plan.findings)))

    def _with_buttons(self, finding: Finding) -> Finding:
        return replace(finding, suggestions=self._house.catalog.offered(finding.suggestions))

    def _ask(self, stored: Stored[Request], plan: Plan, turn: int, changed: tuple[str, ...] = ()) -> None:
        request, approvals = stored.record, self._house.site.approvals
        needed = max(_approvers(request), plan.approvers)
        expires = self._house.now() + approvals.expire
        line = f"{request.args.word} {request.args.verb}"
        asking = Asking(
            turn,
            plan.digest,
            needed,
            expires,
            changed=changed,
            self_approve=approvals.self_approve,
            roles=self._house.site.approver_roles(line, request.cluster),
        )
        asked = request.move(Standpoint.AWAITING, plan=plan, asking=asking, behind="")
        change = self._state.change().put(asked, was=stored.version).show(asked, priority=1)
        change.step_out(request).wake(asked, approvals.expire)
        change.audit("planned", **_facts(asked), go=plan.go.value, turn=str(turn), changed="; ".join(changed))
        change.commit()

    def _wait(self, stored: Stored[Request]) -> None:
        request, asking = stored.record, stored.record.asking
        assert asking is not None, "a request that is awaited was put before people"
        left = asking.expires - self._house.now()
        if left > timedelta():
            # Written with its version: an approval that came meanwhile wants its turn now.
            saved = self._state.change().put(request.move(Standpoint.AWAITING), was=stored.version)
            saved.wake(request, left).commit()
        else:
            self._end(stored, request.move(Standpoint.EXPIRED), "nobody decided in time")

    # --- begin ---

    def _begin(self, stored: Stored[Request]) -> Stored[Request] | None:
        """From approved to applying, or to waiting, asking again or an end: then None."""
        request, shown, asking = stored.record, stored.record.plan, stored.record.asking
        if asking is None or shown is None or not asking.is_granted:
            raise AssertionError(f"{request.id} was not approved as it stands")
        if self._house.now() - max(each.at for each in asking.approvals) > USE_WITHIN:
            self._end(stored, request.move(Standpoint.EXPIRED), "approved, and could not begin in time")
            return None
        if self._is_behind(stored):
            return None
        plan = self._planned(request)
        if plan.go is Go.BLOCKED:
            self._end(stored, request.move(Standpoint.BLOCKED, plan=plan, behind=""), "blocked since")
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
        change.audit("applying", **_facts(begun))
        change.commit()
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
            change.audit("queued", **_facts(waiting), behind=ahead)
        change.commit()
        return True

    def _end(self, stored: Stored[Request], request: Request, why: str) -> None:
        end(self._house, stored, request, why)


class Applying:
    """One turn at carrying out an approved plan."""

    def __init__(self, house: House, stored: Stored[Request], agenda: Agenda) -> None:
        self._house = house
        self._state = house.state
        self._stored = stored
        self._owner = secrets.token_hex(6)
        self._effects = house.effects(stored.record.cluster)
        self._again = agenda
        self._shown = 0.0
        self._announced = 0.0

    def turn(self) -> timedelta | None:
        """Go on until the change ends (None), or until others need this worker: when the next turn is due."""
        self._claim()
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="effect") as pool:
            while True:
                self._reload()
                while not self._is_over and not self._is_spent(began) and self._batch(pool):
                    if self._state.queue.count:  # others wait, and the next turn goes on from here
                        break
                if self._look():
                    return None
                if self._is_wanted_elsewhere(began):
                    return timedelta() if self._due() else timedelta(seconds=LOOK_EVERY)

    def _claim(self) -> None:
        """Put our name on it. Who had it may only have been slow: what it wrote until now stands."""
        was = self._progress.owner
        for _ in range(10):
            try:
                return self._write(replace(self._progress, owner=self._owner), (), show=True)
            except Conflict:
                self._reload(was)
        raise Lost(self._stored.record.id)

    # --- effects ---

    def _batch(self, pool: ThreadPoolExecutor) -> bool:
        """Carry out the steps that are due, at most AT_ONCE and one of each lane; False when none is."""
        steps = self._due()
        if not steps or self._house.stopping():
            return False
        marks = {step.key: self._intent(step) for step in steps}
        self._announced = time.monotonic()  # before: the store's answer may be what takes so long
        if not self._announce(marks, [("trying", s, "") for s in steps if not self._is_repeated(s)]):
            return False
        outcomes = list(pool.map(self._try, steps))
        marks, lines = {}, []
        for step, outcome in zip(steps, outcomes, strict=True):
            before = self._progress.marks[step.key]
            marks[step.key] = mark = self._judged(step, before, outcome)
            if mark.standing is not Standing.TRYING and (mark.standing, mark.note) != self._told(step):
                lines.append((mark.standing.value, step, mark.note))
        if all(isinstance(each, Unanswered) for each in outcomes):
            self._later(_ALL, max((_asked_to_wait(each) or 0.0 for each in outcomes), default=0.0) or None)
        else:
            self._again.pop(_ALL, None)
        progress = replace(self._progress, marks=self._progress.with_marks(marks), at=self._house.now())
        self._save(progress, lines=lines)
        return True

    def _try(self, step: Step) -> "Outcome | Unanswered":
        if time.monotonic() - self._announced > LEASE.total_seconds() / 2:
            # This process was paused, and another may have the change by now.
            return Unreachable("the worker was held up before it was sent")
        try:
            return self._effects.apply(step.effect, time.monotonic() + EFFECT_SECONDS)
        except Unanswered as error:
            return error

    def _due(self) -> list[Step]:
        """In the plan's order; of a lane only the first, and not before its time."""
        wave = None if self._waits(_ALL) else self._wave()
        found: list[Step] = []
        lanes: set[str] = set()
        for step in wave.steps if wave else ():
            if self._standing(step) in (Standing.APPLIED, Standing.PROVED, Standing.FAILED):
                continue
            if self._waits(step.lane or step.key) or (step.lane and step.lane in lanes):
                continue
            lanes.add(step.lane)
            found.append(step)
            if len(found) == AT_ONCE:
                break
        return found

    def _wave(self) -> Wave | None:
        """The wave in hand; None when all are proved, or one has failed steps and nothing left to try."""
        for wave in self._plan.waves:
            standings = {self._standing(step) for step in wave.steps}
            if standings - {Standing.PROVED, Standing.FAILED}:
                return wave
            if Standing.FAILED in standings:
                return None
        return None

    def _waits(self, key: str) -> bool:
        due, _ = self._again.get(key, (0.0, 0))
        return time.monotonic() < due

    def _intent(self, step: Step) -> Mark:
        before = self._progress.marks.get(step.key)
        is_blocked = before is not None and before.standing is Standing.BLOCKED
        at = before.at if before is not None and is_blocked else self._house.now()
        tries = before.tries + 1 if before is not None else 1
        return Mark(Standing.TRYING, at, before.note if before is not None and is_blocked else "", tries)

    def _judged(self, step: Step, mark: Mark, outcome: "Outcome | Unanswered") -> Mark:
        """What an outcome makes of a step; the table of what is tried again and what is not."""
        now = self._house.now()
        match outcome:
            case Done() | Already():
                self._again.pop(step.lane or step.key, None)
                return replace(mark, standing=Standing.APPLIED, at=now, note=_noted(outcome))
            case Blocked(reason=reason, retry_after=seconds):
                self._later(step.lane or step.key, seconds)
                return replace(mark, standing=Standing.BLOCKED, note=reason)
            case Moved(reason=reason):
                return replace(mark, standing=Standing.FAILED, at=now, note=reason)
            case Rejected(reason=reason, mend=mend) | Refused(reason=reason, mend=mend):
                note = f"{reason} ({mend})" if mend else reason
                return replace(mark, standing=Standing.FAILED, at=now, note=note)
            case Unanswered(reason=reason):
                self._later(step.lane or step.key, _asked_to_wait(outcome))
                return replace(mark, note=f"no answer, asked again: {reason}")

    def _later(self, key: str, seconds: float | None) -> None:
        _, times = self._again.get(key, (0.0, 0))
        wait = seconds if seconds is not None else AGAIN[min(times, len(AGAIN) - 1)]
        jittered = wait * random.uniform(1.0, 1.2)
        self._again[key] = (time.monotonic() + jittered, times + 1)

    # --- looking at the result ---

    def _look(self) -> bool:
        """Ask the cluster what became of it, and write that down; True when the change has ended."""
        request, is_over = self._stored.record, self._is_over  # looking takes time, and the deadline may pass
        doing = Doing(request.args, self._plan, self._progress, is_over, bool(self._is_cancelled))
        change = _change_of(self._house.catalog.find(request.args))
        inquiry = change.verify(doing, self._house.cluster(request))
        verdict: Verdict = walk(
            inquiry, self._house.reader(request.cluster), time.monotonic() + VERIFY_SECONDS
        )
        verdict = replace(verdict, suggestions=self._house.catalog.offered(verdict.suggestions))
        proved = [step for step in self._plan.steps if self._is_newly_proved(step, verdict)]
        now = self._house.now()
        marks = {step.key: replace(self._mark(step), standing=Standing.PROVED, at=now) for step in proved}
        progress = replace(
            self._progress, marks=self._progress.with_marks(marks), waiting=verdict.waiting, at=now
        )
        verdict = self._seen(verdict, progress) if is_over else verdict
        to = self._ending(verdict, progress, is_over)
        if to is not None:
            ended = request.move(to, progress=progress, verdict=verdict, finished=now)
            if to is Standpoint.CANCELLED:
                ended = replace(ended, ended_by=progress.cancelled_by)
            self._end(ended, verdict, proved)
            return True
        if marks or progress.waiting != self._progress.waiting or self._is_stale:
            self._save(progress, lines=[("proved", step, "") for step in proved])
        return False

    def _is_newly_proved(self, step: Step, verdict: Verdict) -> bool:
        # A step that was never sent can be true all the same: somebody else did it. One that failed stays so.
        return step.key in verdict.proved and self._standing(step) not in (Standing.PROVED, Standing.FAILED)

    def _seen(self, verdict: Verdict, progress: Progress) -> Verdict:
        """Green is only what was seen: a success that leaves a step out is a part of one."""
        proved = (s.key for s in self._plan.steps if progress.standing(s) is Standing.PROVED)
        known = {*verdict.proved, *proved}
        unseen = tuple(step.text for step in self._plan.steps if step.key not in known)
        if verdict.result is not Result.SUCCEEDED or not unseen:
            return verdict
        return replace(verdict, result=Result.PARTIAL, left=(*verdict.left, *unseen))

    def _ending(self, verdict: Verdict, progress: Progress, is_over: bool) -> Standpoint | None:
        if self._is_cancelled:
            return Standpoint.CANCELLED
        if is_over:
            return _ENDS.get(verdict.result, Standpoint.PARTIAL)
        all_proved = all(progress.standing(step) is Standing.PROVED for step in self._plan.steps)
        if verdict.result in (Result.FAILED, Result.PARTIAL) or all_proved:
            return _ENDS.get(verdict.result)
        return None

    def _end(self, ended: Request, verdict: Verdict, proved: list[Step]) -> None:
        """End it; a Cancel that comes too late changes nothing any more."""
        for _ in range(10):
            try:
                end(self._house, self._stored, ended, verdict.summary, proved, left="; ".join(verdict.left))
                return
            except Conflict:
                self._reload()
        raise Lost(ended.id)

    # --- the record ---

    @property
    def _plan(self) -> Plan:
        plan = self._stored.record.plan
        assert plan is not None, "what is applied has a plan"
        return plan

    @property
    def _progress(self) -> Progress:
        progress = self._stored.record.progress
        assert progress is not None, "what is applied has a progress"
        return progress

    @property
    def _is_cancelled(self) -> bool:
        return bool(self._progress.cancelled_by)

    @property
    def _is_over(self) -> bool:
        """No effect will follow any more."""
        if self._is_cancelled or self._house.now() >= self._progress.deadline:
            return True
        has_failed = any(self._standing(step) is Standing.FAILED for step in self._plan.steps)
        return has_failed and self._wave() is None

    @property
    def _is_stale(self) -> bool:
        """The card tells a time that has passed."""
        return time.monotonic() - self._shown >= SHOW_EVERY

    def _standing(self, step: Step) -> Standing:
        return self._progress.standing(step)

    def _mark(self, step: Step) -> Mark:
        return self._progress.marks.get(step.key) or Mark(Standing.PLANNED, self._house.now())

    def _is_repeated(self, step: Step) -> bool:
        """Asking a budget once more is no news for the audit, nor a server that does not answer."""
        mark = self._mark(step)
        return mark.standing is Standing.BLOCKED or (mark.standing is Standing.TRYING and bool(mark.note))

    def _told(self, step: Step) -> tuple[Standing, str]:
        """What the audit has of a step that is tried again: it was blocked, and why."""
        mark = self._progress.marks[step.key]
        return (Standing.BLOCKED, mark.note) if mark.note else (Standing.TRYING, "")

    def _reload(self, owner: str | None = None) -> None:
        """The record as it is now; raises Lost when it is over, or somebody's other than `owner`, us."""
        stored = self._state.request(self._stored.record.id)
        progress = stored.record.progress if stored else None
        expected = self._owner if owner is None else owner
        if stored is None or progress is None or progress.owner != expected or not stored.record.is_open:
            raise Lost(self._stored.record.id)
        self._stored = stored

    def _announce(self, marks: Mapping[str, Mark], lines: list[tuple[str, Step, str]]) -> bool:
        """Write down what is about to be tried; False when a Cancel came first, and then nothing is."""
        progress = replace(self._progress, marks=self._progress.with_marks(marks), at=self._house.now())
        try:
            self._write(progress, lines, show=False)
        except Conflict:
            self._reload()
            return False
        return True

    def _save(self, progress: Progress, *, lines: Iterable[tuple[str, Step, str]]) -> None:
        """Write the progress down. The one other writer is a Cancel, which is kept."""
        for _ in range(10):
            try:
                return self._write(progress, lines, show=False)
            except Conflict:
                self._reload()
                progress = replace(progress, cancelled_by=self._progress.cancelled_by)
        raise Lost(self._stored.record.id)

    def _write(self, progress: Progress, lines: Iterable[tuple[str, Step, str]], *, show: bool) -> None:
        request = self._stored.record.move(Standpoint.APPLYING, progress=progress)
        change = self._state.change().put(request, was=self._stored.version)
        for what, step, note in lines:
            change.audit(what, id=request.id, objects=named(step.effect.target), step=step.key, note=note)
        is_shown = show or self._is_stale
        if is_shown:
            change.show(request, priority=3)
        change.commit()
        self._stored = Stored(request, str(int(self._stored.version) + 1))
        self._shown = time.monotonic() if is_shown else self._shown

    # --- whose turn it is ---

    def _is_wanted_elsewhere(self, began: float) -> bool:
        """Wait until something is due here; True when the worker should do something else before."""
        until = time.monotonic() + (0 if self._is_over or self._due() else LOOK_EVERY)
        while True:
            if self._house.stopping() or self._state.queue.count or self._is_spent(began):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._house.pause(min(left, 0.2))

    def _is_spent(self, began: float) -> bool:
        return time.monotonic() - began > TURN.total_seconds()


_ENDS: Mapping[Result, Standpoint] = {
    Result.SUCCEEDED: Standpoint.SUCCEEDED,
    Result.PARTIAL: Standpoint.PARTIAL,
    Result.FAILED: Standpoint.FAILED,
}


def end(
    house: House,
    stored: Stored[Request],
    request: Request,
    why: str,
    proved: Iterable[Step] = (),
    **facts: str,
) -> None:
    """Write the last state of a change down; who waits behind it may go on."""
    ended = replace(request, finished=request.finished or house.now())
    change = house.state.change().put(ended, was=stored.version, keep=KEEP)
    change.show(ended, priority=1)
    change.close(stored.record)  # whose plan was lined up: one made anew may have other locks
    for step in proved:
        change.audit("proved", id=ended.id, objects=named(step.effect.target), step=step.key)
    if ended.ended_by:  # cancelled: by somebody, for a reason
        facts = {**facts, "by": ended.ended_by, "requester": ended.actor.user}
    change.audit(ended.state.value, **{**_facts(ended), "reason": ended.ended_why or why, **facts})
    change.commit()


def _facts(request: Request) -> dict[str, str]:
    """What every audit line of a change says, beside what its record says of itself (bot/audit.py)."""
    return {"id": request.id, "by": request.actor.user, "text": request.text}


def _asked_to_wait(outcome: "Outcome | Unanswered") -> float | None:
    after = outcome.retry_after if isinstance(outcome, Unreachable) else None
    return after.total_seconds() if after else None


def _noted(outcome: Done | Already) -> str:
    warnings = outcome.warnings if isinstance(outcome, Done) else ()
    return "; ".join(filter(None, (outcome.note, *warnings)))


def _change_of(command: Command) -> Change:
    if command.change is None:
        raise LookupError(f"{command.word} changes nothing")
    return command.change


def _approvers(request: Request) -> int:
    word = words.WORDS[request.args.word]
    verb = word.verb(request.args.verb)
    return verb.approvers if verb else 1
