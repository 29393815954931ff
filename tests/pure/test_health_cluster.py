"""The cluster part: nodes, pods by their STATUS word, load and its two sources, EKS, failed pods."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import (
    DAY,
    GB,
    HOUR,
    MINUTE,
    NOW,
    SITE,
    cluster_answers,
    drive,
    finding,
    node,
    pod,
    section,
    survey,
)

from commands import podstatus
from commands.finding import Light
from commands.health import cluster
from commands.model import Gap
from commands.queries import query
from commands.reads import (
    Condition,
    EksCluster,
    EksView,
    NodegroupView,
    NodeUsage,
    Now,
    Pods,
    PodView,
    Sample,
    Vector,
)
from commands.site import Namespaces
from commands.words import WORDS

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
SECOND = timedelta(seconds=1)
FORBIDDEN = Gap("nodes: forbidden", "rules: [{resources: [nodes], verbs: [list]}]")


def judged(**worse):
    return section(cluster.inquiry(SITE), cluster_answers(**worse))


def test_all_green_shows_nodes_pods_load_eks_and_failed_pods():
    found = judged()
    assert found.light is G
    assert [(line.key, line.value) for line in found.findings] == [
        ("DH-2.1", "1 of 1 Ready"),
        ("DH-2.2", "42 pods, all well"),
        ("DH-2.3", "highest 25 % on ip-10-0-1-1"),
        ("DH-2.4", "highest 20 % on ip-10-0-1-1"),
        ("DH-2.5", "ACTIVE · 1.33 eks.9"),
        ("DH-2.5", "1 of 1 ACTIVE"),
        ("DH-2.6", "none"),
    ]
    assert found.note == "node load from metrics-server, of allocatable"


# --- nodes ---


def ready(status, **rest):
    return Condition("Ready", status, since=NOW - 12 * MINUTE, **rest)


@pytest.mark.parametrize(
    "sick, light, fact",
    [
        (
            node("a", ready("False", reason="KubeletNotReady", message="container runtime is down")),
            R,
            "a: NotReady for 12 min (KubeletNotReady: container runtime is down)",
        ),
        (
            node("a", ready("Unknown", reason="NodeStatusUnknown")),
            R,
            "a: not reporting for 12 min (NodeStatusUnknown)",
        ),
        (node("a", unschedulable=True), Y, "a: SchedulingDisabled (cordoned)"),
        (
            node("a", Condition("MemoryPressure", "True", "KubeletHasInsufficientMemory", since=NOW - HOUR)),
            Y,
            "a: MemoryPressure for 1 h (KubeletHasInsufficientMemory)",
        ),
        (node("a", Condition("DiskPressure", "True")), Y, "a: DiskPressure"),
        (node("a", Condition("PIDPressure", "True")), Y, "a: PIDPressure"),
        (node("a", Condition("NetworkUnavailable", "True")), R, "a: NetworkUnavailable"),
    ],
)
def test_a_node_that_is_not_well_is_named_with_reason_and_minutes(sick, light, fact):
    line = finding(judged(nodes=(node("ip-10-0-1-1"), sick)), "DH-2.1")
    assert (line.light, line.evidence) == (light, (fact,))
    assert line.suggestions[0].text == "node show a"


def test_pressure_that_is_false_or_unknown_is_not_pressure():
    quiet = node("a", Condition("MemoryPressure", "False"), Condition("DiskPressure", "Unknown"))
    assert finding(judged(nodes=(quiet,)), "DH-2.1").light is G


def test_nodes_in_trouble_come_before_those_to_look_at():
    nodes = (node("a", unschedulable=True), node("b", ready("False")), node("c"))
    line = finding(judged(nodes=nodes), "DH-2.1")
    assert line.value == "2 of 3 Ready, 1 down or cut off, 1 under pressure or cordoned"
    assert [fact[0] for fact in line.evidence] == ["b", "a"]
    assert line.suggestions[0].text == "node show b"


def test_a_node_without_a_ready_condition_and_a_cluster_without_nodes_are_red():
    bare = replace(node("a"), conditions=())
    assert finding(judged(nodes=(bare,)), "DH-2.1").light is R
    assert finding(judged(nodes=()), "DH-2.1").value == "no node"


# --- pods ---


def restless(restarts, name="backend-1", *, ago=12 * SECOND, **rest):
    """Between two crashes: for kubectl it runs."""
    exit_code = {"last_exit": "OOMKilled 137"}
    return pod("Running", name, restarts=restarts, last_restart=NOW - ago, **exit_code, **rest)


@pytest.mark.parametrize(
    "sick, light",
    [
        (pod("CrashLoopBackOff"), R),
        (pod("ImagePullBackOff", phase="Pending"), R),
        (pod("ErrImagePull", phase="Pending"), R),
        (pod("InvalidImageName", phase="Pending"), R),
        (pod("CreateContainerConfigError", phase="Pending"), R),
        (pod("CreateContainerError", phase="Pending"), R),
        (pod("RunContainerError"), R),
        (pod("OOMKilled"), R),
        (pod("Error"), R),
        (pod("ContainerCannotRun"), R),
        (pod("ExitCode:3"), R),
        (pod("Signal:9"), R),
        (pod("Init:CrashLoopBackOff", phase="Pending"), R),
        (pod("Init:Error", phase="Pending"), R),
        (pod("Init:ExitCode:1", phase="Pending"), R),
        (pod("Init:ImagePullBackOff", phase="Pending"), R),
        (pod("Unknown"), R),
        (pod("NodeLost"), R),
        (pod("Pending", phase="Pending", node=""), R),
        (pod("Pending", phase="Pending", age=2 * MINUTE), G),
        (pod("Pending", phase="Pending", age=6 * MINUTE), R),
        (pod("ContainerCreating", phase="Pending", age=5 * MINUTE), G),
        (pod("ContainerCreating", phase="Pending", age=6 * MINUTE), R),
        (pod("PodInitializing", phase="Pending", age=6 * MINUTE), R),
        (pod("Init:0/2", phase="Pending", age=5 * MINUTE), G),
        (pod("Init:0/2", phase="Pending", age=6 * MINUTE), Y),
        (pod("SchedulingGated", phase="Pending", node=""), G),
        (pod("Terminating", not_ready_since=NOW - 14 * MINUTE), G),
        (pod("Terminating", not_ready_since=NOW - 16 * MINUTE), Y),
        (pod("Terminating"), G),
        (pod("Running", not_ready_since=NOW - 14 * MINUTE), G),
        (pod("Running", not_ready_since=NOW - 16 * MINUTE), Y),
        (restless(4), R),
        (restless(3), Y),
        (restless(1, ready="1/1"), Y),
        (restless(4, ready="1/1"), R),
        (restless(400, ago=10 * MINUTE - SECOND), Y),
        (restless(400, ago=10 * MINUTE), G),
        (restless(400, ago=-MINUTE), R),
        (restless(400, age=timedelta(seconds=119)), G),
        (restless(400, owner="Job/migrate"), G),
        (restless(400, owner="CronJob/migrate"), G),
        (replace(restless(400), last_restart=None), G),
        (restless(400, ago=5 * MINUTE), R),
        (restless(400, ago=5 * MINUTE + SECOND), Y),
        (replace(restless(400), status="NotReady"), R),
        (replace(restless(400), status="Terminating"), G),
        (pod("NotReady", not_ready_since=NOW - 16 * MINUTE), Y),
        (pod("NotReady", not_ready_since=NOW - 16 * MINUTE, owner="Job/migrate"), G),
        (pod("Completed", phase="Succeeded"), G),
        (pod("SomethingNew"), Y),
        (pod("CrashLoopBackOff", age=timedelta(seconds=119)), G),
        (pod("CrashLoopBackOff", age=timedelta(seconds=120)), R),
    ],
    ids=lambda value: f"{value.status} {value.age}" if isinstance(value, PodView) else str(value),
)
def test_a_pod_is_judged_by_its_status_word_its_age_and_its_patience(sick, light):
    assert podstatus.pod_light(sick, NOW) is light
    line = finding(judged(pods=survey(sick)), "DH-2.2")
    assert line.light is light
    assert bool(line.evidence) == (light is not G)


def test_a_pod_read_without_details_is_not_taken_for_a_new_one():
    bare = PodView("sre-shop", "x", "CrashLoopBackOff", "0/1", 5, timedelta(0), message="no details")
    assert finding(judged(pods=survey(bare)), "DH-2.2").light is R
    line = finding(judged(pods=survey(replace(bare, status="Pending"))), "DH-2.2")
    assert line.light is U
    assert line.evidence == ("sre-shop/x: Pending, 5 restarts, no details",)


def test_a_pod_that_runs_between_two_crashes_tells_its_restarts_and_how_it_ended():
    owned = {"owner": "ReplicaSet/backend-7d4b9c6f5", "ready": "1/1"}
    line = finding(
        judged(
            pods=survey(
                restless(2, "web-1", ready="1/1", ago=3 * MINUTE),
                restless(5, ago=MINUTE, **owned),
                restless(17, "backend-2", **owned),
                pod("Running", "backend-3", owner=owned["owner"], not_ready_since=NOW - HOUR),
                restless(1, "backend-4", **owned),
            )
        ),
        "DH-2.2",
    )
    assert (line.light, line.value) == (R, "5 of 42 pods not well")
    assert line.evidence == (
        "sre-shop/backend (Deployment): Running between crashes × 2, oldest 1 h, 22 restarts,"
        " restarted 12 s ago, OOMKilled 137",
        "sre-shop/web-1: Running, oldest 1 h, 2 restarts, restarted 3 min ago, OOMKilled 137",
        "sre-shop/backend (Deployment): Running, oldest 1 h",
        "sre-shop/backend (Deployment): Running, oldest 1 h, 1 restart, restarted 12 s ago, OOMKilled 137",
    )
    assert [offer.text for offer in line.suggestions] == [
        "pod show sre-shop/backend-1",
        "logs sre-shop/backend-1 --previous",
        "deploy rollback sre-shop/backend",
    ]


def test_a_pod_that_was_restarted_and_has_no_details_is_not_green():
    bare = PodView(
        "", "x", "Running", "1/1", 5, timedelta(0), message="no details", last_restart=NOW - MINUTE
    )
    line = finding(judged(pods=survey(bare)), "DH-2.2")
    assert (line.light, line.evidence) == (U, ("/x: Running, 5 restarts, restarted 1 min ago, no details",))


def test_pods_of_one_owner_with_one_trouble_are_one_line_worst_and_biggest_first():
    crashing = [
        pod(
            "CrashLoopBackOff",
            f"backend-7d4b9c6f5-{n}",
            owner=f"ReplicaSet/backend-{rs}",
            restarts=7,
            age=age,
        )
        for n, (rs, age) in enumerate([("7d4b9c6f5", HOUR), ("7d4b9c6f5", 3 * HOUR), ("5f6d7b8c9", HOUR)])
    ]
    crashing[0] = replace(crashing[0], last_exit="OOMKilled 137", message="back-off 5m0s\nrestarting")
    others = [
        pod("Init:0/1", "slow-1", phase="Pending"),
        pod("ImagePullBackOff", "web-1", phase="Pending", namespace="shop2"),
    ]
    line = finding(judged(pods=survey(*others, *crashing, total=300)), "DH-2.2")
    assert line.value == "5 of 300 pods not well"
    assert line.evidence == (
        "sre-shop/backend (Deployment): CrashLoopBackOff × 3, oldest 3 h, 21 restarts, OOMKilled 137,"
        " back-off 5m0s restarting",
        "shop2/web-1: ImagePullBackOff, oldest 1 h",
        "sre-shop/slow-1: Init:0/1, oldest 1 h",
    )
    assert [offer.text for offer in line.suggestions] == [
        "pod show sre-shop/backend-7d4b9c6f5-0",
        "logs sre-shop/backend-7d4b9c6f5-0 --previous",
        "deploy rollback sre-shop/backend",
    ]


def test_thousands_of_sick_pods_stay_a_short_list_with_their_number():
    many = [pod("CrashLoopBackOff", f"p-{n}") for n in range(200)]
    found = judged(pods=survey(*many, total=2500, more=300, CrashLoopBackOff=500))
    line = finding(found, "DH-2.2")
    assert line.light is R
    assert line.value == "200 of 2500 pods not well, 300 not looked at"
    assert len(line.evidence) <= 51
    assert finding(found, "DH-2.6").light is Y


def test_sick_pods_beyond_those_read_are_never_passed_over():
    young = pod("ContainerCreating", age=MINUTE)
    line = finding(judged(pods=survey(young, more=3, CrashLoopBackOff=3)), "DH-2.2")
    assert line.light is R
    assert line.evidence == ("3 more pods not well or just restarted, not looked at one by one",)
    assert line.value == "42 pods, 3 not looked at"


def test_only_the_watched_namespaces_are_read_and_one_unread_does_not_hide_the_other():
    site = replace(SITE, namespaces=Namespaces(watch=("shop", "pay")))
    answers = cluster_answers(site) | {
        Pods("shop"): survey(pod("CrashLoopBackOff", namespace="shop")),
        Pods("pay"): Gap("pods in pay: forbidden", "allow list pods in pay"),
    }
    found, asked = drive(cluster.inquiry(site), answers)
    assert Pods() not in asked
    line = finding(found, "DH-2.2")
    assert line.light is R
    assert line.evidence[1] == "pay: unknown: pods in pay: forbidden"
    assert line.mend == "allow list pods in pay"
    assert finding(found, "DH-2.6").light is U


# --- failed pods ---


def test_an_evicted_pod_is_listed_with_reason_and_age_and_only_once():
    evicted = pod("Evicted", "old-1", phase="Failed", age=2 * DAY, message="The node was low on resource")
    found = judged(pods=survey(evicted))
    line = finding(found, "DH-2.6")
    assert (line.light, line.value) == (Y, "1")
    assert line.evidence == ("sre-shop/old-1: Evicted, 2 d old, The node was low on resource",)
    assert line.suggestions[0].text == "pod list --failed -n all"
    assert finding(found, "DH-2.2").light is G


# --- load ---


@pytest.mark.parametrize(
    "key, cores, gigabytes, light, value",
    [
        ("DH-2.3", 3.16, 1, G, "highest 79 % on ip-10-0-1-1"),
        ("DH-2.3", 3.1999, 1, G, "highest 79.998 % on ip-10-0-1-1"),
        ("DH-2.3", 3.2, 1, R, "highest 80 % on ip-10-0-1-1"),
        ("DH-2.4", 1, 8.49, G, "highest 84.9 % on ip-10-0-1-1"),
        ("DH-2.4", 1, 8.5, R, "highest 85 % on ip-10-0-1-1"),
    ],
)
def test_load_is_measured_against_allocatable(key, cores, gigabytes, light, value):
    line = finding(judged(usage=(NodeUsage("ip-10-0-1-1", cores, gigabytes * GB),)), key)
    assert (line.light, line.value) == (light, value)


def shares(**by_node):
    return Vector(tuple(Sample({"nodename": name}, value) for name, value in by_node.items()))


def test_without_metrics_server_prometheus_answers_and_says_so():
    found = judged(
        usage=Gap("HTTP 404"),
        nodes=(node("a"), node("b")),
        cpu=shares(a=0.79, b=0.9),
        memory=shares(a=0.2, b=0.1),
    )
    assert found.note == "node load from Prometheus, of the whole machine"
    line = finding(found, "DH-2.3")
    assert (line.light, line.value) == (R, "highest 90 % on b")
    assert line.evidence == (
        "b: 90 %",
        "from Prometheus, of the whole machine, because metrics-server: HTTP 404",
    )
    assert finding(found, "DH-2.4").light is G


def test_without_nodes_there_is_no_allocatable_so_prometheus_answers():
    found = judged(nodes=FORBIDDEN, cpu=shares(a=0.1), memory=shares(a=0.1))
    assert finding(found, "DH-2.3").light is G
    assert finding(found, "DH-2.1").light is U


def test_without_both_sources_load_is_unknown_with_both_reasons():
    found = judged(
        usage=Gap("HTTP 404", "install metrics-server"), cpu=Vector(()), memory=Gap("timed out after 5 s")
    )
    cpu, memory = finding(found, "DH-2.3"), finding(found, "DH-2.4")
    assert cpu.value == "unknown: metrics-server: HTTP 404; Prometheus: no data"
    assert memory.value == "unknown: metrics-server: HTTP 404; Prometheus: timed out after 5 s"
    assert (cpu.light, cpu.mend, memory.light) == (U, "install metrics-server", U)


@pytest.mark.parametrize(
    "extra, light, why",
    [
        (node("b"), U, "a node that reports nothing is not green"),
        (node("b", created=NOW - MINUTE), G, "a node this young has no metrics yet"),
        (node("b", labels={"eks.amazonaws.com/compute-type": "fargate"}), G, "a Fargate node is one pod"),
    ],
)
def test_nodes_without_metrics(extra, light, why):
    assert finding(judged(nodes=(node(), extra)), "DH-2.3").light is light, why


NO_SERVER = Gap("HTTP 404")
NODES = (node("ip-1.eu-central-1.compute.internal"), node("ip-2.eu-central-1.compute.internal"))


def by_instance(**values):
    return Vector(tuple(Sample({"instance": f"{name}:9100"}, value) for name, value in values.items()))


@pytest.mark.parametrize(
    "answer, light, evidence",
    [
        (shares(**{each.name: 0.1 for each in NODES}), G, ()),
        (shares(**{"ip-1": 0.1, "ip-2": 0.1}), G, ()),
        (by_instance(**{"ip-1": 0.1, "ip-2": 0.1}), G, ()),
        (shares(**{"ip-1": 0.1}), U, (f"{NODES[1].name}: no load reported",)),
        (shares(**{"ip-1": 0.1, "ip-2": float("nan")}), U, ("ip-2: no load reported",)),
        (
            by_instance(**{"10.0.0.1": 0.1, "10.0.0.2": 0.9}),
            R,
            ("10.0.0.2:9100: 90 %", *(f"{each.name}: no load reported" for each in NODES)),
        ),
    ],
    ids=["by name", "by host name", "by instance", "one is missing", "one is NaN", "foreign names"],
)
def test_a_node_without_a_number_in_prometheus_is_not_green(answer, light, evidence):
    found = judged(usage=NO_SERVER, nodes=NODES, cpu=answer, memory=answer)
    for key in ("DH-2.3", "DH-2.4"):
        line = finding(found, key)
        assert (line.light, line.evidence[:-1]) == (light, evidence)


def test_a_host_name_that_two_nodes_share_is_neither_s_number():
    twins = (node("web.a"), node("web.b"))
    found = judged(usage=NO_SERVER, nodes=twins, cpu=shares(web=0.1), memory=shares(web=0.1))
    assert finding(found, "DH-2.3").evidence[:-1] == ("web.a: no load reported", "web.b: no load reported")


def test_foreign_numbers_without_the_nodes_still_show_what_is_not_a_number():
    answer = by_instance(**{"10.0.0.1": 0.1, "10.0.0.2": float("nan")})
    line = finding(judged(nodes=FORBIDDEN, cpu=answer, memory=answer), "DH-2.3")
    assert (line.light, line.evidence[0]) == (U, "10.0.0.2:9100: no load reported")


@pytest.mark.parametrize("size", [{"cpu": 0.0}, {"memory": 0.0}])
def test_a_node_that_does_not_say_how_big_it_is_is_not_green(size):
    usage = (NodeUsage("a", 1, GB), NodeUsage("b", 3.9, 9.9 * GB))
    found = judged(nodes=(node("a"), node("b", **size)), usage=usage)
    line = finding(found, "DH-2.3" if "cpu" in size else "DH-2.4")
    assert (line.light, line.evidence) == (U, ("b: no load reported",))


@pytest.mark.parametrize("busy, light", [(0.1, U), (0.9, R)])
def test_node_load_from_a_partial_answer_is_never_green(busy, light):
    said = ("PromQL info: no counter", "store unreachable")
    answer = replace(shares(a=busy), warnings=said)
    found = judged(usage=NO_SERVER, nodes=(node("a"),), cpu=answer, memory=replace(answer, warnings=said[:1]))
    line = finding(found, "DH-2.3")
    assert line.light is light
    assert "partial answer: store unreachable" in line.evidence
    assert finding(found, "DH-2.4").light is (G if light is U else R)


# --- EKS ---


def eks(status, *issues, update=""):
    return EksView("sre-training-cluster", status, "1.33", "eks.9", issues, update)


@pytest.mark.parametrize(
    "view, light, value",
    [
        (eks("ACTIVE"), G, "ACTIVE"),
        (eks("ACTIVE", "SubnetNotFound: subnet-1"), Y, "ACTIVE"),
        (eks("UPDATING", update="u-123"), Y, "UPDATING, update u-123"),
        (eks("UPDATING"), Y, "UPDATING, update id not known"),
        (eks("CREATING"), Y, "CREATING"),
        (eks("FAILED"), R, "FAILED"),
        (eks("DELETING"), R, "DELETING"),
        (eks("PENDING"), R, "PENDING"),
        (eks("FROZEN"), U, "FROZEN"),
        (None, R, "EKS knows no cluster sre-training-cluster in eu-central-1"),
        (Gap("eks: access denied, needs eks:DescribeCluster"), U, "unknown: eks: access denied"),
    ],
)
def test_the_control_plane_by_the_word_of_eks(view, light, value):
    line = finding(judged(eks=view), "DH-2.5", "EKS control plane")
    assert line.light is light
    assert line.value.startswith(value)
    if isinstance(view, EksView):
        assert line.evidence == view.issues


def test_the_missing_iam_action_is_the_line_that_mends_it():
    gap = Gap("eks: access denied, needs eks:DescribeCluster", '{"Action": "eks:DescribeCluster"}')
    assert finding(judged(eks=gap), "DH-2.5", "EKS control").mend == gap.mend


@pytest.mark.parametrize(
    "view, light, fact",
    [
        (NodegroupView("n", "DEGRADED", ("AccessDenied: role",)), R, "DEGRADED; AccessDenied: role"),
        (NodegroupView("n", "ACTIVE", ("Ec2SubnetMissing: s",)), Y, "ACTIVE; Ec2SubnetMissing: s"),
        (NodegroupView("n", "UPDATING"), Y, "UPDATING"),
        (None, R, "EKS knows no such node group"),
        (Gap("eks: throttled"), U, "unknown: eks: throttled"),
    ],
)
def test_node_groups(view, light, fact):
    line = finding(judged(group=view), "DH-2.5", "EKS node groups")
    assert (line.light, line.evidence) == (light, (f"sre-training-nodes: {fact}",))


def test_a_cluster_that_is_not_on_eks_is_not_asked_about():
    found, asked = drive(cluster.inquiry(replace(SITE, eks=False)), cluster_answers())
    assert not any(isinstance(read, EksCluster) for read in asked)
    assert all(line.key != "DH-2.5" for line in found.findings)
    assert found.note.endswith("not on EKS")


# --- all of it ---


def test_everything_unread_is_unknown_with_its_reason_and_never_green():
    gap = Gap("no connection to the Kubernetes API", "check the network policy")
    answers = dict.fromkeys(cluster_answers(cpu=gap, memory=gap), gap)
    answers |= {read: value for read, value in cluster_answers().items() if value is NOW}
    found = section(cluster.inquiry(SITE), answers)
    assert {line.light for line in found.findings} == {U}
    assert all(line.mend == gap.mend for line in found.findings)


def test_without_the_time_of_day_ages_are_left_out_and_nothing_is_forgiven():
    answers = cluster_answers(
        nodes=(node("a", ready("False")),),
        pods=survey(pod("NotReady", not_ready_since=NOW), restless(2, "web-1", ago=DAY)),
    )
    found = section(cluster.inquiry(SITE), answers | {Now(): Gap("no answer in time")})
    assert finding(found, "DH-2.1").evidence == ("a: NotReady",)
    line = finding(found, "DH-2.2")
    assert (line.light, line.evidence) == (
        Y,
        (
            "sre-shop/backend-1: NotReady, oldest 1 h",
            "sre-shop/web-1: Running, oldest 1 h, 2 restarts, OOMKilled 137",
        ),
    )


def test_buttons_type_words_that_exist():
    found = judged(
        nodes=(node("a", ready("False")),),
        pods=survey(pod("CrashLoopBackOff", restarts=3), pod("Evicted", phase="Failed")),
        usage=(NodeUsage("a", 4, 10 * GB),),
        eks=eks("FAILED"),
    )
    offered = [offer for line in found.findings for offer in line.suggestions]
    assert len(offered) >= 7
    for offer in offered:
        word, *rest = offer.text.split()
        assert word in WORDS
        assert word == "logs" or WORDS[word].verb(rest[0]), offer.text


def test_prometheus_is_only_asked_when_metrics_server_is_not_there():
    assert query(SITE, "Q-nodecpu") not in drive(cluster.inquiry(SITE), cluster_answers())[1]


def test_a_pod_whose_details_did_not_come_may_have_failed():
    found = judged(pods=survey(pod("Evicted", phase="")))
    line = finding(found, "DH-2.6")
    assert line.light is U
    assert line.evidence == ("1 pod without details: whether it failed is not known",)


def test_a_cluster_full_of_trouble_keeps_a_bounded_record():
    found = judged(
        pods=survey(*(pod("CrashLoopBackOff", f"pod-{n}", owner=f"Bare/pod-{n}") for n in range(500)))
    )
    assert len(finding(found, "DH-2.2").evidence) == 50
