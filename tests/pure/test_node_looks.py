"""`node list`, `top`, `disk` and `show`: driven with made-up answers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import GB, HOUR, MINUTE, NOW, SITE, drive, finding, node, section

from commands import nodestatus
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Args, Gap
from commands.node import looks, show
from commands.podreads import (
    ContainerView,
    DiskView,
    Events,
    EventView,
    NodeDisk,
    PodDetail,
    PodDetails,
    Resources,
)
from commands.queries import averaged, query
from commands.reads import (
    Condition,
    EksCluster,
    EksView,
    Nodegroup,
    NodegroupView,
    NodeMetrics,
    Nodes,
    NodeUsage,
    Now,
    Sample,
    Vector,
)

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
NAME = "ip-10-0-1-1"
OTHER = "ip-10-0-2-2"
FORBIDDEN = Gap("nodes: forbidden", "rules: [{resources: [nodes], verbs: [list]}]")
NO_METRICS = Gap("node metrics: the cluster has no metrics.k8s.io API", "install metrics-server")
CPU, MEMORY = query(SITE, "Q-nodecpu"), query(SITE, "Q-nodemem")
CPU_30D, MEMORY_30D = (
    averaged(query(SITE, name, window=HOUR), timedelta(days=30), HOUR) for name in ("Q-nodecpu", "Q-nodemem")
)
DISK, IO = query(SITE, "Q-disk"), query(SITE, "Q-nodeio")
USED = (NodeUsage(NAME, 1.0, 2.0 * GB), NodeUsage(OTHER, 3.0, 1.0 * GB))


def by_node(**shares):
    return Vector(
        tuple(Sample({"nodename": name.replace("_", "-")}, share) for name, share in shares.items())
    )


def only(parts):
    (part,) = parts.values()
    return part.inquiry


# --- list ---


def listed(*nodes, usage=USED, **more):
    answers = {Now(): NOW, Nodes(): nodes, NodeMetrics(): usage, **more}
    return section(only(looks.listed(Args("node"), SITE)), answers)


def test_the_list_has_every_node_with_status_age_version_and_load():
    found = listed(node(NAME), node(OTHER))
    assert found.light is G
    assert found.table == (
        "NODE         STATUS  AGE  VERSION  CPU   MEMORY  ZONE",
        "ip-10-0-1-1  Ready   9 d  v1.33.1  25 %  20 %    -",
        "ip-10-0-2-2  Ready   9 d  v1.33.1  75 %  10 %    -",
    )
    assert found.note == "load from metrics-server, of allocatable"


@pytest.mark.parametrize(
    "sick, light, fact, buttons",
    [
        (
            node(NAME, Condition("Ready", "False", "KubeletNotReady", since=NOW - 12 * MINUTE)),
            R,
            f"{NAME}: NotReady for 12 min (KubeletNotReady)",
            [f"node show {NAME}", f"node drain {NAME}"],
        ),
        (
            node(NAME, Condition("Ready", "Unknown", since=NOW - 5 * MINUTE)),
            R,
            f"{NAME}: not reporting for 5 min",
            [f"node show {NAME}", f"node drain {NAME}"],
        ),
        (
            node(NAME, unschedulable=True),
            Y,
            f"{NAME}: SchedulingDisabled (cordoned)",
            [f"node show {NAME}", f"node uncordon {NAME}"],
        ),
        (
            node(NAME, Condition("MemoryPressure", "True", since=NOW - MINUTE)),
            Y,
            f"{NAME}: MemoryPressure for 1 min",
            [f"node show {NAME}"],
        ),
    ],
)
def test_what_is_wrong_with_a_node_comes_with_its_next_steps(sick, light, fact, buttons):
    found = listed(node("aaa"), sick)
    line = finding(found, "DH-2.1")
    assert (line.light, line.evidence) == (light, (fact,))
    assert [offer.text for offer in line.suggestions] == buttons
    assert found.table[1].startswith(NAME)  # the sick one first


def test_nodes_that_were_not_read_are_unknown_with_the_rule_that_mends_it():
    answers = {Now(): NOW, Nodes(): FORBIDDEN, NodeMetrics(): USED}
    found = section(only(looks.listed(Args("node"), SITE)), answers)
    assert (found.light, found.findings[0].mend) == (U, FORBIDDEN.mend)


SILENCE = Gap("nodes: no connection to https://eks", "check the server", silent=True)
EKS, GROUP = EksCluster(SITE.eks_name), Nodegroup(SITE.eks_name, SITE.nodegroups[0])
ACTIVE = EksView(SITE.eks_name, "ACTIVE", "1.33", "eks.9")


def silent_api(**answers):
    found = {Now(): NOW, Nodes(): SILENCE, NodeMetrics(): SILENCE}
    found |= {EKS: ACTIVE, GROUP: NodegroupView(GROUP.name, "ACTIVE"), **answers.get("eks", {})}
    return section(only(looks.listed(Args("node"), SITE)), found)


def test_an_api_that_is_silent_while_the_machines_are_there_is_the_control_planes_or_the_endpoints_problem():
    found = silent_api()
    assert finding(found, "DH-2.1").light is U
    line = finding(found, "DR-1.4")
    assert line.light is R
    assert line.value.startswith("control plane or endpoint problem")
    assert line.evidence == ("sre-training-cluster: ACTIVE", "sre-training-nodes: ACTIVE")


def test_what_eks_says_is_wrong_is_told_and_its_silence_is_unknown():
    sick = silent_api(
        eks={GROUP: NodegroupView(GROUP.name, "DEGRADED", ("Ec2LaunchTemplateNotFound: gone",))}
    )
    line = finding(sick, "DR-1.4")
    assert (line.light, line.value) == (R, "not well there either")
    assert line.evidence[1] == "sre-training-nodes: DEGRADED; Ec2LaunchTemplateNotFound: gone"
    assert finding(silent_api(eks={EKS: Gap("eks: access denied", "a policy")}), "DR-1.4").mend == "a policy"


def test_500_nodes_are_a_table_that_fits_and_a_file_with_all_of_them():
    nodes = [node(f"ip-10-0-{n}.eu-central-1.compute.internal") for n in range(500)]
    usage = tuple(NodeUsage(each.name, 1.0, 1.0 * GB) for each in nodes)
    found = listed(*nodes, usage=usage)
    assert len("\n".join(found.table)) <= 3000
    assert found.table[-1].endswith("more lines in nodes.txt")
    (file,) = found.attachments
    assert (file.name, len(file.content.splitlines())) == ("nodes.txt", 501)


# --- top ---


def topped(*nodes, usage=USED, cpu=None, memory=None, flags=None, **more):
    answers = {
        Now(): NOW,
        Nodes(): nodes or (node(NAME), node(OTHER)),
        NodeMetrics(): usage,
        CPU_30D: cpu or by_node(ip_10_0_1_1=0.5, ip_10_0_2_2=0.6),
        MEMORY_30D: memory or by_node(ip_10_0_1_1=0.1, ip_10_0_2_2=0.2),
        **more,
    }
    return drive(only(looks.top(Args("node", "top", "", flags or {}), SITE)), answers)


def test_top_is_sorted_by_cpu_and_shows_now_beside_the_average():
    found, _ = topped()
    assert found.table == (
        "NODE         CPU    CPU %  CPU 30 d  MEMORY     MEM %  MEM 30 d",
        "ip-10-0-2-2  3000m  75 %   60 %      1,024 MiB  10 %   20 %",
        "ip-10-0-1-1  1000m  25 %   50 %      2,048 MiB  20 %   10 %",
    )
    assert finding(found, "PM-1.0").value == "CPU 55 % · memory 15 % over all nodes"


@pytest.mark.parametrize("cores, light", [(3.16, G), (3.2, R)])  # 79 and 80 % of four cores
def test_cpu_is_red_from_80_percent(cores, light):
    found, _ = topped(node(NAME), usage=(NodeUsage(NAME, cores, GB),))
    assert finding(found, "DH-2.3").light is light


@pytest.mark.parametrize("share, light", [(0.849, G), (0.85, R)])
def test_memory_is_red_from_85_percent(share, light):
    found, _ = topped(node(NAME), usage=(NodeUsage(NAME, 1.0, share * 10 * GB),))
    assert finding(found, "DH-2.4").light is light


def test_without_metrics_server_prometheus_is_asked_and_the_answer_says_so():
    shares = by_node(ip_10_0_1_1=0.3, ip_10_0_2_2=0.2)
    found, asked = topped_without_metrics(shares)
    assert CPU in asked
    assert "Prometheus, of the whole machine" in found.note
    assert "no metrics.k8s.io API" in finding(found, "DH-2.3").evidence[0]
    assert found.table[1].split() == ["ip-10-0-1-1", "-", "30", "%", "50", "%", "-", "30", "%", "10", "%"]


def topped_without_metrics(shares):
    answers = {
        Now(): NOW, Nodes(): (node(NAME), node(OTHER)), NodeMetrics(): NO_METRICS, CPU: shares, MEMORY: shares,
        CPU_30D: by_node(ip_10_0_1_1=0.5), MEMORY_30D: by_node(ip_10_0_1_1=0.1),
    }  # fmt: skip
    return drive(only(looks.top(Args("node", "top"), SITE)), answers)


def test_an_average_that_was_not_read_is_unknown_and_does_not_hide_what_is_now():
    found, _ = topped(cpu=Gap("prometheus: no answer in time"))
    assert finding(found, "PM-1.0").light is U
    assert finding(found, "DH-2.3").light is G
    assert found.table[1].split()[:4] == ["ip-10-0-2-2", "3000m", "75", "%"]


# --- disk ---

FULL = EventView(
    "sre-shop", "Pod", "backend-1", "Warning", "Failed", "write /x: no space left on device", host=NAME
)
PRESSED = Condition("DiskPressure", "True")


def disks(*nodes, disk=None, events=(), name="", **more):
    answers = {Nodes(): nodes, DISK: disk or by_node(), Events(warnings=True): events, **more}
    return section(only(looks.disk(Args("node", "disk", name), SITE)), answers)


@pytest.mark.parametrize("share, light", [(0.849, G), (0.85, Y), (0.86, Y)])
def test_a_disk_is_yellow_from_85_percent(share, light):
    line = finding(disks(node(NAME), disk=by_node(ip_10_0_1_1=share)), "WM-2.10")
    assert line.light is light


def test_disk_pressure_is_red_and_offers_to_drain():
    line = finding(disks(node(NAME, PRESSED), disk=by_node(ip_10_0_1_1=0.2)), "WM-2.10")
    assert line.light is R
    assert line.evidence[0] == f"{NAME}: DiskPressure, its kubelet evicts pods"
    assert f"node drain {NAME}" in [offer.text for offer in line.suggestions]


def test_without_node_exporter_each_kubelet_is_asked():
    found = disks_with_fallback(DiskView(OTHER, 100.0, 14.0))
    assert finding(found, "WM-2.10").value == f"fullest 86 % on {OTHER}"
    assert [line.split()[-1] for line in found.table[1:]] == ["kubelet", "node-exporter"]


def disks_with_fallback(answer):
    answers = {
        Nodes(): (node(NAME), node(OTHER)),
        DISK: by_node(ip_10_0_1_1=0.3),
        Events(warnings=True): (),
        NodeDisk(OTHER): answer,
    }
    return section(only(looks.disk(Args("node", "disk"), SITE)), answers)


def test_a_node_that_nobody_tells_of_is_unknown():
    line = finding(disks_with_fallback(Gap("disk of node: forbidden", "let Prometheus scrape it")), "WM-2.10")
    assert (line.light, line.mend) == (U, "let Prometheus scrape it")
    assert f"{OTHER}: unknown: disk of node: forbidden" in line.evidence


def test_a_silent_kubelet_is_not_asked():
    silent = node(NAME, Condition("Ready", "Unknown"))
    line = finding(disks(silent), "WM-2.10")
    assert line.evidence == (f"{NAME}: unknown: its kubelet is not Ready",)


def test_no_space_left_on_device_is_red_wherever_it_is_said():
    found = disks(node(NAME), disk=by_node(ip_10_0_1_1=0.2), events=(FULL,))
    line = finding(found, "T3-1.3")
    assert line.light is R
    assert line.evidence == (f"{NAME}: Pod backend-1, Failed × 1: write /x: no space left on device",)
    assert (
        finding(disks(node(OTHER), disk=by_node(ip_10_0_2_2=0.2), events=(FULL,), name=OTHER), "T3-1.3").light
        is G
    )


def test_events_that_were_not_read_do_not_say_that_all_is_well():
    found = disks(node(NAME), disk=by_node(ip_10_0_1_1=0.2), events=Gap("events: forbidden", "a rule"))
    assert finding(found, "T3-1.3").light is U


def test_a_node_that_does_not_exist_has_near_names():
    line = finding(disks(node(NAME), name="ip-10-0-1"), "WM-2.10")
    assert (line.light, line.value) == (Y, "there is no node ip-10-0-1")
    assert [offer.text for offer in line.suggestions] == [f"node disk {NAME}"]


# --- show ---


def pod(name, status="Running", cpu=0.1, memory=128 * 2**20, **rest):
    container = ContainerView("app", "app:1", resources=Resources(cpu, None, memory, None))
    usual = PodDetail("sre-shop", name, status, "1/1", 0, node=NAME, phase="Running", containers=(container,))
    return replace(usual, **rest)


def shown(part, a_node, pods=(), events=(), flags=None, **more):
    answers = {
        Now(): NOW, Nodes(): (a_node,), NodeMetrics(): USED, Events(kind="Node", name=NAME): events,
        PodDetails(node=NAME): pods, DISK: by_node(ip_10_0_1_1=0.4), IO: by_node(ip_10_0_1_1=0.05), **more,
    }  # fmt: skip
    parts = show.shown(Args("node", "show", NAME, flags or {}), SITE)
    return section(parts[part].inquiry, answers)


def test_memory_pressure_is_red_with_its_evictions_counted():
    pressed = node(NAME, Condition("MemoryPressure", "True", message="kubelet has insufficient memory"))
    gone = [pod(f"gone-{n}", "Evicted", phase="Failed") for n in range(3)]
    line = finding(shown("node", pressed, pods=gone), "TF-4.1")
    assert (line.light, line.value) == (R, "MemoryPressure")
    assert line.evidence == ("MemoryPressure: kubelet has insufficient memory", "3 pods evicted from it")


def test_evictions_that_were_not_read_are_unknown():
    line = finding(shown("node", node(NAME), pods=Gap("pods: forbidden", "a rule")), "TF-4.1")
    assert (line.light, line.mend) == (U, "a rule")


def test_load_disk_io_and_what_is_promised():
    found = shown("node-load", node(NAME), pods=(pod("a"), pod("b"), pod("done", phase="Succeeded")))
    assert [(line.label, line.light, line.value) for line in found.findings] == [
        ("CPU", G, "25 %"),
        ("Memory", G, "20 %"),
        ("Disk", G, "40 %"),
        ("I/O wait", G, "5 %"),
        ("Requested", G, "CPU 200m of 4000m · memory 256 MiB of 10,240 MiB"),
    ]


def test_the_scheduler_counts_the_greediest_init_container():
    init = ContainerView("init", "i", kind="init", resources=Resources(2.0))
    sidecar = ContainerView("side", "s", kind="sidecar", resources=Resources(0.5))
    both = pod("a", containers=(init, sidecar, pod("a").containers[0]))
    assert show.request(both, "cpu") == 2.0
    assert show.request(replace(both, containers=both.containers[1:]), "cpu") == pytest.approx(0.6)


def test_its_pods_the_odd_ones_first():
    found = shown("node-pods", node(NAME), pods=(pod("a"), pod("z", "CrashLoopBackOff", ready="0/1")))
    assert [line.split()[0] for line in found.table] == ["POD", "sre-shop/z", "sre-shop/a"]
    assert finding(found, "TF-4.1").value == "1 of 2 pods not well"


def test_of_a_silent_node_the_pods_are_as_it_said_last():
    found = shown("node-pods", node(NAME, Condition("Ready", "Unknown")), pods=(pod("a"),))
    assert found.note == "as its kubelet said last, before it fell silent"


def test_the_kernels_words_are_taken_out_of_the_events_and_what_is_not_read_is_named():
    killed = EventView(
        "", "Node", NAME, "Warning", "OOMKilling", count=2, last=NOW - MINUTE,
        message="Memory cgroup out of memory: Killed process 4711 (java) total-vm:8GB",
    )  # fmt: skip
    found = shown("node-logs", node(NAME), events=(killed,), flags={"logs": ""})
    kernel, elsewhere = found.findings
    assert (kernel.light, kernel.evidence) == (
        R,
        ("OOMKilling × 2, 1 min ago: Killed process 4711 (java) total-vm:8GB",),
    )
    assert elsewhere.light is U
    assert NAME in elsewhere.mend


def test_without_logs_the_kernel_is_not_asked_for():
    assert "node-logs" not in show.shown(Args("node", "show", NAME), SITE)


def test_a_name_must_be_given_and_a_wrong_one_has_near_names():
    with pytest.raises(UsageError, match="node list"):
        show.shown(Args("node", "show"), SITE)
    line = finding(shown("node", node(NAME + "1")), "TF-4.1")
    assert [offer.text for offer in line.suggestions] == [f"node show {NAME}1"]
    assert shown("node-pods", node("other")).light is U


def test_the_status_column_is_kubectls():
    assert nodestatus.status(node(NAME, Condition("Ready", "Unknown"), unschedulable=True)) == (
        "NotReady,SchedulingDisabled"
    )
