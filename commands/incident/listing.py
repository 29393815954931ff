"""`incident list`: what is open, what was, and what was learned from it. Private ones only where the asker may see them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from commands.called import names_of
from commands.command import Command, Flag, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.incident.status import status
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import counted, span
from commands.reads import Now
from commands.response.incident import Incident, Milestone, Role, Status
from commands.responsereads import Incidents, OpenIncidents
from commands.site import ClusterSite
from commands.wording import aligned, one_line, shown_and_kept, unread

KEPT = timedelta(days=90)  # so far back `--all` looks
_ROWS = 25
_TITLE = "Incidents"
_ENDED = (Status.RESOLVED, Status.POSTMORTEM, Status.CLOSED)


def parts(args: Args, site: ClusterSite) -> Parts:
    if args.name:  # the bare word, in the channel of one
        return {"status": Part("Incident", status(args.name))}
    cluster = site.name if "cluster" in args.flags else ""
    return {
        "list": Part(_TITLE, listed(cluster, everything="all" in args.flags, lessons="lessons" in args.flags))
    }


def listed(cluster: str, *, everything: bool, lessons: bool) -> Inquiry:
    now: datetime | Gap = (yield (Now(),))[Now()]
    if isinstance(now, Gap):
        return Section("list", _TITLE, True, (unread("EM-0", "Time", now),))
    wanted = Incidents(now - KEPT, now, cluster) if everything or lessons else OpenIncidents(cluster)
    found: tuple[Incident, ...] | Gap = (yield (wanted,))[wanted]
    if isinstance(found, Gap):
        return Section("list", _TITLE, True, (unread("EM-0", "Incidents", found),))
    newest = sorted(found, key=lambda each: each.opened, reverse=True)
    if lessons:
        return _learned(newest)
    names = yield from names_of(each.holder(Role.IC) for each in newest)
    table, files = shown_and_kept(_table(newest, now, names), _ROWS, "incidents.txt", "All of them")
    return Section(
        "list", _TITLE, True, _findings(newest, everything=everything), "", files, table if newest else ()
    )


def _findings(found: list[Incident], *, everything: bool) -> tuple[Finding, ...]:
    active = [each for each in found if each.is_active]
    grave = [each for each in active if each.severity <= 2 and not each.is_drill]
    light = Light.RED if grave else Light.YELLOW if active else Light.GREEN
    still = [each for each in found if not each.is_active and not each.is_over]
    told = [counted(len(active), "incident") + " going on"]
    told += [f"{len(still)} resolved and not closed"] if still else []
    told += [f"{len(found)} in {span(KEPT)}"] if everything else []
    first = (Suggestion(f"Status of {each.id}", f"incident status {each.id}") for each in active[:3])
    return (Finding("EM-0", "Going on", light, ", ".join(told), suggestions=tuple(first)),)


def _table(found: list[Incident], now: datetime, names: Mapping[str, str]) -> tuple[str, ...]:
    header = ("id", "sev", "status", "since", "commander", "where", "title")
    return aligned(header, (_row(each, now, names) for each in found), width=28)


def _row(incident: Incident, now: datetime, names: Mapping[str, str]) -> tuple[str, ...]:
    ic = incident.holder(Role.IC)
    room = f"#{incident.room.name}" if incident.room.name else "thread" if not incident.wants_channel else "-"
    drill = "drill: " if incident.is_drill else ""
    since = span(now - (incident.at(Milestone.STARTED) or incident.opened))
    title = one_line(drill + incident.title, 60)
    return (
        incident.id, str(incident.severity), incident.status.value, since, names.get(ic, ic) or "nobody", room, title,
    )  # fmt: skip


def _learned(found: list[Incident]) -> Section:
    """Of every one that says what; and each grave one that is over and does not."""
    told = tuple(f"{each.id} {each.title}: {one_line(each.lessons, 300)}" for each in found if each.lessons)
    bare = tuple(f"{each.id} {each.title}: nobody wrote it down" for each in found if _owes_lessons(each))
    finding = Finding(
        "EM-5.2",
        "Learned",
        Light.YELLOW if bare else Light.GREEN,
        f"{counted(len(told), 'incident')} of {len(found)} say what",
        evidence=(*told, *bare),
    )
    return Section("list", "What was learned", True, (finding,), f"of the last {span(KEPT)}")


def _owes_lessons(incident: Incident) -> bool:
    is_grave = incident.severity <= 2 and not incident.is_drill
    return is_grave and incident.status in _ENDED and not incident.lessons


LISTING = Command(
    word="incident",
    verbs=("", "list"),
    summary="Open incidents; in the channel of one, how it stands.",
    rows=("EM-1.0",),
    parts=parts,
    examples=("incident", "incident list --all", "incident list --lessons"),
    flags=(
        Flag("all", "also those that are over, of the last 90 days"),
        Flag("lessons", "what was learned, of the last 90 days"),
    ),
    names="INC",
    immediate=True,
)
