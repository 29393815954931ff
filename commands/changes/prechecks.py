"""`change check`: everything that must hold before a change begins, each line with what it was seen by.

PASS, WARN, FAIL and UNKNOWN are green, yellow, red and unknown. What a person must say stays unknown until somebody ticks
it (commands/changes/ready.py). The lines, the payload they were made for, and what the change would be done to are noted
on the record by the worker that looked (workers/changenotes.py).
"""

from collections.abc import Iterator
from typing import Any

from commands import changelines as lines
from commands.changes.people import with_names
from commands.changes.surroundings import alerts, cluster, image_findings, reads_of, room, workload
from commands.changes.window import frozen, overlapping
from commands.command import Command, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Section, Seen
from commands.phrase import counted
from commands.reads import Now
from commands.response.changerequest import RUNNING, ChangeRequest, Checked, Risk, lines_in
from commands.response.incident import Incident
from commands.responsereads import ChangeRequestOf, ChangeRequests, HouseZone, OpenIncidents
from commands.site import ClusterSite
from commands.wording import unread
from commands.workloads import Revisions


def inquiry(id: str, site: ClusterSite) -> Inquiry:
    own = (Now(), ChangeRequestOf(id), ChangeRequests(site.name), OpenIncidents(site.name), HouseZone())
    seen = yield own
    change = seen[own[1]]
    if isinstance(change, Gap) or change is None:
        return _without(id, change)
    if isinstance(seen[Now()], Gap):
        return _without(id, seen[Now()])
    service = site.services.get(change.payload.service)
    if service is None:
        gone = Finding(
            "change.service", "Service", Light.RED, f"{change.payload.service} is not configured any more"
        )
        return _section(change, (gone,))
    reads = reads_of(site, service, change)
    there = yield tuple(reads.values())
    views = there[reads["workload"]]
    view = views[0] if not isinstance(views, Gap) and len(views) == 1 else None
    kept = Revisions(view.target, view.selector) if view else None
    revisions: Any = Gap("the workload was not read")
    if kept is not None:
        revisions = (yield (kept,))[kept]
    findings = (
        *_own(change, site, seen),
        *cluster(site, service, there, reads, seen[Now()]),
        *workload(change, views, view, revisions),
        *room(service, there, reads),
        *image_findings(change, there, reads),
        alerts(change, service, there[reads["rules"]], there[reads["silences"]]),
        *_people(change),
    )
    return _section((yield from with_names(change)), findings)


def _without(id: str, answer: Gap | None) -> Section:
    gap = answer or Gap(f"there is no change request {id}")
    return Section("checks", f"Pre-checks of {id}", True, (unread("change.record", "Change request", gap),))


def _section(change: ChangeRequest, findings: tuple[Finding, ...]) -> Section:
    """With what people ticked since the last look."""
    payload = Finding(lines.PAYLOAD, "Payload", Light.GREEN, change.digest)
    told = tuple(_ticked(change, finding) for finding in findings)
    return Section(
        "checks", f"Pre-checks of {change.id}", True, (payload, *told), f"payload {change.digest[:16]}"
    )


def _ticked(change: ChangeRequest, finding: Finding) -> Finding:
    key = finding.key.removeprefix(lines.PREFIX)
    light = lines.state(change, Checked(key, finding.label, finding.light, finding.value))
    tick = change.ticks.get(key)
    if tick is None or light is finding.light:
        return Finding(
            finding.key, finding.label, light, finding.value, finding.threshold, finding.evidence,
            suggestions=finding.suggestions, mend=finding.mend,
        )  # fmt: skip
    note = f": {tick.note}" if tick.note else ""
    return Finding(finding.key, finding.label, light, f"{tick.state.value}, says {tick.by}{note}")


# --- From the bot's own records -------------------------------------------------------------------


def _own(change: ChangeRequest, site: ClusterSite, seen: Seen) -> Iterator[Finding]:
    yield _plan(change)
    yield _freeze(change, site, seen[HouseZone()])
    yield _competing(change, seen[ChangeRequests(site.name)])
    yield _incidents(change, seen[OpenIncidents(site.name)])


def _plan(change: ChangeRequest) -> Finding:
    payload = change.payload
    if payload.is_irreversible:
        return Finding(
            "change.plan", "Rollback plan", Light.YELLOW, "it cannot be taken back, says the request"
        )
    steps = counted(len(lines_in(payload.rollback)), "`/sre` line")
    return Finding(
        "change.plan", "Rollback plan", Light.GREEN, f"{len(payload.rollback)} characters, {steps}"
    )


def _freeze(change: ChangeRequest, site: ClusterSite, zone: str | Gap) -> Finding:
    label, payload = "Change freeze", change.payload
    if isinstance(zone, Gap):
        return unread("change.freeze", label, zone)
    period = frozen(site.change.freezes, payload.service, payload.at, payload.until, zone)
    if period is None:
        return Finding("change.freeze", label, Light.GREEN, "none in its window")
    light = Light.YELLOW if change.emergency else Light.RED
    return Finding("change.freeze", label, light, f"{period.name}, until {period.ends:%Y-%m-%d %H:%M}")


def _competing(change: ChangeRequest, others: tuple[ChangeRequest, ...] | Gap) -> Finding:
    label = "Other changes"
    if isinstance(others, Gap):
        return unread("change.competing", label, others)
    running = [o for o in others if o.id != change.id and o.stage in RUNNING]
    same = [o for o in running if o.payload.service == change.payload.service]
    if same:
        said = f"{same[0].id} is {same[0].stage.value} on {same[0].payload.service}: it waits behind that"
        return Finding("change.competing", label, Light.YELLOW, said)
    over = overlapping(change.payload, others, change.id)
    if over:
        told = tuple(f"{o.id}: {o.payload.what} ({o.payload.service})" for o in over)
        return Finding(
            "change.competing", label, Light.YELLOW, f"{len(over)} in the same window", evidence=told
        )
    return Finding("change.competing", label, Light.GREEN, "none in its window")


def _incidents(change: ChangeRequest, open_ones: tuple[Incident, ...] | Gap) -> Finding:
    label = "Open Sev1 and Sev2"
    if isinstance(open_ones, Gap):
        return unread("change.incidents", label, open_ones)
    grave = [
        each for each in open_ones
        if each.is_active and each.severity <= 2 and not each.is_drill and each.service in ("", change.payload.service)
    ]  # fmt: skip
    if not grave:
        return Finding("change.incidents", label, Light.GREEN, "none of this service")
    told = tuple("one that is private" if each.is_private else f"{each.id}: {each.title}" for each in grave)
    light = Light.YELLOW if change.emergency else Light.RED
    return Finding("change.incidents", label, light, counted(len(grave), "incident"), evidence=told)


# --- What people say ------------------------------------------------------------------------------


def _people(change: ChangeRequest) -> Iterator[Finding]:
    def ask(key: str, label: str, why: str, *buttons: Suggestion) -> Finding:
        return Finding(f"change.{key}", label, Light.UNKNOWN, why, suggestions=buttons)

    told = Light.GREEN if change.notified else Light.UNKNOWN
    yield ask(lines.STAGING, "Tested in staging", "no staging is configured: tick it with a link")
    yield Finding(
        f"change.{lines.NOTIFIED}", "Stakeholders", told, "told" if change.notified else "nobody told them yet",
        suggestions=() if change.notified else (Suggestion("Tell them", f"change notify {change.id}"),),
    )  # fmt: skip
    yield ask(lines.BACKUP, "Backup", "no backup is read by this version: tick it with what was saved")
    if change.payload.risk is Risk.HIGH:
        yield ask(
            lines.INTEGRITY,
            "Backup verified",
            "no backup is read by this version: tick it with how it was tried",
        )
    yield _standby(change)


def _standby(change: ChangeRequest) -> Finding:
    there = [user for user, answer in change.standby.items() if answer]
    away = [user for user, answer in change.standby.items() if not answer]
    key, label = f"change.{lines.STANDBY}", "People are there"
    if away:
        return Finding(key, label, Light.RED, f"{counted(len(away), 'person')} cannot")
    if there:
        return Finding(key, label, Light.GREEN, counted(len(there), "person"))
    yes = Suggestion("I am there", f"change standby {change.id} yes")
    return Finding(key, label, Light.UNKNOWN, "nobody has said so yet", suggestions=(yes,))


# --- The command ----------------------------------------------------------------------------------


def parts(args: Args, site: ClusterSite) -> Parts:
    if not args.name:
        raise UsageError(
            "Name the change request: `/sre change check CR-…`. `/sre change list` shows the open ones."
        )
    return {"checks": Part(f"Pre-checks of {args.name}", inquiry(args.name, site))}


_ROWS = (
    "CM-1.0", "CM-1.1", "CM-1.2", "CM-1.3", "CM-1.4", "CM-1.5", "CM-1.6", "DL-0",
)  # fmt: skip

CHECK = Command(
    word="change",
    verbs=("check",),
    summary="Look whether everything is ready for a change.",
    rows=_ROWS,
    parts=parts,
    examples=("change check CR-2026-11-23-001",),
    names="CR-…",
)
