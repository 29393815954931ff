"""Where pods would go: each rule of the scheduler that says no, and never more on a node than fits."""

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.scheduling import (
    NodeDetail,
    NodeTerm,
    Placement,
    PodDetail,
    PodTerm,
    Requirement,
    Selector,
    Spread,
    Taint,
    Toleration,
)
from commands.simulation import Simulated, World, simulate
from tests.pure.drain_world import GI, claimed, node, placed, pod, selector, volume

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
BACKEND = selector(app="backend")


def run(
    *pods: PodDetail, nodes: tuple[NodeDetail, ...] = (), placements: tuple[Placement, ...] = (), **rest: Any
) -> Simulated:
    every = (node("node-7"), *(nodes or (node("node-8"),)))
    return simulate(pods, World(every, placements, frozenset({"node-7"}), **rest))


def refusal(*args: Any, **rest: Any) -> str:
    found = run(*args, **rest)
    return found.unplaced[0].said(found.candidates) if found.unplaced else ""


def test_a_pod_that_fits_is_placed_on_another_node():
    assert [(p.target.name, where) for p, where in run(pod()).placed] == [("backend-1", "node-8")]


def test_the_fullest_node_that_takes_it_is_chosen_so_that_large_holes_stay():
    full = placed(pod("x", requests={"cpu": 3.0, "memory": GI, "pods": 1.0}), "node-9")
    small, large = pod("small"), pod("large", requests={"cpu": 4.0, "memory": GI, "pods": 1.0})
    found = run(small, large, nodes=(node("node-8"), node("node-9")), placements=(full,))
    assert not found.unplaced


NEEDS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too little cpu": ({"requests": {"cpu": 9.0}}, {}, "cpu"),
    "too little memory": ({"requests": {"memory": 99 * GI}}, {}, "memory"),
    "no such device": ({"requests": {"nvidia.com/gpu": 1.0}}, {}, "nvidia.com/gpu"),
    "no place for one more pod": ({}, {"allocatable": {"cpu": 4.0, "memory": GI, "pods": 0.0}}, "pods"),
    "a taint": ({}, {"taints": (Taint("gpu", "", "NoSchedule"),)}, "taint"),
    "a node selector": ({"needs": {"node_selector": (("pool", "gpu"),)}}, {}, "node selector"),
    "a node affinity": (
        {"needs": {"node_terms": (NodeTerm((Requirement("pool", "Exists"),)),)}}, {}, "node affinity",
    ),
    "an affinity to its own node by name": (
        {"needs": {"node_terms": (NodeTerm((), (Requirement("metadata.name", "In", ("node-7",)),)),)}},
        {},
        "node affinity",
    ),
    "an empty term, which matches no node": ({"needs": {"node_terms": (NodeTerm(),)}}, {}, "node affinity"),
    "a spread over a label the node lacks": ({"needs": {"spread": (Spread("rack", 1, BACKEND),)}}, {}, "spread"),
    "an affinity to pods that are nowhere": (
        {"needs": {"near": (PodTerm(ZONE, selector(app="db"), ("shop",)),)}}, {}, "affinity",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("of_pod", "of_node", "word"), NEEDS.values(), ids=NEEDS.keys())
def test_what_a_node_lacks_is_the_reason(of_pod, of_node, word):
    assert refusal(pod(**of_pod), nodes=(node("node-8", **of_node),)) == f"0/1 nodes: 1 {word}"


@pytest.mark.parametrize(
    "toleration",
    [
        Toleration("gpu", "Exists"),
        Toleration("gpu", "Equal", "yes", "NoSchedule"),
        Toleration("", "Exists"),
    ],
)
def test_a_tolerated_taint_is_no_reason(toleration):
    tainted = node(
        "node-8", taints=(Taint("gpu", "yes", "NoSchedule"), Taint("soft", "", "PreferNoSchedule"))
    )
    assert refusal(pod(needs={"tolerations": (toleration,)}), nodes=(tainted,)) == ""


@pytest.mark.parametrize("changes", [{"unschedulable": True}, {"ready": "Unknown"}])
def test_a_node_that_takes_no_pods_is_no_candidate(changes):
    assert refusal(pod(), nodes=(node("node-8", **changes),)) == "no other node takes pods"


@pytest.mark.parametrize(
    ("mine", "taken", "word"),
    [
        ("TCP/0.0.0.0/80", "TCP/0.0.0.0/80", "host port"),
        ("TCP/10.0.0.1/80", "TCP/0.0.0.0/80", "host port"),
        ("TCP/10.0.0.1/80", "TCP/10.0.0.2/80", ""),
        ("TCP/0.0.0.0/80", "UDP/0.0.0.0/80", ""),
    ],
)
def test_a_port_of_the_host_is_taken_once(mine, taken, word):
    other = placed(pod("x"), "node-8", ports=(taken,))
    expected = f"0/1 nodes: 1 {word}" if word else ""
    assert refusal(pod(needs={"ports": (mine,)}), placements=(other,)) == expected


def test_volumes_bind_to_a_zone_and_to_the_drivers_limit():
    here = pod(volumes=(claimed(),))
    claims = {("shop", "data"): volume(zone="eu-central-1b")}
    assert refusal(here, claims=claims) == "0/1 nodes: 1 zone"
    claims = {("shop", "data"): volume(), ("shop", "other"): volume("other")}
    attached = placed(pod("x", volumes=(claimed("other"),)), "node-8")
    limits = {"node-8": {"ebs.csi.aws.com": 1}}
    assert refusal(here, claims=claims, limits=limits, placements=(attached,)) == "0/1 nodes: 1 volume limit"
    assert refusal(here, claims=claims, limits=limits) == ""


def test_anti_affinity_works_both_ways_and_between_those_that_move():
    apart = (PodTerm(HOST, BACKEND, ("shop",)),)
    there = placed(pod("backend-2"), "node-8")
    assert refusal(pod(needs={"apart": apart}), placements=(there,)) == "0/1 nodes: 1 anti-affinity"
    shy = placed(pod("backend-2", needs={"apart": apart}), "node-8")
    assert refusal(pod(), placements=(shy,)) == "0/1 nodes: 1 anti-affinity"
    both = run(pod("a", needs={"apart": apart}), pod("b", needs={"apart": apart}))
    assert (len(both.placed), len(both.unplaced)) == (1, 1)


def test_anti_affinity_of_another_namespace_is_no_reason():
    there = placed(pod("backend-2"), "node-8")
    assert refusal(pod(needs={"apart": (PodTerm(HOST, BACKEND, ("other",)),)}), placements=(there,)) == ""


def test_the_first_of_a_group_that_stays_together_may_go_anywhere():
    near = (PodTerm(HOST, BACKEND, ("shop",)),)
    found = run(
        pod("a", needs={"near": near}), pod("b", needs={"near": near}), nodes=(node("node-8"), node("node-9"))
    )
    assert len({where for _, where in found.placed}) == 1


def test_a_closed_node_counts_as_an_empty_domain_and_forbids_the_others():
    spread = (Spread(HOST, 1, BACKEND),)
    there = placed(pod("backend-2"), "node-8")
    assert refusal(pod(needs={"spread": spread}), placements=(there,)) == "0/1 nodes: 1 spread"
    honoured = (replace(spread[0], honours_taints=True),)
    assert refusal(pod(needs={"spread": honoured}), placements=(there,)) == ""


def test_fewer_domains_than_wanted_count_as_an_empty_one():
    there = placed(pod("backend-2"), "node-8")
    wanted = (Spread(ZONE, 1, BACKEND, min_domains=2),)
    assert refusal(pod(needs={"spread": wanted}), placements=(there,)) == "0/1 nodes: 1 spread"
    assert refusal(pod(needs={"spread": (Spread(ZONE, 1, BACKEND),)}), placements=(there,)) == ""


def test_reasons_are_counted_over_the_nodes_the_most_frequent_first():
    nodes = (
        node("a", allocatable={"cpu": 0.1, "memory": GI, "pods": 9.0}),
        node("b", allocatable={"cpu": 0.1, "memory": GI, "pods": 9.0}),
        node("c", taints=(Taint("x", "", "NoExecute"),)),
    )
    assert refusal(pod(), nodes=nodes) == "0/3 nodes: 2 cpu, 1 taint"


@pytest.mark.parametrize(
    ("requirement", "labels", "holds"),
    [
        (Requirement("a", "In", ("1", "2")), {"a": "2"}, True),
        (Requirement("a", "In", ("1",)), {}, False),
        (Requirement("a", "NotIn", ("1",)), {}, True),
        (Requirement("a", "NotIn", ("1",)), {"a": "1"}, False),
        (Requirement("a", "Exists"), {"a": ""}, True),
        (Requirement("a", "DoesNotExist"), {"b": ""}, True),
        (Requirement("a", "Gt", ("3",)), {"a": "4"}, True),
        (Requirement("a", "Lt", ("3",)), {"a": "4"}, False),
        (Requirement("a", "Gt", ("x",)), {"a": "4"}, False),
        (Requirement("a", "Matches", ("4",)), {"a": "4"}, False),
    ],
)
def test_a_requirement_holds_as_the_api_says(requirement, labels, holds):
    assert Selector((requirement,)).matches(labels) is holds


# --- Never more than fits -------------------------------------------------------------------------

amounts = st.fixed_dictionaries(
    {"cpu": st.floats(0, 5), "memory": st.floats(0, 20 * GI), "pods": st.just(1.0)},
    optional={"nvidia.com/gpu": st.integers(0, 3).map(float)},
)
rooms = st.fixed_dictionaries(
    {
        "cpu": st.floats(0, 8),
        "memory": st.floats(0, 32 * GI),
        "pods": st.integers(0, 5).map(float),
        "nvidia.com/gpu": st.integers(0, 2).map(float),
    }
)
ports = st.lists(st.sampled_from(("TCP/0.0.0.0/80", "TCP/10.0.0.1/80", "UDP/0.0.0.0/53")), max_size=1)


@given(
    st.lists(st.tuples(amounts, ports), max_size=12),
    st.lists(rooms, max_size=4),
    st.lists(st.tuples(amounts, st.integers(0, 3)), max_size=8),
)
def test_nothing_is_placed_where_it_does_not_fit(asked, room, there):
    nodes = tuple(node(f"n-{number}", allocatable=each) for number, each in enumerate(room))
    pods = [
        pod(f"p-{number}", requests=requests, needs={"ports": tuple(taken)})
        for number, (requests, taken) in enumerate(asked)
    ]
    already = tuple(
        placed(pod(f"x-{number}", requests=requests), f"n-{where}")
        for number, (requests, where) in enumerate(there)
    )
    found = simulate(pods, World((node("node-7"), *nodes), already, frozenset({"node-7"})))
    assert len(found.placed) + len(found.unplaced) == len(pods)
    used: dict[str, Counter[str]] = defaultdict(Counter)
    on_ports: dict[str, list[str]] = defaultdict(list)
    for each in already:
        used[each.node].update(each.requests)
    for each, where in found.placed:
        before = dict(used[where])
        used[where].update(each.needs.requests)
        on_ports[where] += each.needs.ports
        allocatable = next(n.allocatable for n in nodes if n.name == where)
        for resource, amount in each.needs.requests.items():
            if amount:
                assert before.get(resource, 0.0) + amount <= allocatable[resource] * 1.00001 + 0.00001
    for held in on_ports.values():
        tcp = [port for port in held if port.startswith("TCP")]
        assert len(tcp) <= 1 and len(held) - len(tcp) <= 1


@given(st.lists(st.sampled_from(("a", "b")), min_size=1, max_size=8), st.integers(1, 4))
def test_pods_that_want_to_be_apart_never_share_a_node(apps, count):
    pods = [
        pod(f"p-{n}", labels={"app": app}, needs={"apart": (PodTerm(HOST, selector(app=app), ("shop",)),)})
        for n, app in enumerate(apps)
    ]
    nodes = tuple(node(f"n-{number}") for number in range(count))
    found = simulate(pods, World((node("node-7"), *nodes), (), frozenset({"node-7"})))
    pairs = [(where, each.labels["app"]) for each, where in found.placed]
    assert len(pairs) == len(set(pairs))
    assert len(found.unplaced) == sum(max(0, number - count) for number in Counter(apps).values())
