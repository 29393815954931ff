"""A node's disk that fills: how full, how long it lasts at this pace, and which pods write."""

import re
from collections.abc import Sequence

from commands.alertreads import QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted
from commands.podreads import Events, EventView
from commands.queries import quoted
from commands.site import ClusterSite
from commands.triage import machine
from commands.triage.eventline import event_line
from commands.triage.filling import WINDOW, Growth, gauges, paced, told
from commands.triage.machine import Machine
from commands.triage.measured import Gauge, Reading, pod_steps, read
from commands.triage.pressure import DISK_PODS, LOGS
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import unread

KEY = "T3-1.3"
_ROOT = 'mountpoint="/"'
_NO_DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs"'
_COLLECTING = ("ImageGCFailed", "FreeDiskSpaceFailed", "EvictionThresholdMet", "NodeHasDiskPressure")


def _gauges(kind: str) -> tuple[Gauge, Gauge, Gauge]:
    noun, free, total = {
        "bytes": ("Disk", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
        "inodes": ("Inodes", "node_filesystem_files_free", "node_filesystem_files"),
    }[kind]
    return gauges(noun, kind, f"max(1 - {free}{{$disk}} / {total}{{$disk}})", free, total)


def filling(subject: Subject, site: ClusterSite) -> Diagnosing:
    """How full, how long it lasts, who writes."""
    found = yield from machine.find(subject)
    kind = "inodes" if re.search("Inodes|Files(?!ystem)", subject.name) else "bytes"
    words = {**found.words, "disk": _matchers(subject, found)}
    wanted = (*_gauges(kind), DISK_PODS, LOGS)
    asked = [gauge.asked(words) for gauge in wanted]
    trend = QueryRange(asked[1].expr, WINDOW)
    events = Events(kind="Node", name=found.name)
    seen = yield (*asked, trend, events)
    readings = [read(gauge, seen[query], KEY) for gauge, query in zip(wanted, asked, strict=True)]
    used, free, total, *writers = readings
    pace = paced(seen[trend], total.value, free)
    text = _sentence(found, subject, kind, readings, pace) if used.top else ""
    cause = Cause(text, Confidence.LIKELY, (*pod_steps(_largest(writers)), *_look(found))) if text else None
    findings = (
        used.finding,
        told(KEY, seen[trend], pace, kind),
        *(reading.finding for reading in writers),
        _collected(seen[events]),
        found.finding(),
    )
    return Diagnosis(cause, findings, found.steps)


def _matchers(subject: Subject, found: Machine) -> str:
    """The disk of the alert; the root disk where it names none."""
    labels = (("mountpoint", subject.label("mountpoint")), ("device", subject.label("device")))
    named = ",".join(f'{name}="{quoted(value)}"' for name, value in labels if value)
    return ",".join((found.words["here"], named or _ROOT, _NO_DISK))


def _largest(writers: Sequence[Reading]) -> list[Reading]:
    return sorted(writers, key=lambda reading: -reading.value)


def _look(found: Machine) -> tuple[Suggestion, ...]:
    return (Suggestion("Disks of all nodes", f"node disk {found.name}" if found.view else "node disk"),)


# --- in words -------------------------------------------------------------------------------------


def _sentence(
    found: Machine, subject: Subject, kind: str, readings: Sequence[Reading], pace: Growth | None
) -> str:
    used, free, _, *writers = readings
    mount = subject.label("mountpoint") or "/"
    left = f", {free.words} left" if free.top else ""
    lasts = f", {pace.words}" if pace else ""
    largest = _largest(writers)[0]
    what = "logs" if largest.gauge is LOGS else "files"
    most = f"; the {what} of {largest.name} take {largest.words}" if largest.top else ""
    if kind == "inodes":
        return f"{mount} on {found.short} has {used.words} of its inodes in use{left}{lasts}"
    return f"{mount} on {found.short} is {used.words} full{left}{lasts}{most}"


def _collected(events: Sequence[EventView] | Gap) -> Finding:
    """Whether the kubelet could make room by itself."""
    label = "What the kubelet says of room"
    if isinstance(events, Gap):
        return unread(KEY, label, events)
    said = tuple(event_line(event) for event in reversed(events) if event.reason in _COLLECTING)
    return Finding(
        KEY,
        label,
        Light.RED if said else Light.GREEN,
        counted(len(said), "event") if said else "nothing",
        evidence=said,
    )


RULES: tuple[Rule, ...] = (
    Rule(
        (
            "NodeFilesystemSpaceFillingUp",
            "NodeFilesystemAlmostOutOfSpace",
            "NodeFilesystemFilesFillingUp",
            "NodeFilesystemAlmostOutOfFiles",
            "HostOutOfDiskSpace",
            "HostDiskWillFillIn24Hours",
            "HostFilesystemFillsUp",
            "HostOutOfInodes",
            "HostInodesWillFillIn24Hours",
            "DiskSpaceLow",
        ),
        "A disk of a node is nearly full; at about 85 % the kubelet begins to evict pods.",
        filling,
        (
            "See whether it grows, and how long it lasts.",
            "Pods' logs and files in their own layer are the usual ones; unused images the kubelet deletes by itself.",
            "Mend the pod that writes; until then cordon the node, or give it a larger disk.",
        ),
    ),
)
