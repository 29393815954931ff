"""`debug layers`: five layers, each by itself, and what is red in each."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from service_world import (
    BACKEND,
    FIRST,
    PODS,
    SITE,
    container,
    endpoint,
    finding,
    lights,
    log,
    pod,
    row,
    service,
    told,
)
from triage_world import HIDDEN, NODE, NOW, node

from commands.catalog import Catalog
from commands.debug import COMMANDS, verdict
from commands.debug import layers as command
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Args
from commands.podreads import ContainerLog, Ending, Events, EventView, PodDetails, PodRows
from commands.reads import EksCluster, EksView, Endpoints, Nodegroup, Nodes
from commands.triage import layers
from commands.triagereads import CloudEvent, CloudEvents
from commands.workloads import ServicesOf

CATALOG = Catalog.load()
G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
ERRORS, RATE, P95 = (
    "or 0 * sum(rate(http_requests_total",
    "sum(rate(http_requests_total{",
    "histogram_quantile",
)
CRASHED = replace(row(FIRST), status="CrashLoopBackOff", ready="0/1", restarts=7)


def event(reason: str, message: str, name: str = FIRST, kind: str = "Pod") -> EventView:
    return EventView("sre-shop", kind, name, "Warning", reason, message, 3, NOW, NOW)


def layer(number: int, given: dict[Any, Any] | None = None, site: Any = SITE) -> Any:
    return told(layers.LAYERS[number][1](BACKEND, site), given)


# --- The command ----------------------------------------------------------------------------------------------------


def test_there_are_five_sections_from_top_to_bottom() -> None:
    parts = command.parts(Args("debug"), SITE)
    assert [part.title for part in parts.values()] == [
        "1 · Users", "2 · Kubernetes", "3 · Containers", "4 · Nodes", "5 · Infrastructure",
    ]  # fmt: skip
    assert list(command.parts(Args("debug", "layers", "", {"layer": "3"}), SITE)) == ["layer-3"]


@pytest.mark.parametrize("number", ["0", "6"])
def test_a_layer_that_is_none_is_refused_with_those_there_are(number: str) -> None:
    with pytest.raises(UsageError, match="1 users, 2 kubernetes"):
        command.parts(Args("debug", "layers", "", {"layer": number}), SITE)


def test_what_is_the_matter_comes_first_in_its_section() -> None:
    found = layer(2, {PodRows: (CRASHED,), ServicesOf: (service(app="bakend"),)})
    section = verdict.told(found, "layer-2", "2 · Kubernetes", "TF-2.0")
    assert section.light is R
    assert section.findings[0].label == "Verdict"


def test_each_command_has_rows_and_examples_that_can_be_typed() -> None:
    assert {verb for each in COMMANDS for verb in each.verbs} >= {
        "",
        "layers",
        "5xx",
        "latency",
        "memory",
        "db",
        "net",
    }
    for each in COMMANDS:
        assert each.rows
        for example in each.examples:
            CATALOG.parse(example)


# --- 1. Users -------------------------------------------------------------------------------------------------------


def test_users_affected_are_told_of_how_many() -> None:
    found = layer(1, {ERRORS: 0.02, RATE: 20, P95: 0.1})
    assert found.cause.text == "users affected: 2 % of 20 requests a second fail"


@pytest.mark.parametrize(("errors", "light"), [(0.001, G), (0.0011, R)])
def test_errors_turn_at_the_objective(errors: float, light: Light) -> None:
    assert finding(layer(1, {ERRORS: errors, RATE: 20}), "Errors").light is light


def test_nobody_who_asks_is_no_proof_of_health() -> None:
    assert finding(layer(1, {RATE: 0}), "Requests").light is Y
    assert set(lights(layer(1)).values()) == {U}


# --- 2. Kubernetes --------------------------------------------------------------------------------------------------


def test_pods_that_are_not_well_are_named_and_the_worst_diagnosed() -> None:
    found = layer(2, {PodRows: (CRASHED, row(PODS[1]))})
    pods = finding(found, "Pods of backend")
    assert (pods.light, pods.value, pods.evidence) == (
        R,
        "1 of 2 well",
        (f"{FIRST}: CrashLoopBackOff, 0/1 ready",),
    )


def test_no_pod_at_all_is_red_and_a_well_layer_green() -> None:
    assert finding(layer(2, {PodRows: ()}), "Pods of").light is R
    assert set(lights(layer(2)).values()) == {G}


def test_a_missing_right_is_told_by_verb_and_resource_from_events_and_logs() -> None:
    said = 'is forbidden: User "system:serviceaccount:sre-shop:web" cannot list resource "secrets" in API group ""'
    by_event = finding(layer(2, {Events: (event("Failed", said),)}), "Rights and")
    assert (by_event.light, by_event.value) == (R, "system:serviceaccount:sre-shop:web may not list secrets")
    by_log = finding(layer(2, {ContainerLog: log(f"ERROR secrets {said}")}), "Rights, in its log")
    assert by_log.value == by_event.value


def test_pod_security_that_keeps_pods_out_is_named() -> None:
    said = 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    found = layer(2, {Events: (event("FailedCreate", said, "backend-5d9f8c7b6d", "ReplicaSet"),)})
    assert "Pod Security level (restricted:latest)" in finding(found, "Rights and").value
    assert "no new pod of backend is made" in found.cause.text


# --- 3. Containers --------------------------------------------------------------------------------------------------


def test_two_digests_of_one_container_are_mixed_versions() -> None:
    def pods(read: PodDetails) -> Any:
        return (pod(read.name, container(digest="sha256:bbbb" if read.name == FIRST else "sha256:aaaa")),)

    assert finding(layer(3, {PodDetails: pods}), "Images").value == "mixed versions"
    assert finding(layer(3), "Images").light is G


def test_how_containers_ended_is_told_with_the_code() -> None:
    ended = container(restarts=3, ended=Ending("OOMKilled", 137, finished=NOW - timedelta(minutes=5)))
    found = finding(layer(3, {PodDetails: (pod(FIRST, ended),), PodRows: (row(),)}), "Last ends")
    assert found.evidence == (f"{FIRST}/backend: OOMKilled (137) 5 min ago, 3 restarts",)


# --- 4. Nodes -------------------------------------------------------------------------------------------------------


def test_a_node_of_its_pods_that_is_not_ready_is_why() -> None:
    found = layer(4, {Nodes: (node(ready="Unknown"), node("other"))})
    assert finding(found, "Nodes").light is R
    assert "not reporting" in found.cause.text


@pytest.mark.parametrize(("busy", "light"), [(0.799, G), (0.8, R)])
def test_the_load_of_its_own_nodes_alone_turns_at_the_mark(busy: float, light: Light) -> None:
    given = {"idle|iowait|steal": {f"nodename={NODE}": busy, "nodename=elsewhere": 0.99}}
    assert finding(layer(4, given), "CPU").light is light


# --- 5. Infrastructure ----------------------------------------------------------------------------------------------


def test_an_open_event_of_aws_and_an_issue_of_the_cluster_are_red() -> None:
    event_ = CloudEvent("EC2", "eu-central-1", "AWS_EC2_OPERATIONAL_ISSUE", "instances do not start")
    assert finding(layer(5, {CloudEvents: (event_,)}), "AWS").light is R
    ill = EksView("training", "ACTIVE", "1.33", "eks.9", ("Ec2SubnetNotFound: gone",))
    assert layer(5, {EksCluster: ill}).cause.text.startswith("Cluster sre-training-cluster: ACTIVE")


def test_without_the_support_plan_the_public_page_is_named() -> None:
    found = finding(layer(5, {CloudEvents: HIDDEN}), "AWS")
    assert found.light is U
    assert found.mend


def test_a_cluster_that_is_not_of_aws_asks_nothing() -> None:
    assert [each.value for each in layer(5, site=replace(SITE, eks=False)).findings] == [
        "not a cluster of AWS (`cluster.eks` is false): nothing to ask"
    ]


# --- Sources --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "source", "label"), [
    (1, ERRORS, "Errors"), (1, P95, "Latency"), (2, PodRows, "Pods of"), (2, Events, "Warnings"),
    (2, ServicesOf, "Services"), (2, Endpoints, "Endpoints"), (3, PodRows, "Containers"), (3, PodDetails, "Pod "),
    (4, Nodes, "Nodes"), (4, PodRows, "Nodes of"), (5, EksCluster, "Cluster"), (5, Nodegroup, "Node group"),
])  # fmt: skip
def test_each_source_that_does_not_answer_is_unknown(number: int, source: Any, label: str) -> None:
    found = layer(number, {source: HIDDEN})
    assert finding(found, label).light is U
    assert found.cause is None


def test_every_suggestion_can_be_typed() -> None:
    for number in layers.LAYERS:
        found = layer(
            number, {ERRORS: 0.5, RATE: 20, Nodes: (node(ready="False"),), Endpoints: (endpoint(FIRST),)}
        )
        for each in (*(found.cause.suggestions if found.cause else ()), *found.suggestions):
            CATALOG.parse(each.text)
