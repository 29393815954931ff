"""Nodes that run out of memory, disk or process ids, and the pods that pay for it: who takes it, who was killed."""

import re
from collections.abc import Sequence
from datetime import timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.nodestatus import is_ready
from commands.phrase import counted, span
from commands.podreads import Events, EventView, PodDetail, PodDetails
from commands.reads import Condition
from commands.site import ClusterSite
from commands.triage import machine
from commands.triage.load import MEMORY_PODS, USED, by_pod
from commands.triage.machine import Machine
from commands.triage.measured import Gauge, Reading, plain, pod_steps, read, share, size
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import one_line, unread

KEY = "T3-1.3"
LATELY = timedelta(hours=1)
_EVICTED = "Evicted"

_ROOT = 'mountpoint="/",fstype!~"tmpfs|overlay|squashfs|ramfs"'
DISK = Gauge(
    "Root disk in use",
    f"max(1 - node_filesystem_avail_bytes{{$here,{_ROOT}}} / node_filesystem_size_bytes{{$here,{_ROOT}}})",
    share,
    ("node_filesystem_avail_bytes",),
    bad=0.85,
)
DISK_PODS = Gauge(
    "Written layers by pod",
    by_pod('container_fs_usage_bytes{$here,container!="",container!="POD"}'),
    size,
    ("container_fs_usage_bytes",),
    ("namespace", "pod"),
)
LOGS = Gauge(
    "Logs by pod",
    "topk(5, sum by (namespace, pod) (max by (namespace, pod, container)"
    " (kubelet_container_log_filesystem_used_bytes{$here})))",
    size,
    ("kubelet_container_log_filesystem_used_bytes",),
    ("namespace", "pod"),
)
_PIDS = Gauge(
    "Processes",
    "max(node_processes_pids{$here} or node_procs_running{$here})",
    plain,
    ("node_processes_pids", "node_procs_running"),
)
_PID_PODS = Gauge(
    "Processes by pod",
    by_pod('container_processes{$here,container!="",container!="POD"}'),
    plain,
    ("container_processes",),
    ("namespace", "pod"),
)
_OF_KIND = {
    "MemoryPressure": ("memory", (USED, MEMORY_PODS)),
    "DiskPressure": ("disk", (DISK, DISK_PODS, LOGS)),
    "PIDPressure": ("process ids", (_PIDS, _PID_PODS)),
}
# What the kubelet evicts for, by the first part of its signal: memory.available, nodefs.inodesFree, pid.available.
_OF_SIGNAL = {"memory": "MemoryPressure", "nodefs": "DiskPressure", "imagefs": "DiskPressure",
              "containerfs": "DiskPressure", "pid": "PIDPressure", "allocatableMemory": "MemoryPressure"}  # fmt: skip


def pressed(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What a node runs out of, who takes it, and who was evicted or killed for it."""
    found = yield from machine.find(subject)
    kind = _kind(subject, found)
    noun, gauges = _OF_KIND[kind]
    asked = [gauge.asked(found.words) for gauge in gauges]
    pods, events = PodDetails(node=found.name), Events(warnings=True)
    seen = yield (*asked, pods, events)
    readings = [read(gauge, seen[query]) for gauge, query in zip(gauges, asked, strict=True)]
    killed = _killed(seen[pods], found)
    evicted = _evicted(seen[events], found)
    findings = (
        found.finding(),
        *(reading.finding for reading in readings),
        _victims(seen[pods], killed),
        _evictions(seen[events], evicted),
    )
    text = _sentence(found, subject, noun, kind, readings, killed, evicted)
    confidence = Confidence.CERTAIN if _condition(found, kind) or killed else Confidence.LIKELY
    cause = Cause(text, confidence, pod_steps(readings)) if text else None
    return Diagnosis(cause, findings, (*found.steps, *_way_out(found)))


def _kind(subject: Subject, found: Machine) -> str:
    """By the alert's name or label; else by what the node says of itself; memory where nobody says."""
    if re.search("memory|oom", subject.name, re.IGNORECASE):
        return "MemoryPressure"
    said = subject.label("condition") or _OF_SIGNAL.get(
        subject.label("eviction_signal").partition(".")[0], ""
    )
    if said in _OF_KIND:
        return said
    return next((kind for kind in _OF_KIND if _condition(found, kind)), "MemoryPressure")


def _condition(found: Machine, kind: str) -> Condition | None:
    conditions = found.view.conditions if found.view else ()
    return next((each for each in conditions if each.type == kind and each.status == "True"), None)


def _killed(pods: Sequence[PodDetail] | Gap, found: Machine) -> list[tuple[str, str, timedelta]]:
    """Pod, container and how long ago, of those that were killed for memory lately; the latest first."""
    if isinstance(pods, Gap) or found.now is None:
        return []
    ended = [
        (pod.place, container.name, found.now - container.ended.finished)
        for pod in pods
        for container in pod.containers
        if container.ended and container.ended.reason == "OOMKilled" and container.ended.finished
    ]
    return sorted((each for each in ended if each[2] < LATELY), key=lambda each: each[2])


def _evicted(events: Sequence[EventView] | Gap, found: Machine) -> list[EventView]:
    known = () if isinstance(events, Gap) else events
    names = (found.name, found.short)
    return [
        each for each in reversed(known) if each.reason == _EVICTED and (each.host in names or not each.host)
    ]


def _victims(pods: Sequence[PodDetail] | Gap, killed: Sequence[tuple[str, str, timedelta]]) -> Finding:
    label = "Killed for memory in the last hour"
    if isinstance(pods, Gap):
        return unread(KEY, label, pods)
    lines = tuple(f"{pod}/{container}: {span(ago)} ago" for pod, container, ago in killed)
    light = Light.RED if killed else Light.GREEN
    return Finding(KEY, label, light, counted(len(killed), "container") if killed else "none", evidence=lines)


def _evictions(events: Sequence[EventView] | Gap, evicted: Sequence[EventView]) -> Finding:
    label = "Evictions"
    if isinstance(events, Gap):
        return unread(KEY, label, events)
    lines = tuple(f"{event.namespace}/{event.name}: {one_line(event.message)}" for event in evicted)
    light = Light.RED if evicted else Light.GREEN
    return Finding(KEY, label, light, f"{sum(each.count for each in evicted) or 'none'}", evidence=lines)


def _sentence(
    found: Machine,
    subject: Subject,
    noun: str,
    kind: str,
    readings: Sequence[Reading],
    killed: Sequence[tuple[str, str, timedelta]],
    evicted: Sequence[EventView],
) -> str:
    first, takers = readings[0], readings[1]
    condition = _condition(found, kind)
    if not (first.top or condition or killed or evicted):
        return ""
    since = f" for {span(found.now - condition.since)}" if condition and condition.since and found.now else ""
    out = f"{found.short} is short of {noun}{since}"
    used = f" ({first.words} in use)" if first.top and kind != "PIDPressure" else ""
    most = f"; most by {takers.name}, {takers.words}" if takers.top else ""
    paid = f"; {killed[0][0]}/{killed[0][1]} was killed {span(killed[0][2])} ago" if killed else ""
    gone = f"; {evicted[0].namespace}/{evicted[0].name} was evicted" if evicted and not paid else ""
    return f"{out}{used}{most}{paid}{gone}"


def _way_out(found: Machine) -> tuple[Suggestion, ...]:
    if found.view is None or not is_ready(found.view):
        return ()
    return (Suggestion(f"Cordon {found.short}", f"node cordon {found.name}"),)


RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeNodePressure", "KubernetesNodeMemoryPressure", "KubernetesNodeDiskPressure"),
        "A node says that it runs out of memory, disk or process ids; soon it evicts pods.",
        pressed,
        (
            "See which pod takes the most, and whether it has a limit.",
            "Cordon the node while you look, so that nothing new makes it worse.",
            "Then mend the pod: a limit, a leak, a log that grows.",
        ),
    ),
    Rule(
        ("KubeNodeEviction",),
        "A kubelet evicts pods, because its node runs out of something.",
        pressed,
        (
            "The evicted pods' events name what ran out and who was over its request.",
            "See who takes the most of it.",
        ),
    ),
    Rule(
        ("NodeMemoryHighUtilization", "HostOutOfMemory"),
        "A node has little memory left.",
        pressed,
        (
            "See which pods hold it, and whether they have limits.",
            "Move some away, or give the leaking one a limit.",
        ),
    ),
    Rule(
        ("HostOomKillDetected", "NodeOOMKill"),
        "The kernel of a node killed a process for want of memory.",
        pressed,
        (
            "A container over its own limit is killed alone: raise the limit, or find the leak.",
            "A node without memory kills whoever it likes: requests that say what is used prevent that.",
        ),
    ),
)
