"""`change list` and `change show`: the open and coming changes, and one of them as it stands, from the bot's own records."""

from commands import changelines as lines
from commands.changes.people import with_names
from commands.command import Command, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import counted, span
from commands.response.changerequest import ChangeRequest, Stage, TickState
from commands.responsereads import ChangeRequestOf, ChangeRequests
from commands.site import ClusterSite
from commands.wording import aligned, fitting, one_line, unread

_LIGHTS = {
    Stage.SUCCEEDED: Light.GREEN,
    Stage.ROLLED_BACK: Light.YELLOW,
    Stage.ROLLBACK_FAILED: Light.RED,
    Stage.FAILED: Light.RED,
    Stage.ROLLING_BACK: Light.YELLOW,
}


def listed(site: ClusterSite) -> Inquiry:
    read = ChangeRequests(site.name)
    answer = (yield (read,))[read]
    if isinstance(answer, Gap):
        return Section("changes", "Changes", True, (unread("CM-0", "Changes", answer),))
    coming = sorted(answer, key=lambda each: each.payload.at)
    new = Suggestion("Ask for a change", "change new")
    running = [each for each in coming if each.is_active]
    said = f"{counted(len(coming), 'change request')} open" if coming else "none is open or coming"
    under_way = tuple(f"{each.id} is {each.stage.value}: {each.payload.what}" for each in running)
    finding = Finding("CM-0", "Changes", Light.GREEN, said, evidence=under_way, suggestions=(new,))
    table = aligned(("ID", "BEGINS UTC", "FOR", "STAGE", "RISK", "SERVICE", "WHAT"), map(_row, coming))
    return Section("changes", "Changes", True, (finding,), table=fitting(table) if coming else ())


def _row(change: ChangeRequest) -> tuple[str, ...]:
    payload = change.payload
    felt = span(payload.duration) if payload.duration else "unfelt"
    begins = f"{payload.at:%m-%d %H:%M}"
    return (
        change.id,
        begins,
        felt,
        change.stage.value,
        payload.risk.value,
        payload.service,
        one_line(payload.what, 60),
    )


def shown(id: str) -> Inquiry:
    read = ChangeRequestOf(id)
    change = (yield (read,))[read]
    if isinstance(change, Gap) or change is None:
        gap = change or Gap(f"there is no change request {id}")
        return Section("change", id, True, (unread("CM-0", "Change request", gap),))
    named = yield from with_names(change)
    return Section("change", f"{change.id} · {change.payload.what}", True, _findings(named))


def _findings(change: ChangeRequest) -> tuple[Finding, ...]:
    payload = change.payload
    felt = f"users feel up to {span(payload.duration)}" if payload.duration else "users feel nothing"
    facts = (
        f"service {payload.service} in {payload.cluster}, risk {payload.risk.value}, asked for by {change.by}",
        f"window {payload.at:%Y-%m-%d %H:%M} to {payload.until:%H:%M} UTC, {felt}",
        f"why: {one_line(payload.why, 300)}",
        f"way back: {one_line(payload.rollback, 300) or 'none'}",
        *(f"step {number}: {one_line(text, 200)}" for number, text in enumerate(payload.steps, 1)),
        f"payload {change.digest}, version {change.version}",
    )
    light = _LIGHTS.get(change.stage, Light.GREEN)
    why = f": {change.ended_why}" if change.ended_why else ""
    standing = Finding("CM-0", "Stage", light, f"{change.stage.value}{why}", evidence=facts)
    return (standing, *_checks(change), *_agreed(change), *_watched(change))


def _checks(change: ChangeRequest) -> tuple[Finding, ...]:
    if change.checks is None:
        return ()
    return tuple(
        Finding("CM-1.0", line.label, lines.state(change, line), f"{line.value}{_tick(change, line.key)}")
        for line in change.checks.lines
    )


def _tick(change: ChangeRequest, key: str) -> str:
    tick = change.ticks.get(key)
    if tick is None:
        return ""
    word = {TickState.DONE: "ticked", TickState.SKIPPED: "let go", TickState.NO: "not so"}[tick.state]
    return f" · {word} by {tick.by}{': ' + tick.note if tick.note else ''}"


def _agreed(change: ChangeRequest) -> tuple[Finding, ...]:
    if not change.agreed:
        return ()
    who = tuple(f"{each.user} at {each.at:%Y-%m-%d %H:%M:%S} UTC" for each in change.agreed)
    return (Finding("CM-2.0", "Approvals", Light.GREEN, str(len(change.agreed)), evidence=who),)


def _watched(change: ChangeRequest) -> tuple[Finding, ...]:
    if not change.verdict:
        return ()
    said = f"{change.verdict} after {counted(change.samples, 'sample')}"
    light = {"fail": Light.RED, "blind": Light.UNKNOWN, "inconclusive": Light.YELLOW}.get(
        change.verdict, Light.GREEN
    )
    return (Finding("CM-4.0", "Against the baseline", light, said, evidence=(change.verdict_why,)),)


def parts(args: Args, site: ClusterSite) -> Parts:
    if args.verb != "show":
        return {"changes": Part("Changes", listed(site))}
    if not args.name:
        raise UsageError(
            "Name the change request: `/sre change show CR-…`. `/sre change list` shows the open ones."
        )
    return {"change": Part(args.name, shown(args.name))}


LIST = Command(
    word="change",
    verbs=("", "list"),
    summary="The change requests that are open or coming.",
    rows=("CM-0",),
    parts=parts,
    examples=("change", "change list"),
)
SHOW = Command(
    word="change",
    verbs=("show",),
    summary="One change request as it stands.",
    rows=("CM-0",),
    parts=parts,
    examples=("change show CR-2026-11-23-001",),
    names="CR-…",
)
