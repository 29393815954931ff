"""Alerts about a node's own system: its clock, services, arrays of disks, files; and a cluster that promised too much."""

from collections.abc import Callable, Sequence

from commands.finding import Suggestion
from commands.site import ClusterSite
from commands.triage import machine
from commands.triage.measured import (
    Gauge,
    Locating,
    Place,
    Reading,
    cores,
    measured,
    plain,
    seconds,
    share,
    size,
)
from commands.triage.rule import Rule, Subject

# --- clock ----------------------------------------------------------------------------------------

_OFFSET = Gauge(
    "Clock is off by",
    "max(abs(node_timex_offset_seconds{$here}))",
    seconds,
    ("node_timex_offset_seconds",),
    bad=0.05,
)
_SYNCED = Gauge(
    "Clock that is not synchronised",
    "max(node_timex_sync_status{$here} == bool 0)",
    lambda value: "yes" if value else "no",
    ("node_timex_sync_status",),
    bad=1,
)
_WORST = Gauge(
    "Clock may be off by",
    "max(node_timex_maxerror_seconds{$here})",
    seconds,
    ("node_timex_maxerror_seconds",),
    bad=16,
)


def _skew(where: str, readings: Sequence[Reading]) -> str:
    offset, synced, _ = readings
    why = " and is not synchronised" if synced.value else ""
    return f"the clock of {where} is off by {offset.words}{why}: certificates and tokens may be refused"


def _unsynced(where: str, readings: Sequence[Reading]) -> str:
    synced, offset, worst = readings
    if not synced.value:
        return ""
    return (
        f"nothing sets the clock of {where}: it may be off by {worst.words or offset.words or 'any amount'}"
    )


_CLOCK_STEPS = (
    "On EC2 chrony asks 169.254.169.123: see whether it runs, and whether something blocks UDP port 123.",
    "A node whose clock is minutes off refuses valid certificates and tokens: drain it and replace it.",
)

# --- services, arrays, files ----------------------------------------------------------------------

_FAILED = Gauge(
    "Services that failed",
    'max by (name) (node_systemd_unit_state{$here,state="failed"})',
    lambda value: "failed",
    ("node_systemd_unit_state",),
    ("name",),
    1,
    "none",
)
_RESTARTED = Gauge(
    "Restarts of services in an hour",
    "max by (name) (increase(node_systemd_service_restart_total{$here}[1h]))",
    plain,
    ("node_systemd_service_restart_total",),
    ("name",),
    3,
    "none",
)
_MISSING = Gauge(
    "Disks that an array lacks",
    "max by (device) (max by (instance, device) (node_md_disks_required{$here})"
    ' - max by (instance, device) (node_md_disks{$here,state="active"}))',
    plain,
    ("node_md_disks_required", "node_md_disks"),
    ("device",),
    1,
    "none",
)
_BROKEN = Gauge(
    "Disks of an array that failed",
    'max by (device) (node_md_disks{$here,state="failed"})',
    plain,
    ("node_md_disks",),
    ("device",),
    1,
    "none",
)
_BONDS = Gauge(
    "Links that a bond lacks",
    "max by (master) (node_bonding_slaves{$here} - node_bonding_active{$here})",
    plain,
    ("node_bonding_slaves",),
    ("master",),
    1,
    "none",
)
_OPEN = Gauge(
    "Open files",
    "max(node_filefd_allocated{$here} / node_filefd_maximum{$here})",
    share,
    ("node_filefd_allocated",),
    bad=0.7,
)
_SOCKETS = Gauge(
    "Sockets in use", "max(node_sockstat_sockets_used{$here})", plain, ("node_sockstat_sockets_used",)
)
_TEXTFILE = Gauge(
    "Text file that node-exporter cannot read",
    "max(node_textfile_scrape_error{$here})",
    lambda value: "yes" if value else "no",
    ("node_textfile_scrape_error",),
    bad=1,
)


def _services(where: str, readings: Sequence[Reading]) -> str:
    names = ", ".join(labels[0] for labels, _ in readings[0].top)
    return f"on {where} failed: {names}"


def _looping(where: str, readings: Sequence[Reading]) -> str:
    first = readings[0]
    return f"{first.name} on {where} was started {first.words} times in the last hour"


def _degraded(where: str, readings: Sequence[Reading]) -> str:
    first = readings[0]
    return f"array {first.name} of {where} lacks {first.words} of its disks: the next failure loses its data"


def _disk_failed(where: str, readings: Sequence[Reading]) -> str:
    return f"{readings[0].words} disk of array {readings[0].name} of {where} failed"


def _bonding(where: str, readings: Sequence[Reading]) -> str:
    return f"bond {readings[0].name} of {where} lacks {readings[0].words} of its links"


def _files(where: str, readings: Sequence[Reading]) -> str:
    return f"{where} has {readings[0].words} of the files open that its kernel allows"


def _textfile(where: str, readings: Sequence[Reading]) -> str:
    return (
        f"node-exporter on {where} cannot read a file of its textfile collector" if readings[0].value else ""
    )


# --- promises -------------------------------------------------------------------------------------

_LIVE = 'on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)'


def _requested(resource: str) -> str:
    return f'(max by (namespace, pod, container) (kube_pod_container_resource_requests{{resource="{resource}"}}) * {_LIVE})'


def _overcommit(resource: str, noun: str, unit: Callable[[float], str]) -> Rule:
    room = f'max by (node) (kube_node_status_allocatable{{resource="{resource}"}})'
    gauges = (
        Gauge(
            f"{noun} requested", f"sum{_requested(resource)}", unit, ("kube_pod_container_resource_requests",)
        ),
        Gauge(
            f"{noun} left when the largest node fails",
            f"sum({room}) - max({room})",
            unit,
            ("kube_node_status_allocatable",),
        ),
        Gauge(
            f"{noun} requested by namespace",
            f"topk(5, sum by (namespace) {_requested(resource)})",
            unit,
            ("kube_pod_container_resource_requests",),
            ("namespace",),
        ),
    )

    def said(where: str, readings: Sequence[Reading]) -> str:
        asked, left, by = readings
        if not left.top or asked.value <= left.value:
            return ""
        most = f"; {by.name} requests {by.words}" if by.top else ""
        return f"pods request {asked.words} of {noun}, and {left.words} would be left if the largest node failed{most}"

    return Rule(
        (f"Kube{noun}Overcommit",),
        f"The pods request more {noun} than there would be if one node failed.",
        measured(_cluster, gauges, said),
        (
            "Compare what pods request with what they use: requests that are too high are the cheapest room.",
            "Else add a node, or let the autoscaler have one more.",
        ),
    )


def _cluster(subject: Subject, site: ClusterSite) -> Locating:
    yield ()
    return Place(site.name, suggestions=(Suggestion("Top nodes", "node top"),))


RULES: tuple[Rule, ...] = (
    Rule(
        ("NodeClockSkewDetected", "HostClockSkew"),
        "A node's clock is wrong.",
        measured(machine.place, (_OFFSET, _SYNCED, _WORST), _skew),
        _CLOCK_STEPS,
    ),
    Rule(
        ("NodeClockNotSynchronising", "HostClockNotSynchronising"),
        "Nothing sets a node's clock any more.",
        measured(machine.place, (_SYNCED, _OFFSET, _WORST), _unsynced),
        _CLOCK_STEPS,
    ),
    Rule(
        ("NodeSystemdServiceFailed", "HostSystemdServiceCrashed"),
        "A service of a node's own system failed and does not run.",
        measured(machine.place, (_FAILED, _RESTARTED), _services),
        (
            "kubelet and containerd matter at once, others often not.",
            "journalctl -u NAME on the node says why.",
        ),
    ),
    Rule(
        ("NodeSystemdServiceCrashlooping",),
        "A service of a node's own system is started again and again.",
        measured(machine.place, (_RESTARTED, _FAILED), _looping),
        ("journalctl -u NAME on the node says why.", "kubelet or containerd: drain the node and replace it."),
    ),
    Rule(
        ("NodeRAIDDegraded", "HostRaidArrayGotInactive"),
        "An array of disks lacks one of them.",
        measured(machine.place, (_MISSING, _BROKEN), _degraded),
        ("Drain the node, then replace the disk, or on EC2 the instance.",),
    ),
    Rule(
        ("NodeRAIDDiskFailure", "HostRaidDiskFailure"),
        "A disk of an array failed.",
        measured(machine.place, (_BROKEN, _MISSING), _disk_failed),
        ("Drain the node, then replace the disk, or on EC2 the instance.",),
    ),
    Rule(
        ("NodeBondingDegraded",),
        "A bond of network links lacks one of them.",
        measured(machine.place, (_BONDS,), _bonding),
        ("See which link is down; the bond carries on with less.",),
    ),
    Rule(
        ("NodeFileDescriptorLimit", "HostFileDescriptorLimit"),
        "A node has nearly as many files open as its kernel allows.",
        measured(machine.place, (_OPEN, _SOCKETS), _files),
        (
            "Find who leaks them: many sockets point to a client without time limits.",
            "fs.file-max can be raised.",
        ),
    ),
    Rule(
        ("NodeTextFileCollectorScrapeError",),
        "node-exporter cannot read a file that something else writes for it; what it would tell is missing.",
        measured(machine.place, (_TEXTFILE,), _textfile),
        ("node-exporter's log names the file and the line.",),
    ),
    _overcommit("cpu", "CPU", cores),
    _overcommit("memory", "Memory", size),
)
