"""Everything that changed as one kind of thing, whoever told of it, and which of it is nearest to the trouble.

Pure; used by `change recent`. What machines do to AWS all day long is counted together and never leads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.changereads import CloudChange
from commands.finding import Suggestion
from commands.phrase import span
from commands.site import ServiceSite
from commands.triagereads import ChangeSeen
from commands.wording import one_line
from commands.workloads import typed

# As T1-4.1: so near before it, a change is the first suspect. Clocks differ, and an alert waits for its `for:`.
SUSPECT, CLOCKS = timedelta(minutes=30), timedelta(minutes=2)

# What the network plugin, the volume driver and the load balancer controller call all the time.
_BY_MACHINES = frozenset(
    {
        "AssignPrivateIpAddresses", "AttachNetworkInterface", "AttachVolume", "CreateNetworkInterface",
        "CreateSnapshot", "CreateTags", "DeleteNetworkInterface", "DeleteSnapshot", "DeleteTags", "DeregisterTargets",
        "DetachNetworkInterface", "DetachVolume", "ModifyNetworkInterfaceAttribute", "RecordLifecycleActionHeartbeat",
        "RegisterTargets", "UnassignPrivateIpAddresses",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happened:
    """subject: what changed. what: how. own: it is about the service that was asked for, or nothing in particular was.
    is_routine: machines do it all the time. times: how often, of what is counted together."""

    at: datetime
    subject: str
    what: str
    by: str = ""
    differences: tuple[str, ...] = ()
    own: bool = True
    is_routine: bool = False
    times: int = 1
    back: Suggestion | None = None

    def is_suspect(self, began: datetime) -> bool:
        return not self.is_routine and -CLOCKS <= began - self.at <= SUSPECT

    def when(self, began: datetime, *, is_now: bool) -> str:
        length = began - self.at
        if is_now:
            return f"{span(length)} ago"
        return f"{span(length)} before" if length >= timedelta(0) else f"{span(-length)} after"

    @property
    def author(self) -> str:
        return f" by {one_line(self.by, 60)}" if self.by else ""


def nearest_first(found: Iterable[Happened], began: datetime) -> list[Happened]:
    """Suspects first, of these the service's own; then whatever came before it, by how near; what came after it is last,
    and before that what machines do all the time."""

    def rank(each: Happened) -> tuple[bool, bool, bool, bool, timedelta]:
        is_suspect, is_after = each.is_suspect(began), each.at > began + CLOCKS
        return (
            not is_suspect,
            is_suspect and not each.own,
            is_after,
            each.is_routine,
            abs(began - each.at),
        )

    return sorted(found, key=rank)


# --- From what was read ---------------------------------------------------------------------------


def in_cluster(changes: Iterable[ChangeSeen], service: ServiceSite | None) -> Iterator[Happened]:
    """Each once, though several questions may have told of it; service: None where none was asked for."""
    kept: dict[tuple[str, str, str, str, datetime], ChangeSeen] = {}
    for each in changes:
        kept.setdefault((each.kind, each.namespace, each.name, each.what, each.at), each)
    latest = {(c.kind, c.namespace, c.name): c.revision for c in sorted(kept.values(), key=_revision)}
    for change in kept.values():
        is_last = (
            change.revision > 0 and latest[change.kind, change.namespace, change.name] == change.revision
        )
        yield _happened(change, _back(change) if is_last else None, service)


def _revision(change: ChangeSeen) -> int:
    return change.revision


def _happened(change: ChangeSeen, back: Suggestion | None, service: ServiceSite | None) -> Happened:
    place = f"{change.namespace}/{change.name}" if change.namespace else change.name
    return Happened(
        change.at, f"{change.kind} {place}", change.what, change.by, change.differences,
        own=service is None or _is_of(change, service), back=back,
    )  # fmt: skip


def _is_of(change: ChangeSeen, service: ServiceSite) -> bool:
    names = {service.name, service.deployment, service.service}
    return change.namespace == service.namespace and change.name in names


def _back(change: ChangeSeen) -> Suggestion | None:
    ill = typed(change.kind, change.namespace, change.name)
    return Suggestion(f"Roll back {change.name}", f"deploy rollback {ill}") if ill else None


def in_cloud(changes: Iterable[CloudChange], *, own: bool) -> Iterator[Happened]:
    """What machines do is counted together, by action and author, at the last time of it."""
    routine: dict[tuple[str, str, str], Happened] = {}
    for change in changes:
        found = Happened(
            change.at, f"AWS {change.service}", f"{change.action} {one_line(change.what)}".rstrip(), change.by,
            own=own, is_routine=change.action in _BY_MACHINES,
        )  # fmt: skip
        if not found.is_routine:
            yield found
            continue
        key = (change.service, change.action, change.by)
        before = routine.get(key)
        latest = max((each for each in (before, found) if each), key=lambda each: each.at)
        routine[key] = replace(latest, times=(before.times if before else 0) + 1)
    for each in routine.values():
        yield replace(each, what=f"{each.what.partition(' ')[0]} × {each.times}")
