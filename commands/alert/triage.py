"""`alert triage`: what is probably the matter with an alert, what changed before it, what else fires, its graph.

Runs by itself when a group begins to fire, and again when somebody asks. The replies are few on purpose: a group
of three hundred alerts has as many as a group of one.
"""

from collections.abc import Callable, Generator

from commands.alertreads import GroupOf
from commands.command import Command, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import AlertGroup, Args, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import span
from commands.site import ClusterSite
from commands.triage import context, graph, listing
from commands.triage.rule import Subject
from commands.triage.table import rule_for
from commands.wording import unread

Telling = Callable[[AlertGroup, ClusterSite], Inquiry]


def parts(args: Args, site: ClusterSite) -> Parts:
    if not args.name:
        raise UsageError("Say which alert: `alert triage A…`, with the id that stands under its card.")
    told: tuple[tuple[str, str, Telling], ...] = (
        ("cause", "What is the matter", _cause),
        ("context", "What changed, and what else fires", context.told),
        ("graph", "Graph", graph.drawn),
        ("list", "All of its alerts", listing.told),
    )
    return {key: Part(title, _about(args.name, site, key, title, tell)) for key, title, tell in told}


def _about(id: str, site: ClusterSite, key: str, title: str, tell: Telling) -> Inquiry:
    group = yield from _group(id)
    if isinstance(group, AlertGroup):
        return (yield from tell(group, site))
    if key != "cause":  # said once, where people look first
        return Section(key, title, True)
    if isinstance(group, Gap):
        return Section(key, title, True, (unread("AR-5", "Alert", group),))
    gone = Finding("AR-5", "Alert", Light.UNKNOWN, f"the store has no alert {id} (any more)")
    return Section(key, title, True, (gone,))


def _group(id: str) -> Generator[Reads, Seen, AlertGroup | Gap | None]:
    read = GroupOf(id)
    found: AlertGroup | Gap | None = (yield (read,))[read]
    return found


def _cause(group: AlertGroup, site: ClusterSite) -> Inquiry:
    title = group.name or "An alert without a name"
    if not group.firing:
        length = span(group.updated - group.opened)
        over = Finding("AR-5", "Over", Light.GREEN, f"resolved after {length}, before it was looked at")
        return Section("cause", title, True, (over,))
    subject = Subject.of(group)
    diagnosis = yield from rule_for(subject).diagnose(subject, site)
    return diagnosis.section("cause", title)


TRIAGE = Command(
    word="alert",
    verbs=("triage",),
    summary="What is probably the matter with an alert, what changed before it, what else fires.",
    rows=("AR-5", "AR-1.2", "AR-2.2", "AR-3.2", "AR-4.2"),
    parts=parts,
    examples=("alert triage A1B2C3D4E5F60718",),
    names="ALERT",
)
