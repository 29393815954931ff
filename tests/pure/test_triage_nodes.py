"""Alerts about nodes: what is said to be the matter for each state of the machine, its kubelet and its load."""

from dataclasses import replace
from datetime import timedelta

import pytest
from triage_world import (
    GIB,
    HIDDEN,
    NODE,
    NOW,
    SITE,
    Dark,
    cause,
    event,
    falling,
    killed,
    machine,
    node,
    target,
    told,
    unknown,
)

from commands import reads
from commands.alertreads import Matrix, QueryRange, ScrapeTargets, Series
from commands.effects import Target
from commands.finding import Light
from commands.model import Confidence, Gap
from commands.podreads import Events, PodDetails
from commands.reads import Condition, Nodes
from commands.scheduling import Needs, Owner, PodDetail, PodsOnNode
from commands.triage.rule import Subject
from commands.triagereads import Instance, NodeClaims, NodeClaimView, NodeLease, ProviderId

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE
ON_NODE = {"node": NODE}
SILENT = {Nodes: (node(ready="Unknown"),), NodeLease: NOW - timedelta(minutes=3)}
MANY = tuple(node(f"n{n}", "Unknown" if n < 3 else "True", zone="eu-central-1a") for n in range(4))
ELSEWHERE = (node("n9", zone="eu-central-1b"),)

NOT_READY = {
    "the machine is stopped, in EC2's words": (
        {**SILENT, Instance: machine("stopped", reason="Client.UserInitiatedShutdown: User initiated shutdown")},
        "EC2 stopped i-0abc of ip-10-0-3-17 (Client.UserInitiatedShutdown: User initiated shutdown)",
        CERTAIN,
    ),
    "a spot instance was taken back": (
        {**SILENT, Instance: machine("terminated", is_spot=True, reason="Server.SpotInstanceTermination")},
        "AWS took the spot instance i-0abc of ip-10-0-3-17 back (Server.SpotInstanceTermination)",
        CERTAIN,
    ),
    "EC2 knows no such machine": (
        {**SILENT, Instance: None},
        "the machine of ip-10-0-3-17 is gone: EC2 knows no i-0abc",
        CERTAIN,
    ),
    "the hardware under it is impaired": (
        {**SILENT, Instance: machine(system="impaired")},
        "the system status check of i-0abc (ip-10-0-3-17) is impaired: AWS's hardware or network; replace it",
        CERTAIN,
    ),
    "its operating system does not answer": (
        {**SILENT, Instance: machine(instance="impaired")},
        "the instance status check of i-0abc (ip-10-0-3-17) is impaired: its operating system does not answer",
        LIKELY,
    ),
    "a spot interruption was announced by an event": (
        {**SILENT, Events: (event("SpotInterruption", "Spot interruption warning was triggered"),)},
        "AWS announced that it takes the spot instance of ip-10-0-3-17 back: its pods have two minutes",
        CERTAIN,
    ),
    "a spot interruption was announced by a taint": (
        {Nodes: (node(taints=("aws-node-termination-handler/spot-itn:NoSchedule",)),)},
        "AWS announced that it takes the spot instance of ip-10-0-3-17 back: its pods have two minutes",
        CERTAIN,
    ),
    "a whole zone is dark": (
        {Nodes: (node(ready="Unknown"), *MANY, *ELSEWHERE)},
        "4 of the 5 nodes in eu-central-1a are not Ready, and none elsewhere: the zone or its network",
        LIKELY,
    ),
    "Karpenter takes it away": (
        {
            **SILENT,
            NodeClaims: (
                NodeClaimView("general-x", NODE, "general", "spot",
                              (Condition("DisruptionReason", "True", "Drifted"),), NOW),
            ),
        },
        "Karpenter takes ip-10-0-3-17 away (Drifted): NodeClaim general-x is being deleted",
        LIKELY,
    ),
    "the kubelet says that the pod network is not ready": (
        {Nodes: (node(ready="False", says="container runtime network not ready: cni plugin not initialized"),)},
        "ip-10-0-3-17 is not Ready: its pod network is not ready: see aws-node on it (no free address?): "
        "“container runtime network not ready: cni plugin not initialized”",
        CERTAIN,
    ),
    "the kubelet says that its runtime hangs": (
        {Nodes: (node(ready="False", says="PLEG is not healthy: pleg was last seen active 4m0s ago"),)},
        "ip-10-0-3-17 is not Ready: its container runtime is too slow or hangs (PLEG): "
        "“PLEG is not healthy: pleg was last seen active 4m0s ago”",
        CERTAIN,
    ),
    "it ran out of memory before it fell silent": (
        {**SILENT, Events: (event("SystemOOM", "System OOM encountered, victim process: java"),)},
        "the kubelet of ip-10-0-3-17 stopped reporting 3 min ago; before, it had run out of memory "
        "(System OOM encountered, victim process: java)",
        LIKELY,
    ),
    "AWS has scheduled something": (
        {**SILENT, Instance: machine(events=("instance-retirement on 2026-11-24",))},
        "AWS has scheduled for i-0abc of ip-10-0-3-17: instance-retirement on 2026-11-24",
        LIKELY,
    ),
    "the machine is well, its kubelet silent": (
        SILENT,
        "the kubelet of ip-10-0-3-17 stopped reporting 3 min ago; its instance i-0abc passes both checks: "
        "the kubelet, or its way to the API server",
        LIKELY,
    ),
    "its memory was full when it fell silent": (
        {**SILENT, QueryRange: Matrix((Series({}, ((1.0, 0.7), (2.0, 0.981))),))},
        "the kubelet of ip-10-0-3-17 stopped reporting 3 min ago; 98 % of its memory was in use then",
        LIKELY,
    ),
    "nobody could ask AWS": (
        {**SILENT, Instance: HIDDEN},
        "the kubelet of ip-10-0-3-17 stopped reporting 3 min ago: the machine, its kubelet, or the way to the API server",
        POSSIBLE,
    ),
    "it never said a word": (
        {Nodes: (replace(node(), conditions=()),)},
        "the kubelet of ip-10-0-3-17 has never reported whether it is Ready",
        LIKELY,
    ),
    "it flaps": (
        {Nodes: (node(),), Events: (event("NodeNotReady", "Node is not ready", count=4),)},
        "ip-10-0-3-17 turned not Ready 4 times and is Ready now: a kubelet that is too busy, or a shaky network",
        POSSIBLE,
    ),
    "it is back": ({Nodes: (node(),)}, "ip-10-0-3-17 is Ready again for 3 min", CERTAIN),
    "it was replaced": (
        {Nodes: (node("n1"),)},
        "ip-10-0-3-17 is no node of the cluster any more: it was taken away or replaced, and the alert ends with it",
        CERTAIN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("given, text, confidence", NOT_READY.values(), ids=NOT_READY)
def test_a_node_that_is_not_ready(given, text, confidence):
    found = told("KubeNodeNotReady", ON_NODE, given)
    assert cause(found) == text
    assert found.cause and found.cause.confidence is confidence


def test_all_that_an_expert_would_look_up_is_there() -> None:
    pods = tuple(
        PodDetail(Target("Pod", "shop", f"web-5d9f8c7b6d-x7k2{n}", f"u{n}"), {}, NODE, "Running", True, Needs({}),
                  Owner("ReplicaSet", "web-5d9f8c7b6d", "u"))
        for n in "pq"
    )  # fmt: skip
    found = told("KubeNodeUnreachable", ON_NODE, {**SILENT, PodsOnNode: pods})
    shown = {finding.label: finding for finding in found.findings}
    assert shown["Kubelet's lease"].value == "renewed 3 min ago"
    assert shown["Kubelet's lease"].light is Light.RED
    assert shown["EC2 instance"].value == "i-0abc running, system check ok, instance check ok (m7i.large)"
    assert shown["Node group workers"].value == "ACTIVE, 0 issues"
    assert shown["Pods on it"].evidence == ("Deployment shop/web: 2 pods",)
    assert shown["Node"].light is Light.RED
    assert [each.text for each in found.cause.suggestions] == [
        f"node drain {NODE} --dry-run",
        f"node show {NODE}",
    ]


def test_what_is_hidden_is_said_and_hides_nothing_else() -> None:
    found = told(
        "KubeNodeNotReady", ON_NODE, {**SILENT, ProviderId: HIDDEN, NodeLease: HIDDEN, NodeClaims: HIDDEN}
    )
    hidden = ["Kubelet's lease", "EC2 instance", "Karpenter", "Memory in use when last heard"]
    assert unknown(found) == hidden
    assert "stopped reporting 3 min ago" in cause(found)  # by the condition, as the lease is not known
    dark = Dark({reads.Now: NOW}).drive(Subject("KubeNodeNotReady", ON_NODE))
    assert dark.cause is None
    assert {finding.light for finding in dark.findings} == {Light.UNKNOWN}


def test_checks_of_a_running_machine_that_were_not_read_are_not_green() -> None:
    unread = machine(system="", instance="", unread=Gap("forbidden", "Allow ec2:DescribeInstanceStatus."))
    found = told("KubeNodeNotReady", ON_NODE, {**SILENT, Instance: unread})
    shown = {finding.label: finding for finding in found.findings}
    assert shown["EC2 instance"].light is Light.UNKNOWN
    assert shown["EC2 instance"].mend == "Allow ec2:DescribeInstanceStatus."


def test_a_node_that_is_no_instance_of_ec2_is_not_said_to_be_gone() -> None:
    fargate = "aws:///eu-central-1a/0f3c-1d/fargate-ip-10-0-3-17.eu-central-1.compute.internal"
    found = told("KubeNodeNotReady", ON_NODE, {**SILENT, ProviderId: fargate, Instance: None})
    assert "stopped reporting" in cause(found)
    shown = {finding.label: finding.value for finding in found.findings}
    assert shown["EC2 instance"] == f"none: {fargate}"


@pytest.mark.parametrize(
    "given, label, value",
    [
        ({NodeLease: None}, "Kubelet's lease", "none: the kubelet never took one"),
        ({reads.Now: HIDDEN}, "Kubelet's lease", "unknown: the time is not known"),
        ({ProviderId: ""}, "EC2 instance", "unknown: the node does not say which machine it is"),
        ({reads.Nodegroup: HIDDEN}, "Node group workers", "unknown: forbidden: may not list it"),
        ({reads.Nodegroup: None}, "Node group workers", "EKS knows no such node group"),
        ({Nodes: (*MANY[:3], node(ready="Unknown"))}, "Other nodes", "3 of 4 are not Ready either"),
        ({PodsOnNode: HIDDEN}, "Pods on it", "unknown: forbidden: may not list it"),
    ],
)  # fmt: skip
def test_each_source_says_what_it_has(given, label, value) -> None:
    found = told("KubeNodeNotReady", ON_NODE, {**SILENT, **given})
    assert {finding.label: finding.value for finding in found.findings}[label] == value


def test_a_pod_that_nothing_makes_anew_is_named() -> None:
    bare = PodDetail(Target("Pod", "shop", "once", "u"), {}, NODE, "Running", True, Needs({}))
    found = told("KubeNodeNotReady", ON_NODE, {**SILENT, PodsOnNode: (bare,)})
    shown = {finding.label: finding.evidence for finding in found.findings}
    assert shown["Pods on it"] == ("shop/once (nothing makes it anew): 1 pod",)


@pytest.mark.parametrize(
    "taint, text",
    [
        (
            "aws-node-termination-handler/scheduled-maintenance:NoSchedule",
            "AWS announced maintenance of ip-10-0-3-17",
        ),
        (
            "aws-node-termination-handler/rebalance-recommendation:NoSchedule",
            "AWS advised to leave the spot instance",
        ),
    ],
)
def test_what_the_termination_handler_was_told(taint, text) -> None:
    found = told("KubeNodeNotReady", ON_NODE, {Nodes: (node(ready="Unknown", taints=(taint,)),)})
    assert cause(found).startswith(text)


def test_where_no_node_is_named_the_one_that_is_not_ready_is_meant() -> None:
    assert "ip-10-0-3-17 stopped reporting" in cause(told("KubeNodeNotReady", {}, SILENT))
    well = told("KubeNodeNotReady", {}, HERE)
    assert (well.cause, well.findings[0].value) == (None, "all Ready")


def test_an_answer_that_is_not_whole_says_so() -> None:
    half = reads.Vector((reads.Sample({}, 0.5),), ("store-1 did not answer",))
    found = told("NodeCPUHighUsage", ON_NODE, HERE | {"idle|iowait|steal": half})
    assert found.findings[0].light is Light.UNKNOWN
    assert found.findings[0].evidence == ("partial answer: store-1 did not answer",)


def test_an_address_is_as_good_as_a_name() -> None:
    found = told("KubeNodeNotReady", {"instance": "10.0.3.17:9100"}, SILENT)
    assert "ip-10-0-3-17 stopped reporting" in cause(found)


def test_kubelets_that_only_prometheus_does_not_see() -> None:
    scraped = {
        Nodes: (node(),),
        ScrapeTargets: (target("10.0.3.17:10250", "server returned HTTP status 403 Forbidden"),),
    }
    found = told("KubeletDown", {"job": "kubelet"}, scraped)
    assert cause(found) == (
        "1 of 1 target of kubelet is down: it refuses Prometheus (403) (the right to its metrics is missing "
        "(RBAC, token, proxy))"
    )
    assert "all 1 are Ready" in [finding.value for finding in found.findings]
    assert "stopped reporting" in cause(told("KubeletDown", {"job": "kubelet"}, SILENT))


# --- by numbers -----------------------------------------------------------------------------------

WHO = "namespace=shop,pod=web-7"
HERE = {Nodes: (node(),)}
BY_NUMBERS = {
    "NodeCPUHighUsage": (
        {"idle|iowait|steal": 0.93, 'mode="steal"': 0.0, "cpu_usage_seconds": {WHO: 1.6}},
        "ip-10-0-3-17 uses 93 % of its CPU; most by shop/web-7, 1.6 cores",
    ),
    "HostHighCpuLoad": (
        {"idle|iowait|steal": 0.93, 'mode="steal"': 0.31},
        "ip-10-0-3-17 gets 31 % less CPU than it asks for: its host withholds it (burst credits used up?)",
    ),
    "NodeSystemSaturation": (
        {"node_load1": 4.5, "idle|iowait|steal": 0.4, 'mode="iowait"': 0.5},
        "ip-10-0-3-17 has 4.5 tasks for each CPU (50 % of its CPU wait for a disk)",
    ),
    "NodeMemoryMajorPagesFaults": (
        {"pgmajfault": 812.0, "MemAvailable": 0.96, "working_set": {WHO: 3 * GIB}},
        "ip-10-0-3-17 reads 812 a second pages back from disk: its memory is 96 % in use; most by shop/web-7, 3 GiB",
    ),
    "NodeDiskIOSaturation": (
        {"io_time_weighted": {"device=nvme0n1": 14.0, "device=nvme1n1": 0.0}, "fs_writes": {WHO: 50 * 2**20}},
        "disk nvme0n1 of ip-10-0-3-17 has 14 requests waiting; most by shop/web-7, 50 MiB a second",
    ),
    "NodeNetworkReceiveErrs": (
        {"receive_errs_total{$here}": 0, "receive_packets": {"device=ens5": 0.021}, "receive_errs": {"device=ens5": 31.0},
         "receive_drop": {"device=ens5": 4.0}},
        "2.1 % of the packets that ip-10-0-3-17 receives on ens5 are bad (31 a second), and 4 a second are dropped on ens5",
    ),
    "NodeNetworkTransmitErrs": (
        {"transmit_packets": {"device=ens5": 0.05}, "transmit_errs": {"device=ens5": 2.0}},
        "5 % of the packets that ip-10-0-3-17 sends on ens5 are bad (2 a second)",
    ),
    "NodeNetworkInterfaceFlapping": (
        {"node_network_up": {"device=ens5": 6.0}},
        "ens5 of ip-10-0-3-17 went up or down 6 times in ten minutes",
    ),
    "NodeHighNumberConntrackEntriesUsed": (
        {"conntrack": 0.82, "network_transmit": {WHO: 9000.0}},
        "ip-10-0-3-17 tracks 82 % of the connections it can; at 100 % new ones are dropped; most by shop/web-7, "
        "9,000 a second packets",
    ),
    "NodeClockSkewDetected": (
        {"timex_offset": 0.31, "sync_status": 1.0},
        "the clock of ip-10-0-3-17 is off by 310 ms and is not synchronised: certificates and tokens may be refused",
    ),
    "NodeClockNotSynchronising": (
        {"sync_status": 1.0, "maxerror": 16.0},
        "nothing sets the clock of ip-10-0-3-17: it may be off by 16.0 s",
    ),
    "NodeTextFileCollectorScrapeError": (
        {"textfile": 1.0},
        "node-exporter on ip-10-0-3-17 cannot read a file of its textfile collector",
    ),
    "NodeSystemdServiceFailed": (
        {"unit_state": {"name=chronyd.service": 1.0, "name=auditd.service": 1.0}},
        "on ip-10-0-3-17 failed: auditd.service, chronyd.service",
    ),
    "NodeSystemdServiceCrashlooping": (
        {"service_restart": {"name=kubelet.service": 12.0}},
        "kubelet.service on ip-10-0-3-17 was started 12 times in the last hour",
    ),
    "NodeRAIDDegraded": (
        {"disks_required": {"device=md0": 1.0}},
        "array md0 of ip-10-0-3-17 lacks 1 of its disks: the next failure loses its data",
    ),
    "NodeRAIDDiskFailure": (
        {'state="failed"': {"device=md0": 1.0}},
        "1 disk of array md0 of ip-10-0-3-17 failed",
    ),
    "NodeBondingDegraded": ({"bonding": {"master=bond0": 1.0}}, "bond bond0 of ip-10-0-3-17 lacks 1 of its links"),
    "NodeFileDescriptorLimit": (
        {"filefd": 0.91},
        "ip-10-0-3-17 has 91 % of the files open that its kernel allows",
    ),
    "KubeletTooManyPods": (
        {"count(max by (namespace, pod)": 0.97, "allocatable": 29.0},
        "ip-10-0-3-17 holds 97 % of the 29 pods it can take: an EC2 instance has so many addresses for pods "
        "(prefix delegation gives more)",
    ),
    "KubeletPlegDurationHigh": (
        {"pleg": 12.5, "runtime_operations": {"operation_type=container_status": 11.0}, "iowait": 0.4},
        "the kubelet of ip-10-0-3-17 takes 12.5 s to look at its containers; slowest: container_status, 11.0 s, "
        "while 40 % of its CPU wait for a disk",
    ),
    "KubeletPodStartUpLatencyHigh": (
        {"pod_worker": 93.0, "image_pull": 88.0},
        "pods start late on ip-10-0-3-17 (93.0 s): pulling an image takes 88.0 s",
    ),
    "KubeletClientCertificateExpiration": (
        {"ttl_seconds": 86_400.0, "renew_errors": 3.0},
        "the client certificate of the kubelet of ip-10-0-3-17 is good for 1 d, and 3 renewals failed in an hour",
    ),
    "KubeletServerCertificateExpiration": (
        {"ttl_seconds": 0.0},
        "the server certificate of the kubelet of ip-10-0-3-17 has expired",
    ),
    "KubeletClientCertificateRenewalErrors": (
        {"renew_errors": 4.0, "ttl_seconds": 7200.0},
        "the kubelet of ip-10-0-3-17 failed 4 times in an hour to renew its client certificate; it is good for another 2 h",
    ),
    "KubeletServerCertificateRenewalErrors": (
        {"renew_errors": 4.0},
        "the kubelet of ip-10-0-3-17 failed 4 times in an hour to renew its server certificate",
    ),
    "KubeCPUOvercommit": (
        {"topk": {"namespace=shop": 20.0}, "sum(max by (node)": 28.0, "sum(max by (namespace": 31.2},
        "pods request 31.2 cores of CPU, and 28.0 cores would be left if the largest node failed; shop requests 20.0 cores",
    ),
    "KubeMemoryOvercommit": (
        {"sum(max by (node)": 28 * GIB, "sum(max by (namespace": 31 * GIB},
        "pods request 31 GiB of Memory, and 28 GiB would be left if the largest node failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_NUMBERS)
def test_a_node_by_its_numbers(name):
    given, text = BY_NUMBERS[name]
    assert cause(told(name, ON_NODE, {**HERE, **given})) == text


@pytest.mark.parametrize("name", BY_NUMBERS)
def test_without_numbers_there_is_no_cause_and_nothing_is_well(name):
    found = told(name, ON_NODE, HERE | {reads.Query: Gap("no answer in 5 s", silent=True)})
    assert found.cause is None
    assert found.findings[0].light is Light.UNKNOWN
    assert found.findings[0].value == "unknown: no answer in 5 s"
    empty = told(name, ON_NODE, HERE)
    assert empty.cause is None
    assert empty.findings[0].light is Light.UNKNOWN
    assert "is it scraped?" in empty.findings[0].mend


def test_a_gauge_that_is_not_a_number_is_no_load() -> None:
    found = told("NodeCPUHighUsage", ON_NODE, HERE | {"idle|iowait|steal": float("nan")})
    assert found.cause is None
    assert found.findings[0].light is Light.UNKNOWN


def test_series_are_looked_for_under_every_name_of_the_machine() -> None:
    world = Dark({Nodes: (node(),), reads.Now: NOW})
    world.drive(Subject("NodeCPUHighUsage", {"instance": "10.0.3.17:9100"}))
    asked = next(read for read in world.asked if isinstance(read, reads.Query))
    assert f'instance=~"(?:10.0.3.17|{NODE})(?::[0-9]+)?"' in asked.expr


# --- pressure, and disks --------------------------------------------------------------------------


def test_memory_that_runs_out_names_who_holds_it_and_who_was_killed() -> None:
    given = {
        Nodes: (node(pressure=("MemoryPressure",)),),
        "MemAvailable": 0.97,
        "working_set": {"namespace=shop,pod=etl-1": 6 * GIB},
        PodDetails: (killed(),),
    }
    found = told("KubeNodePressure", {**ON_NODE, "condition": "MemoryPressure"}, given)
    assert cause(found) == (
        "ip-10-0-3-17 is short of memory (97 % in use); most by shop/etl-1, 6 GiB; shop/web-7/app was killed 5 min ago"
    )
    assert found.cause.confidence is CERTAIN
    assert found.cause.suggestions[0].text == "pod show shop/etl-1"


@pytest.mark.parametrize("name", ["NodeMemoryHighUtilization", "HostOutOfMemory", "HostOomKillDetected"])
def test_memory_by_other_names(name):
    found = told(name, {"instance": "10.0.3.17:9100"}, HERE | {"MemAvailable": 0.91})
    assert cause(found) == "ip-10-0-3-17 is short of memory (91 % in use)"


def test_an_eviction_names_what_ran_out_and_who_paid() -> None:
    evicted = event(
        "Evicted", "The node was low on resource: ephemeral-storage.", "Pod", "web-7", namespace="shop"
    )
    labels = {**ON_NODE, "eviction_signal": "nodefs.available"}
    given = HERE | {"node_filesystem": 0.93, "container_fs_usage": {WHO: 9 * GIB}, Events: (evicted,)}
    found = told("KubeNodeEviction", labels, given)
    assert (
        cause(found)
        == "ip-10-0-3-17 is short of disk (93 % in use); most by shop/web-7, 9 GiB; shop/web-7 was evicted"
    )


def test_process_ids_that_run_out() -> None:
    given = {Nodes: (node(pressure=("PIDPressure",)),), "container_processes": {WHO: 20_000.0}}
    assert cause(told("KubeNodePressure", ON_NODE, given)) == (
        "ip-10-0-3-17 is short of process ids; most by shop/web-7, 20,000"
    )


def test_nobody_knows_who_was_killed_where_pods_are_hidden() -> None:
    found = told("HostOomKillDetected", ON_NODE, HERE | {PodDetails: HIDDEN, "MemAvailable": 0.5})
    assert unknown(found)[-1] == "Killed for memory in the last hour"
    dark = Dark({Nodes: (node(),), reads.Now: NOW}).drive(Subject("HostOomKillDetected", ON_NODE))
    assert dark.cause is None


FULL = {
    **HERE,
    "max(1 - node_filesystem_avail": 0.91,
    "min(node_filesystem_avail": 12 * GIB,
    "max(node_filesystem_size": 130 * GIB,
}
ROOT = {"instance": "10.0.3.17:9100", "mountpoint": "/", "device": "/dev/nvme0n1p1"}


@pytest.mark.parametrize(
    "name", ["NodeFilesystemSpaceFillingUp", "NodeFilesystemAlmostOutOfSpace", "HostOutOfDiskSpace"]
)
def test_a_disk_that_fills_says_how_long_it_lasts_and_who_writes(name):
    given = FULL | {
        QueryRange: falling(12 * GIB, 3.6 * GIB),
        "kubelet_container_log": {WHO: 40 * GIB},
        "container_fs_usage": {"namespace=shop,pod=db-0": 2 * GIB},
    }
    found = told(name, ROOT, given)
    assert cause(found) == (
        "/ on ip-10-0-3-17 is 91 % full, 12 GiB left, full in 3 h 20 min; the logs of shop/web-7 take 40 GiB"
    )
    assert [each.text for each in found.cause.suggestions] == ["pod show shop/web-7", f"node disk {NODE}"]


def test_a_disk_that_does_not_grow_is_not_said_to_get_full() -> None:
    found = told("NodeFilesystemAlmostOutOfSpace", ROOT, FULL | {QueryRange: falling(12 * GIB, 0.0)})
    assert cause(found) == "/ on ip-10-0-3-17 is 91 % full, 12 GiB left, not growing"


@pytest.mark.parametrize("name", ["NodeFilesystemFilesFillingUp", "NodeFilesystemAlmostOutOfFiles"])
def test_inodes_that_run_out(name):
    given = {**HERE, "max(1 - node_filesystem_files_free": 0.97, "min(node_filesystem_files_free": 120_000.0,
             "max(node_filesystem_files{": 4e6, QueryRange: falling(120_000, 60_000)}  # fmt: skip
    assert cause(told(name, ROOT, given)) == (
        "/ on ip-10-0-3-17 has 97 % of its inodes in use, 120,000 left, full in 2 h"
    )


def test_a_disk_without_numbers_still_says_what_its_kubelet_does() -> None:
    failed = event("ImageGCFailed", "wanted to free 9 bytes, but freed 0")
    found = told(
        "NodeFilesystemAlmostOutOfSpace",
        ROOT,
        {**HERE, reads.Query: HIDDEN, QueryRange: HIDDEN, Events: (failed,)},
    )
    assert found.cause is None
    shown = {finding.label: finding for finding in found.findings}
    assert shown["Disk in use"].light is Light.UNKNOWN
    assert shown["What the kubelet says of room"].evidence == (
        "ImageGCFailed: wanted to free 9 bytes, but freed 0",
    )
    assert SITE.eks_name
