"""Walks the road for any request: read, judge, tell; resumable at any step by another worker.

The parts of a command are pure generators; here their reads are carried out, all parts side by side, and
each finished section is written to the record at once, so the card fills in as answers come. A worker
that takes over keeps the sections that stand and reads only the rest. The wall is this module's own:
RQ's timeout is a signal that can strike anywhere, and is only the last resort.
"""

import logging
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

from bot import tracing
from bot.metrics import ANSWER_TOOK, BUGS, phase
from bot.state import JOB_TIMEOUT, KEEP, Change, Conflict, Overrun, State, Stored, new_id
from commands.catalog import Catalog
from commands.command import Part
from commands.errors import SayBack
from commands.finding import Finding, Light
from commands.model import Flag, Request, Section
from commands.model import State as Standing
from commands.picture import Picture
from commands.site import Site
from workers import additions
from workers.carried import along
from workers.change import Changes
from workers.changenotes import note_checks
from workers.house import Effects, House, Lost, command_of
from workers.keeping import Bucket, Keeper, no_bucket, no_picture
from workers.triage import finish_in_step, is_moot, note_cause, seen_until
from workers.walk import Reader, walk

log = logging.getLogger(__name__)

# The whole run, with every source hanging, stays under the manual's 60 s.
WALL = timedelta(seconds=50)

# What a quiet run breaks its silence for: silence must mean that all was looked at and is well.
_NEWSWORTHY = (Light.RED, Light.UNKNOWN)


def no_effects(cluster: str) -> Effects:
    raise LookupError(f"nothing carries out changes in {cluster}")


class Engine:
    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        reader: Callable[[str], Reader],
        *,
        effects: Callable[[str], Effects] = no_effects,
        bucket: Callable[[str], Bucket | None] = no_bucket,
        draw: Callable[[Picture], bytes | None] = no_picture,
        wall: timedelta = WALL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._house = House(state, catalog, site, reader, effects, now=now, stopping=stopping)
        self._changes = Changes(self._house)
        self._keeper = Keeper(bucket, draw)
        self._state = state
        self._catalog = catalog
        self._site = site
        self._reader = reader
        self._wall = wall
        self._now = now

    def answer(self, id: str) -> None:
        """Bring an open request further; returns quietly when another worker has it or it is done."""
        again: timedelta | None = None
        with self._state.lease(f"request:{id}") as is_ours:
            if not is_ours:
                return
            stored = self._state.request(id)
            if stored is None or not stored.record.is_open:
                self._state.drop_open(id)
                return
            try:
                again = self._further(stored)
            except (Conflict, Lost):
                log.info("%s moved on under another worker", id)
        if again is not None:  # once the lease is free, or who takes the job would find it held
            self._again(stored.record, again)

    def _further(self, stored: Stored[Request]) -> timedelta | None:
        request = stored.record
        command, state = command_of(request), str(request.state)
        with tracing.span("work", after=request.trace, command=command, state=state):
            is_new = request.state is Standing.READING  # a change is taken up again every few seconds
            line = "%s taken up: `%s` in %s, %s"
            log.log(
                logging.INFO if is_new else logging.DEBUG,
                line,
                request.id,
                request.text,
                request.cluster,
                state,
            )
            if request.state is not Standing.READING or self._catalog.changes(request.args):
                return self._changes.advance(stored)
            with phase(command, "read"):
                self._answer(stored)
            return None

    def _again(self, request: Request, after: timedelta) -> None:
        change = self._state.change()
        (change.wake(request, after) if after else change.work(request, timeout=JOB_TIMEOUT)).commit()

    def fail(self, id: str, error: BaseException) -> None:
        """End a request whose worker met a bug; the user sees the reference, the log the rest."""
        reference = new_id("E")
        BUGS.labels("job").inc()
        log.error("%s failed (%s)", id, reference, exc_info=error)
        with self._state.lease(f"request:{id}") as is_ours:
            if is_ours:  # else another has it: who was held up for long must not end what goes on
                self._failed(id, error, reference)

    def _failed(self, id: str, error: BaseException, reference: str) -> None:
        stored = self._state.request(id)
        if stored is None or not stored.record.is_open:
            return
        if isinstance(error, Overrun) and stored.record.state is not Standing.READING:
            return  # a turn that took too long; the sweeper brings the next one
        failed = stored.record.move(Standing.FAILED, finished=self._now(), reference=reference)
        finish_in_step(
            self._house, stored, lambda change: self._close(change, stored, failed, reference=reference)
        )

    def _answer(self, stored: Stored[Request]) -> None:
        request = stored.record
        try:
            parts = {} if is_moot(self._house, request) else self._parts(request)
        except SayBack as refusal:  # the configuration changed since it was accepted
            refused = _refused(request, str(refusal))
            finish_in_step(self._house, stored, lambda change: self._finish(change, stored, refused))
            return
        since = seen_until(self._house, request)
        waiting = {section.key for section in request.sections if not section.done}
        for section in self._read(
            {key: part for key, part in parts.items() if key in waiting}, request.cluster
        ):
            change = self._state.change()
            read = self._keeper.keep(change, request, section)
            findings = (self._house.with_buttons(finding, request.cluster) for finding in read.findings)
            read = replace(read, findings=tuple(findings))
            sections = tuple(read if held.key == read.key else held for held in stored.record.sections)
            stored = self._save(change, stored, replace(stored.record, sections=sections))
            note_cause(self._house, stored.record)
            note_checks(self._house, stored.record)
            additions.add(self._house, stored.record)
        # A worker before this one may have died over it.
        note_checks(self._house, stored.record)
        additions.add(self._house, stored.record)
        read_last = stored
        finish_in_step(
            self._house, stored, lambda change: self._finish(change, read_last, read_last.record), since
        )

    def _parts(self, request: Request) -> dict[str, Part]:
        command = self._catalog.find(request.args)
        return dict(command.parts(request.args, self._site.cluster_for("", request.cluster)))

    def _read(self, parts: dict[str, Part], cluster: str) -> "list[Section] | Sections":
        return Sections(parts, self._reader(cluster), time.monotonic() + self._wall.total_seconds())

    # --- writing down ---

    def _save(self, change: Change, stored: Stored[Request], request: Request) -> Stored[Request]:
        moved = request.move(Standing.READING)
        change.put(moved, was=stored.version).show(moved, priority=_priority(moved)).commit()
        return Stored(moved, str(int(stored.version) + 1))

    def _finish(self, change: Change, stored: Stored[Request], request: Request) -> None:
        told = self._fresh(request, _told_mark)
        flagged = [] if request.place.private else [f for f in self._fresh(request, _mention_mark) if f.alarm]
        flags = tuple(dict.fromkeys(Flag(finding.key, finding.alarm) for finding in flagged))
        mention = _mention(self._site.oncall(self._now())) if flags else ""
        done = request.move(
            Standing.ANSWERED, finished=self._now(), flags=flags, mention=mention, has_news=bool(told)
        )
        marks = {_told_mark(request, each): _quiet_for(each) for each in told}
        marks |= {_mention_mark(request, each): each.again_after for each in flagged}
        self._close(change, stored, done, marks, light=done.light.value)
        took = (self._now() - request.created).total_seconds()
        ANSWER_TOOK.labels(request.args.word).observe(took)
        log.info("%s answered, %s, after %.1f s", request.id, done.light, took)

    def _close(
        self,
        change: Change,
        stored: Stored[Request],
        request: Request,
        marks: Mapping[str, timedelta] | None = None,
        **facts: str,
    ) -> None:
        change.put(request, was=stored.version, keep=KEEP)
        change.show(request, priority=_priority(request)).close(request)
        change.audit(request.state.value, id=request.id, by=request.actor.user, text=request.text, **facts)
        for name, again_after in (marks or {}).items():
            change.remind(name, request.id, again_after)
        for section in request.sections:
            for finding in section.findings:
                if finding.light is Light.GREEN:  # red again is news again
                    change.forget(_told_mark(request, replace(finding, light=Light.RED)))
        change.commit()

    def _fresh(self, request: Request, mark: Callable[[Request, Finding], str]) -> list[Finding]:
        """The red and the unknown findings that bear no such mark from lately."""
        found = [f for section in request.sections for f in section.findings if f.light in _NEWSWORTHY]
        return [f for f in found if f.again_after and not self._state.marked(mark(request, f))]


class Sections:
    """Iterates over the parts' sections as they finish, on one thread per part, until the wall."""

    def __init__(self, parts: dict[str, Part], reader: Reader, wall: float) -> None:
        self._parts = parts
        self._reader = reader
        self._wall = wall
        self._done: queue.Queue[Section] = queue.Queue()

    def __iter__(self) -> "Sections":
        self._waiting = dict(self._parts)
        for key, part in self._parts.items():
            Thread(target=along(self._walk), args=(key, part), name=f"part-{key}", daemon=True).start()
        return self

    def __next__(self) -> Section:
        while self._waiting:
            try:
                done = self._done.get(timeout=max(self._wall - time.monotonic(), 0))
            except queue.Empty:
                key, part = self._waiting.popitem()
                return _unread(key, part.title, "not all of its sources answered within the time of a run")
            if self._waiting.pop(done.key, None):  # else it came after it had been given up
                return done
        raise StopIteration

    def _walk(self, key: str, part: Part) -> None:
        try:
            section = replace(walk(part.inquiry, self._reader, self._wall), key=key, done=True)
        except Exception as error:
            # A bug in one part must not silence what the others found.
            reference = new_id("E")
            BUGS.labels("part").inc()
            log.error("the part %s has a bug (%s)", key, reference, exc_info=error)
            section = _unread(key, part.title, f"the bot has a bug here (reference {reference} in its log)")
        self._done.put(section)


def _unread(key: str, title: str, why: str) -> Section:
    return Section(key, title, True, (Finding(key, title, Light.UNKNOWN, evidence=(why,)),))


def _refused(request: Request, text: str) -> Request:
    section = Section(
        "refused", request.args.word, True, (Finding("", "Refused", Light.UNKNOWN, evidence=(text,)),)
    )
    return replace(request, sections=(section,))


def _priority(request: Request) -> int:
    """A diagnosis before the cards of the many in a storm, who have none (bot/intake.py: 3)."""
    return 4 if request.actor.is_scheduler and not request.place.under else 2


def _quiet_for(finding: Finding) -> timedelta:
    """What cannot be read is told once a day: it is often a setting, and nobody mends that by the hour."""
    return finding.again_after if finding.light is Light.RED else max(finding.again_after, timedelta(days=1))


def _told_mark(request: Request, finding: Finding) -> str:
    return f"told:{request.cluster}:{request.place.channel}:{finding.light}:{finding.key}:{finding.label}"


def _mention_mark(request: Request, finding: Finding) -> str:
    """Per channel, as the other: what somebody was shown elsewhere on-call need not have seen."""
    return f"mention:{request.cluster}:{request.place.channel}:{finding.key}:{finding.label}"


def _mention(member: str) -> str:
    """A Slack mention of a user, or of a user group ("S…")."""
    if not member:
        return ""
    return f"<!subteam^{member}>" if member.startswith("S") else f"<@{member}>"
