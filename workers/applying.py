"""Carries an approved plan out, wave by wave with checkpoints, and asks the cluster what became of it.

The only caller of an effect, and only for a request that people approved. A checkpoint is written before
every effect and after it; the record's version and `Progress.owner` keep a worker that lost its lease from
beginning anything. One object is one turn (workers/change.py); the next begins from the record.
"""

import logging
import random
import secrets
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from bot import tracing
from bot.audit import named
from bot.metrics import EFFECTS, phase
from bot.state import LEASE, Conflict, Stored
from commands.change import Doing
from commands.effects import Already, Blocked, Done, Moved, Outcome, Rejected
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Request
from commands.model import State as Standpoint
from commands.plan import Mark, Plan, Progress, Result, Standing, Step, Verdict, Wave
from workers import silenced
from workers.carried import along
from workers.house import House, Lost, command_of
from workers.walk import walk

log = logging.getLogger(__name__)

# How long one look at the result, and one effect may take, in seconds.
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
        with tracing.span("apply"), phase(command_of(self._stored.record), "apply"):
            outcomes = list(pool.map(along(self._try), steps))
        marks, lines = {}, []
        for step, outcome in zip(steps, outcomes, strict=True):
            EFFECTS.labels(type(step.effect).__name__, type(outcome).__name__.lower()).inc()
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
        for what, step, note in lines:
            log.info("%s: %s %s %s", self._stored.record.id, step.key, what, note)
        return True

    def _try(self, step: Step) -> "Outcome | Unanswered":
        if time.monotonic() - self._announced > LEASE.total_seconds() / 2:
            # This process was paused, and another may have the change by now.
            return Unreachable("the worker was held up before it was sent")
        try:
            with tracing.span("effect", effect=type(step.effect).__name__):
                return self._effects.apply(step.effect, time.monotonic() + EFFECT_SECONDS)
        except Unanswered as error:
            return error

    def _due(self) -> list[Step]:
        """In the plan's order; of a lane only the first, and not before its time."""
        wave = None if self._waits(_ALL) else self._wave()
        found: list[Step] = []
        lanes: set[str] = set()
        for step in wave.steps if wave else ():
            if self._progress.standing(step) in (Standing.APPLIED, Standing.PROVED, Standing.FAILED):
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
            standings = {self._progress.standing(step) for step in wave.steps}
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
        change = self._house.change_of(request)
        inquiry = change.verify(doing, self._house.cluster(request))
        with tracing.span("verify"), phase(command_of(request), "verify"):
            reader = self._house.reader(request.cluster)
            verdict: Verdict = walk(inquiry, reader, time.monotonic() + VERIFY_SECONDS)
        verdict = replace(verdict, suggestions=self._house.offered(verdict.suggestions, request.cluster))
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
            silenced.note(self._house, ended)
            self._end(ended, verdict, proved)
            return True
        if marks or progress.waiting != self._progress.waiting or self._is_stale:
            self._save(progress, lines=[("proved", step, "") for step in proved])
        return False

    def _is_newly_proved(self, step: Step, verdict: Verdict) -> bool:
        # A step that was never sent can be true all the same: somebody else did it. One that failed stays so.
        return step.key in verdict.proved and self._progress.standing(step) not in (
            Standing.PROVED,
            Standing.FAILED,
        )

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
                self._house.end(self._stored, ended, verdict.summary, proved, left="; ".join(verdict.left))
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
        has_failed = any(self._progress.standing(step) is Standing.FAILED for step in self._plan.steps)
        return has_failed and self._wave() is None

    @property
    def _is_stale(self) -> bool:
        """The card tells a time that has passed."""
        return time.monotonic() - self._shown >= SHOW_EVERY

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


def _asked_to_wait(outcome: "Outcome | Unanswered") -> float | None:
    after = outcome.retry_after if isinstance(outcome, Unreachable) else None
    return after.total_seconds() if after else None


def _noted(outcome: Done | Already) -> str:
    warnings = outcome.warnings if isinstance(outcome, Done) else ()
    return "; ".join(filter(None, (outcome.note, *warnings)))
