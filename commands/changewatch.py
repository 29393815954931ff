"""What a sample of a running change means for it, as events: proposed rollbacks, passes, what is held for somebody; what
the stakeholders are told; and the incident that a rollback which did not help becomes.

Pure: workers/changewatch.py takes the samples and keeps them. What a row of samples comes to is decided in
commands/watchverdict.py, when a rollback is proposed in there, too; here is only what then happens to the record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from commands.baseline import LENGTH, WEEK, Baseline, Interval, errors, latency
from commands.changeclock import DECIDED, HELD, ROLL_BACK, SAMPLE, WATCHED, rules
from commands.changelines import WAY_BACK
from commands.finding import Light
from commands.ledger import Draft
from commands.model import Request, State
from commands.phrase import span
from commands.reads import AuditLine
from commands.response import changemoves
from commands.response.changeevents import Kind, draft, moving, timer
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Stage, lines_in
from commands.response.events import Kind as IncidentKind
from commands.response.events import draft as incident_draft
from commands.response.incident import Detection, Incident, Milestone
from commands.site import Rollback, Site
from commands.watch import Judged
from commands.watchverdict import Outcome, Verdict, recovery, verdict
from commands.wording import one_line

COMPLAINTS, WITHIN = 3, timedelta(minutes=10)  # so many people who say that users complain fail it


# --- What the samples come to ---------------------------------------------------------------------


def judged(
    change: ChangeRequest, samples: Sequence[Judged], of: Baseline, site: Site, at: datetime
) -> Verdict:
    """of: the baseline of its service. at: when the last sample was taken."""
    limits = rules(change, site).rollback
    if change.stage is Stage.ROLLING_BACK and change.undone:
        return recovery([each.sample for each in samples], of, limits, change.undone, at)
    is_over = change.is_over or (change.done is not None and at >= change.done + limits.bake)
    found = verdict(samples, limits, is_over=is_over)
    if complain(change, site, at) and found.outcome is not Outcome.FAIL:
        reason = f"{COMPLAINTS} people say within {span(WITHIN)} that users complain"
        return replace(found, outcome=Outcome.FAIL, reason=reason)
    return found


def complain(change: ChangeRequest, site: Site, at: datetime) -> bool:
    """Whether enough different people did within ten minutes of each other, up to then; somebody with two ids is one."""
    times = sorted((when, site.person(user)) for user, when in change.reports if when <= at)
    return any(
        len({person for when, person in times if first <= when <= first + WITHIN}) >= COMPLAINTS
        for first, _ in times
    )


def sampled(
    change: ChangeRequest, found: Verdict, written: str, at: datetime, site: Site
) -> tuple[Draft, ...]:
    """The sample itself, when the next one is due, and what follows from all of them."""
    text = found.samples[-1].text if found.samples else f"{at:%H:%M} nothing was measured"
    kept = draft(Kind.SAMPLE, text, sample=written, outcome=found.outcome, why=found.reason)
    following = at + rules(change, site).rollback.interval
    last = change.ended + WATCHED if change.ended else None
    again = timer(SAMPLE, None if last and following > last else following)
    return (replace(kept, key=f"sample:{at.isoformat()}"), again, *_then(change, found, at, site))


def _then(change: ChangeRequest, found: Verdict, at: datetime, site: Site) -> Iterator[Draft]:
    is_news = found.outcome.value != change.verdict
    match change.stage:
        case Stage.ROLLING_BACK:
            if change.undone and found.is_final:
                yield _after_rollback(found)
        case Stage.EXECUTING | Stage.VALIDATING:
            if found.outcome is Outcome.FAIL:
                yield from _failed(change, found, at, site) if is_news else ()
            elif change.stage is Stage.VALIDATING and found.outcome is Outcome.PASS:
                notes = f" ({found.notes[0]})" if found.notes else ""
                yield moving(
                    Move.PASS, f"✅ no worse than its baseline: {found.reason}{notes}", why=found.reason
                )
            elif found.is_final and is_news:
                yield from _held(change, found, at)
            elif not found.is_final and change.timer(HELD):
                yield timer(HELD, None)  # it is seen again: nobody has to decide
        case _:
            if found.outcome is Outcome.FAIL and is_news:
                yield _told(
                    change, f"🔴 worse than its baseline since it was closed: {found.reason}", at, site
                )


def _after_rollback(found: Verdict) -> Draft:
    if found.outcome is Outcome.PASS:
        return moving(Move.RECOVER, f"↩️ rolled back, and it helped: {found.reason}", why=found.reason)
    return moving(Move.NOT_RECOVER, f"🔴 rolled back, and it did not help: {found.reason}", why=found.reason)


def _failed(change: ChangeRequest, found: Verdict, at: datetime, site: Site) -> Iterator[Draft]:
    used = f" ({'; '.join(found.used)})" if found.used else ""
    said = f"🔴 worse than its baseline: {found.reason}{used}."
    if may_roll_back(change):
        yield moving(
            Move.ROLL_BACK, f"{said} It is rolled back by itself, as its request says.", why=found.reason
        )
        yield timer(ROLL_BACK, at)
    elif not change.payload.is_irreversible:
        yield _told(change, f"{said} Roll back now? Its card has the button.", at, site)
        yield from _to_decide(change, at)
    elif change.stage is Stage.VALIDATING:
        why = f"{found.reason}; it cannot be taken back"
        failed = moving(Move.GIVE_UP, f"{said} It cannot be taken back: declare an incident.", why=why)
        yield replace(failed, mention=site.oncall(at))
    else:
        yield _told(change, f"{said} It cannot be taken back: stop, and declare an incident.", at, site)
        yield from _to_decide(change, at)


def may_roll_back(change: ChangeRequest) -> bool:
    """By itself: its request says so, a look saw that what ran before is kept, and it is the first time."""
    lines = change.checks.lines if change.checks else ()
    is_proved = any(line.key == WAY_BACK and line.light is Light.GREEN for line in lines)
    is_kept = change.ticks.get(WAY_BACK) is None  # nobody said it instead of a look
    payload = change.payload
    return (
        payload.is_auto and not payload.is_irreversible and is_proved and is_kept and not change.linked_back
    )


def way_back(change: ChangeRequest) -> str:
    """The line that takes it back, with the reason that links it to this change; "" where there is none."""
    found = (line for line in lines_in(change.payload.rollback) if line.split()[0] in ("deploy", "rollback"))
    line = next(found, "")
    return (
        f'{line} --why "{change.id} rollback: {one_line(change.verdict_why, 100)}"'.replace("`", "")
        if line
        else ""
    )


def _held(change: ChangeRequest, found: Verdict, at: datetime) -> Iterator[Draft]:
    """What is not seen, or proves nothing, is neither passed nor rolled back."""
    blind = "nobody sees how it does" if found.outcome is Outcome.BLIND else "its samples prove nothing"
    text = f"🙈 {blind}: {found.reason}. Look yourself, then close it or roll it back."
    yield replace(draft(Kind.NOTE, text), is_told=True, mention=change.started_by)
    yield from _to_decide(change, at)


def _to_decide(change: ChangeRequest, at: datetime) -> Iterator[Draft]:
    """Who does not within half an hour has whoever is on call beside them."""
    if change.timer(HELD) is None:
        yield timer(HELD, at + DECIDED)


def lost(change: ChangeRequest, why: str, at: datetime, site: Site) -> Iterator[Draft]:
    """It cannot be watched any more. What is not seen is neither carried on nor passed; whether a rollback helped that
    nobody sees is not known, and counts as if it had not."""
    yield timer(SAMPLE, None)
    text = f"🙈 {change.payload.service} cannot be watched any more: {why}."
    if change.stage is Stage.ROLLING_BACK:
        yield moving(Move.NOT_RECOVER, f"{text} Nobody sees whether it recovers.", why=why)
    elif change.stage in (Stage.EXECUTING, Stage.VALIDATING):
        told = _told(change, f"{text} Look yourself, then close it or roll it back.", at, site)
        is_begun = change.stage is Stage.EXECUTING
        yield replace(told, kind=Kind.MOVED, facts={"move": Move.LOSE, "why": why}) if is_begun else told
        yield from _to_decide(change, at)
    else:
        yield _told(change, text, at, site)


def _told(change: ChangeRequest, text: str, at: datetime, site: Site) -> Draft:
    return replace(draft(Kind.NOTE, text), is_told=True, mention=change.started_by or site.oncall(at))


# --- Changes on the usual road that belong to it --------------------------------------------------

_BEGUN = frozenset({State.APPLYING, State.SUCCEEDED, State.PARTIAL, State.FAILED})


def linked(change: ChangeRequest, request: Request, *, is_own: bool = False) -> tuple[Draft, ...]:
    """A change whose reason names this one: how it stands, and what its rollback means. is_own: the bot asked for it by
    itself."""
    back = request.why.startswith(f"{change.id} rollback")
    known = next((each for each in change.linked if each.request == request.id), None)
    state = "" if request.is_open else request.state.value
    drafts: list[Draft] = []
    if back and request.state in _BEGUN and changemoves.after(change.stage, Move.ROLL_BACK):
        drafts.append(moving(Move.ROLL_BACK, f"⏪ is taken back by `{request.text}` ({request.id})"))
    if known is None or known.state != state:
        ended = f" {state}" if state else " is asked for"
        told = draft(
            Kind.RUN, f"🔗 `{request.text}` ({request.id}){ended}", id=request.id, line=request.text, state=state,
            back="yes" if back else "", own="yes" if is_own else "",
        )  # fmt: skip
        drafts.append(replace(told, key=f"run:{request.id}:{state}", is_told=bool(state)))
    is_running = change.stage is Stage.ROLLING_BACK or any(
        d.facts.get("move") == Move.ROLL_BACK for d in drafts
    )
    if back and is_running and request.state in (State.FAILED, State.PARTIAL):
        why = f"the rollback {request.id} is {request.state.value}"
        drafts.append(moving(Move.NOT_RECOVER, f"🔴 {why}", why=why))
    return tuple(drafts)


# --- Its incident ---------------------------------------------------------------------------------


def declaration(change: ChangeRequest) -> tuple[Draft, ...]:
    """The Sev2 that a rollback which did not help becomes, with the change as its suspected cause."""
    payload = change.payload
    title = f"{payload.service} is not well after {change.id} was rolled back"
    opened = incident_draft(
        IncidentKind.DECLARED, f"declared Sev2: {title}", title=title, severity="2", cluster=payload.cluster,
        service=payload.service, channel="yes", detection=Detection.CHANGE.value,
    )  # fmt: skip
    return (opened, *suspected(change))


def suspected(change: ChangeRequest) -> tuple[Draft, ...]:
    """For an incident: this change is linked, and probably its cause."""
    why = change.ended_why or change.verdict_why
    return (
        incident_draft(IncidentKind.LINKED, f"{change.id}: {change.payload.what}", id=change.id),
        incident_draft(IncidentKind.BLAMED, f"{change.id} is suspected: {why}", change=change.id, confidence="suspected"),
    )  # fmt: skip


# What of a change belongs to the timeline of an incident of its service, by the audit's words.
TOLD_INCIDENTS = ("change start", "change rollback", "change close")


def for_incident(change: ChangeRequest, line: AuditLine) -> Draft:
    done = {"change start": "begins", "change rollback": "is taken back", "change close": "is closed"}
    text = f"{change.id} {done[line.facts['act']]}: {change.payload.what}"
    linked = incident_draft(IncidentKind.LINKED, text, id=change.id)
    return replace(linked, at=line.at, by=line.facts.get("by", ""), source="audit", key=f"audit:{line.seq}")


def of_service(change: ChangeRequest, incidents: Sequence[Incident]) -> Incident | None:
    """The open incident that is about the same, the newest; None for none."""
    payload = change.payload
    same = (
        i
        for i in incidents
        if i.is_active and not i.is_drill and (i.cluster, i.service) == (payload.cluster, payload.service)
    )
    return next(same, None)


def troubled(change: ChangeRequest, incidents: Sequence[Incident], now: datetime) -> tuple[Interval, ...]:
    """When its service had an incident: those times say nothing of how it usually does."""
    found = []
    for each in incidents:
        if (
            each.is_drill
            or each.service not in ("", change.payload.service)
            or each.cluster != change.payload.cluster
        ):
            continue
        begun = each.at(Milestone.STARTED) or each.opened
        ended = (
            each.at(Milestone.MITIGATED)
            or each.at(Milestone.RESOLVED)
            or (each.updated if each.is_over else now)
        )
        found += [*each.impacts, (begun, ended)]
    return tuple(found)


# --- A new baseline -------------------------------------------------------------------------------


def since_done(change: ChangeRequest, t0: datetime) -> tuple[Interval, ...]:
    """What a baseline of what the change left behind is not taken from: the time before it, last week's too."""
    assert change.done is not None
    return ((t0 - LENGTH, change.done), (t0 - WEEK - LENGTH, t0 - WEEK))


def taken_anew(old: Baseline | None, new: Baseline, limits: Rollback, written: str) -> tuple[Draft, ...]:
    """With the numbers of both, and when the old one was frozen. What was not measured takes no number's place."""
    of, p95 = errors(new, limits), latency(new, limits)
    if of.number is None or p95.number is None:
        why = of.words if of.number is None else p95.words
        text = f"📏 no new baseline could be taken: {why}. The old one stands."
        return (replace(draft(Kind.NOTE, text), is_told=True),)
    text = f"📏 new baseline: {of.words} errors, p95 {p95.words}"
    if old is not None:
        text += (
            f"; until now, of {old.at:%Y-%m-%d %H:%M} UTC: {errors(old, limits).words} errors, "
            f"p95 {latency(old, limits).words}"
        )
    return (replace(draft(Kind.BASELINE, text, baseline=written), is_told=True),)


# --- The stakeholders -----------------------------------------------------------------------------


def announcement(change: ChangeRequest, zone: str) -> str:
    """What they read, in the time of the configuration; it is told anew whenever something of it changes."""
    payload, own = change.payload, ZoneInfo(zone)
    begins, ends = payload.at.astimezone(own), payload.until.astimezone(own)
    until = f"{ends:%H:%M}" if ends.date() == begins.date() else f"{ends:%A %Y-%m-%d %H:%M}"
    felt = (
        f"Users may feel it for {span(payload.duration)}" if payload.duration else "Users will feel nothing"
    )
    stands = {Stage.PENDING: "planned", Stage.DRAFT: "planned", Stage.APPROVED: "planned"}.get(
        change.stage, change.stage.value
    )
    return (
        f"📣 {change.id} · {payload.what} · {stands}\n{begins:%A %Y-%m-%d %H:%M} to {until} ({zone}), "
        f"{payload.service}. {felt}."
    )


def on_page(change: ChangeRequest) -> dict[str, object]:
    """The same for the status page: what a page shows, and nothing of who asked for it."""
    payload = change.payload
    return {
        "change": change.id,
        "title": payload.what,
        "status": change.stage.value,
        "service": payload.service,
        "begins": payload.at.isoformat(),
        "ends": payload.until.isoformat(),
        "downtime_seconds": int(payload.duration.total_seconds()) if payload.duration else 0,
    }


def reminder(change: ChangeRequest) -> str:
    return f"⏰ {change.payload.what} begins in one hour ({change.id})"
