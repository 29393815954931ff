"""Alerts about how much a node does: CPU, memory, disks, network; and who on it does it."""

from collections.abc import Sequence

from commands.triage import machine
from commands.triage.measured import (
    Gauge,
    Reading,
    cores,
    each_second,
    measured,
    plain,
    pod_steps,
    share,
    size,
)
from commands.triage.rule import Rule

_POD = ("namespace", "pod")
_RUNNING = '$here,container!="",container!="POD"'


def by_pod(metric: str) -> str:
    """The pods of the machine by what cAdvisor says of their containers, replicas of a scrape counted once."""
    return f"topk(5, sum by (namespace, pod) (max by (namespace, pod, container) ({metric})))"


_BUSY = Gauge(
    "CPU in use",
    'max(1 - avg without (cpu) (sum without (mode) (rate(node_cpu_seconds_total{$here,mode=~"idle|iowait|steal"}[5m]))))',
    share,
    ("node_cpu_seconds_total",),
    bad=0.8,
)
_STEAL = Gauge(
    "CPU withheld by the host",
    'max(avg without (cpu) (rate(node_cpu_seconds_total{$here,mode="steal"}[5m])))',
    share,
    ("node_cpu_seconds_total",),
    bad=0.1,
)
_CPU_PODS = Gauge(
    "CPU by pod",
    by_pod(f"rate(container_cpu_usage_seconds_total{{{_RUNNING}}}[5m])"),
    cores,
    ("container_cpu_usage_seconds_total",),
    _POD,
)
_LOAD = Gauge(
    "Tasks waiting or running for each CPU",
    'max(node_load1{$here}) / count(count by (cpu) (node_cpu_seconds_total{$here,mode="idle"}))',
    plain,
    ("node_load1",),
    bad=2,
)
USED = Gauge(
    "Memory in use",
    "max(1 - node_memory_MemAvailable_bytes{$here} / node_memory_MemTotal_bytes{$here})",
    share,
    ("node_memory_MemAvailable_bytes",),
    bad=0.85,
)
MEMORY_PODS = Gauge(
    "Memory by pod",
    by_pod(f"container_memory_working_set_bytes{{{_RUNNING}}}"),
    size,
    ("container_memory_working_set_bytes",),
    _POD,
)
_FAULTS = Gauge(
    "Major page faults",
    "max(rate(node_vmstat_pgmajfault{$here}[5m]))",
    each_second,
    ("node_vmstat_pgmajfault",),
    bad=500,
)
WAIT = Gauge(
    "CPU that waits for a disk",
    'max(avg without (cpu) (rate(node_cpu_seconds_total{$here,mode="iowait"}[5m])))',
    share,
    ("node_cpu_seconds_total",),
    bad=0.2,
)
_QUEUE = Gauge(
    "Requests that wait for a disk",
    "max by (device) (rate(node_disk_io_time_weighted_seconds_total{$here}[5m]))",
    plain,
    ("node_disk_io_time_weighted_seconds_total",),
    ("device",),
    bad=10,
)
_WRITERS = Gauge(
    "Written and read by pod",
    by_pod(
        f"rate(container_fs_writes_bytes_total{{{_RUNNING}}}[5m]) + "
        f"rate(container_fs_reads_bytes_total{{{_RUNNING}}}[5m])"
    ),
    lambda value: f"{size(value)} a second",
    ("container_fs_writes_bytes_total",),
    _POD,
)


def _most(reading: Reading, verb: str) -> str:
    return f"; most by {reading.name}, {reading.words}" if reading.top else verb


def _busy(where: str, readings: Sequence[Reading]) -> str:
    busy, steal, pods, _ = readings
    if steal.value >= 0.1:
        return f"{where} gets {steal.words} less CPU than it asks for: its host withholds it (burst credits used up?)"
    return f"{where} uses {busy.words} of its CPU{_most(pods, '')}"


def _saturated(where: str, readings: Sequence[Reading]) -> str:
    queue, busy, pods, wait = readings
    why = (
        f"{wait.words} of its CPU wait for a disk" if wait.value >= 0.2 else f"{busy.words or 'unknown'} CPU"
    )
    return f"{where} has {queue.words} tasks for each CPU ({why}){_most(pods, '')}"


def _faults(where: str, readings: Sequence[Reading]) -> str:
    faults, used, pods = readings
    return (
        f"{where} reads {faults.words} pages back from disk: its memory is {used.words or 'perhaps'} in use"
        f"{_most(pods, '')}"
    )


def _queue(where: str, readings: Sequence[Reading]) -> str:
    queue, _, pods = readings
    return f"disk {queue.name} of {where} has {queue.words} requests waiting{_most(pods, '')}"


# --- network --------------------------------------------------------------------------------------

_DEVICE = ("device",)
_REAL = 'device!~"veth.*|lo|eni[0-9a-f]{11}"'  # a pod's end of a cable says what its pod does


def _packets(label: str, metric: str, bad: float = 1) -> Gauge:
    template = f"max by (device) (rate({metric}{{$here}}[5m]))"
    return Gauge(label, template, each_second, (metric,), _DEVICE, bad, "none")


def _errors(direction: str, other: str) -> Rule:
    metric = f"node_network_{direction}"
    shares = Gauge(
        f"Share of packets that {direction} wrongly",
        f"max by (device) (rate({metric}_errs_total{{$here}}[5m]) / rate({metric}_packets_total{{$here}}[5m]))",
        share,
        (f"{metric}_errs_total",),
        _DEVICE,
        0.01,
        "none",
    )
    gauges = (
        shares,
        _packets("Bad packets by device", f"{metric}_errs_total"),
        _packets("Dropped packets by device", f"{metric}_drop_total"),
    )

    def said(where: str, readings: Sequence[Reading]) -> str:
        found, errors, dropped = readings
        drops = f", and {dropped.words} are dropped on {dropped.name}" if dropped.top else ""
        return f"{found.words} of the packets that {where} {other} on {found.name} are bad ({errors.words}){drops}"

    name = direction.capitalize()
    return Rule(
        (f"NodeNetwork{name}Errs", f"HostNetwork{name}Errors"),
        f"A network device of a node {other} packets with errors.",
        measured(machine.place, gauges, said),
        (
            "See whether one device or all of them, one node or several.",
            "On EC2 a device with errors is the host's: stop and start, or replace, the instance.",
            "Drain the node before, so that its pods no longer feel it.",
        ),
    )


_FLAPS = Gauge(
    "Ups and downs in ten minutes by device",
    f"max by (device) (changes(node_network_up{{$here,{_REAL}}}[10m]))",
    plain,
    ("node_network_up",),
    _DEVICE,
    2,
    "none",
)
_TRACKED = Gauge(
    "Connections tracked",
    "max(node_nf_conntrack_entries{$here} / node_nf_conntrack_entries_limit{$here})",
    share,
    ("node_nf_conntrack_entries", "node_nf_conntrack_entries_limit"),
    bad=0.75,
)
_TRAFFIC = Gauge(
    "Traffic by pod",
    "topk(5, sum by (namespace, pod) (max by (namespace, pod, interface)"
    ' (rate(container_network_transmit_packets_total{$here,pod!=""}[5m]))))',
    lambda value: f"{each_second(value)} packets",
    ("container_network_transmit_packets_total",),
    _POD,
)


def _flaps(where: str, readings: Sequence[Reading]) -> str:
    return f"{readings[0].name} of {where} went up or down {readings[0].words} times in ten minutes"


def _tracked(where: str, readings: Sequence[Reading]) -> str:
    used, pods = readings
    return f"{where} tracks {used.words} of the connections it can; at 100 % new ones are dropped{_most(pods, '')}"


RULES: tuple[Rule, ...] = (
    Rule(
        ("NodeCPUHighUsage", "HostHighCpuLoad", "HostCpuHighIowait", "HostCpuStealNoisyNeighbor"),
        "A node has had little CPU left for a while.",
        measured(machine.place, (_BUSY, _STEAL, _CPU_PODS, _LOAD), _busy, pod_steps),
        (
            "See which pods use the most, and whether they have requests that say so.",
            "A single greedy pod: look at its limits; several: move some, or add a node.",
        ),
    ),
    Rule(
        ("NodeSystemSaturation", "HostHighLoad"),
        "More tasks want to run on a node than it has CPUs for.",
        measured(machine.place, (_LOAD, _BUSY, _CPU_PODS, WAIT), _saturated, pod_steps),
        (
            "Waiting for a disk counts as well: compare CPU in use with CPU that waits.",
            "Then see which pods do it.",
        ),
    ),
    Rule(
        ("NodeMemoryMajorPagesFaults", "HostMemoryUnderMemoryPressure"),
        "A node reads program pages back from disk all the time, because its memory is full of other things.",
        measured(machine.place, (_FAULTS, USED, MEMORY_PODS), _faults, pod_steps),
        ("See which pods hold the memory.", "Give them limits, or move them: it only gets slower from here."),
    ),
    Rule(
        (
            "NodeDiskIOSaturation",
            "HostUnusualDiskReadRate",
            "HostUnusualDiskWriteRate",
            "HostUnusualDiskReadLatency",
            "HostUnusualDiskWriteLatency",
            "HostDiskIoUtilization",
        ),
        "A disk of a node is asked for more than it can do.",
        measured(machine.place, (_QUEUE, WAIT, _WRITERS), _queue, pod_steps),
        (
            "See which pod reads or writes the most.",
            "An EBS volume has its own limits: compare with its IOPS and throughput, gp2 also with burst credits.",
        ),
    ),
    _errors("receive", "receives"),
    _errors("transmit", "sends"),
    Rule(
        ("NodeNetworkInterfaceFlapping",),
        "A network device of a node goes up and down.",
        measured(machine.place, (_FLAPS,), _flaps),
        (
            "Devices named veth or eni come and go with pods: those are none of it.",
            "A real device that flaps on EC2: replace the instance.",
        ),
    ),
    Rule(
        ("NodeHighNumberConntrackEntriesUsed", "HostConntrackLimit"),
        "The table in which a node's kernel tracks connections is nearly full.",
        measured(machine.place, (_TRACKED, _TRAFFIC), _tracked, pod_steps),
        (
            "Find who opens so many connections: DNS without a cache and clients without keep-alive are the usual ones.",
            "Raising net.netfilter.nf_conntrack_max buys time.",
        ),
    ),
)
