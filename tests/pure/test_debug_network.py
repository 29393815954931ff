"""`debug net`: a Service's selector, ports, endpoints, name and connections, each with what breaks it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from service_world import (
    BACKEND,
    FIRST,
    MS,
    PODS,
    SITE,
    WITH_PAYMENTS,
    asked,
    finding,
    lights,
    matrix,
    service,
    spec,
    told,
)  # fmt: skip
from triage_world import HIDDEN, NODE

from commands.catalog import Catalog
from commands.effects import Target
from commands.finding import Light
from commands.model import Args
from commands.podreads import PodDetails, PodRows, Policies, PolicyView
from commands.reads import Endpoints, Http, PodHttp
from commands.site import Monitoring
from commands.triage import generic, latency, network
from commands.triage.rule import Subject
from commands.triagereads import Connect, Connected, Fetch, PodSpecOf, Resolve, Resolved
from commands.workloads import ServicesOf

CATALOG = Catalog.load()
G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
OUTSIDE = replace(SITE, monitoring=Monitoring(access="proxy"))


def tried(given: dict[Any, Any] | None = None, site: Any = SITE) -> Any:
    return told(network.diagnose(BACKEND, site), given)


def looked_up(
    took: timedelta = 2 * MS, error: str = "", address: str = "172.20.0.10"
) -> tuple[Resolved, ...]:
    return tuple(Resolved(() if error else (address,), took, error) for _ in range(10))


def test_a_healthy_service_is_green_where_everything_is_known() -> None:
    found = tried({"netdrop": {}, "container_network": 0, "coredns": 0.01, "Retrans": {"instance=n1": 0.001}})
    assert set(lights(found).values()) == {G}
    assert found.cause is None


def test_a_selector_with_a_slip_matches_no_pod_and_the_right_label_is_told() -> None:
    found = tried({ServicesOf: (service(app="bakend"),), Endpoints: ()})
    selector = finding(found, "Selector")
    assert (selector.light, selector.value) == (R, "selector matches 0 pods: app=bakend")
    assert selector.evidence == (f"{FIRST} has app=backend in place of app=bakend",)
    assert found.cause and "selector matches 0 pods" in found.cause.text


@pytest.mark.parametrize(
    ("target", "light", "words"),
    [
        ("http", G, "leads to 8080 (http)"),
        ("8080", G, "leads to 8080"),
        ("web", R, "leads to a port named web, which no container has; there are http"),
        ("9090", Y, "leads to 9090, which no container declares (they declare 8080)"),
    ],
)
def test_a_target_port_is_held_against_the_containers(target: str, light: Light, words: str) -> None:
    port = finding(tried({ServicesOf: (service(target),)}), "Port 8080")
    assert (port.light, port.value) == (light, words)


def test_a_container_that_declares_no_port_is_let_be() -> None:
    found = tried({ServicesOf: (service("9090"),), PodSpecOf: spec(ports=(), named={})})
    assert finding(found, "Port 8080").light is G


@pytest.mark.parametrize(
    ("answers", "light"),
    [
        (looked_up(100 * MS), G), (looked_up(101 * MS), Y), (looked_up(error="SERVFAIL"), R),
        (looked_up(address="172.20.0.99"), R), ((), R),
    ],
)  # fmt: skip
def test_the_name_is_looked_up_ten_times_and_must_be_the_services_address(answers: Any, light: Light) -> None:
    assert finding(tried({Resolve: answers}), "Name backend-service.sre-shop.svc").light is light


def test_one_endpoint_that_refuses_is_named_with_its_node() -> None:
    found = tried({Connect("10.0.3.10", 8080): Connected(1 * MS, "refused")})
    ports = finding(found, "Ports of its endpoints")
    assert (ports.light, ports.value) == (R, "2 of 3 ports open, p95 1 ms")
    assert ports.evidence[0].startswith(f"{PODS[1]} on ")
    assert ports.evidence[0].endswith("port 8080: refused")


@pytest.mark.parametrize(("took", "light"), [(100, G), (101, Y)])
def test_a_port_that_opens_late_is_yellow(took: int, light: Light) -> None:
    assert finding(tried({Connect: Connected(took * MS)}), "Ports of its endpoints").light is light


@pytest.mark.parametrize(("status", "light"), [(200, G), (399, G), (400, R), (503, R)])
def test_the_page_of_its_health_is_asked_of_each_pod(status: int, light: Light) -> None:
    assert finding(tried({PodHttp: Http(status, 3 * MS)}), "GET /healthz").light is light


@pytest.mark.parametrize(("share", "light"), [(0.0099, G), (0.01, R)])
def test_segments_sent_again_turn_at_one_of_a_hundred(share: float, light: Light) -> None:
    assert finding(tried({"Retrans": {"instance=n1": share}}), "TCP segments").light is light


@pytest.mark.parametrize(("took", "light"), [(0.1, G), (0.101, Y)])
def test_coredns_turns_at_a_tenth_of_a_second(took: float, light: Light) -> None:
    assert finding(tried({"coredns": took}), "CoreDNS").light is light


def test_packets_lost_by_its_own_pods_alone_are_told() -> None:
    lost = {f"namespace=sre-shop,pod={FIRST}": 3, "namespace=sre-shop,pod=other-0": 9}
    dropped = finding(tried({"container_network": lost}), "Packets")
    assert (dropped.light, dropped.evidence) == (Y, (f"{FIRST}: 3 a second",))


def test_policies_about_its_pods_are_named_and_one_that_shuts_all_is_yellow() -> None:
    def policy(name: str, app: str, *opens: str) -> PolicyView:
        return PolicyView(
            Target("NetworkPolicy", "sre-shop", name, ""), {"matchLabels": {"app": app}}, frozenset(opens)
        )

    some = finding(
        tried({Policies: (policy("a", "backend", "Ingress"), policy("b", "db"))}), "Network policies"
    )
    assert (some.light, some.evidence) == (G, ("a: lets through Ingress",))
    assert finding(tried({Policies: (policy("deny", "backend"),)}), "Network policies").light is Y


def test_from_outside_of_the_cluster_nothing_is_tried_and_that_is_said() -> None:
    world = asked(network.diagnose(BACKEND, OUTSIDE))
    assert not any(isinstance(read, Resolve | Connect) for read in world.asked)
    assert {finding(world.found, label).light for label in ("Name", "Ports")} == {U}


def test_a_workloads_name_finds_the_service_of_its_pods() -> None:
    other = replace(BACKEND, name="backend", service="no-such", deployment="backend")
    assert finding(told(network.diagnose(other, SITE)), "Selector of backend-service").light is G


def test_a_name_nobody_has_is_an_answer_with_the_nearest() -> None:
    other = replace(BACKEND, name="backend-servic", service="backend-servic", deployment="nobody")
    (none,) = told(network.diagnose(other, SITE)).findings
    assert "there is no service backend-servic in sre-shop" in none.value
    CATALOG.parse(none.suggestions[0].text)


@pytest.mark.parametrize(("source", "label"), [
    (ServicesOf, "Services"), (PodDetails, "Selector"), (PodSpecOf, "Target ports"), (Endpoints, "Endpoints"),
    (Resolve, "Name"), (Connect, "Ports of"), (PodHttp, "GET"), (Policies, "Network policies"),
    ("container_network", "Packets"), ("coredns", "CoreDNS"), ("Retrans", "TCP"),
])  # fmt: skip
def test_each_source_that_does_not_answer_is_unknown(source: Any, label: str) -> None:
    assert finding(tried({source: HIDDEN}), label).light is U
    assert tried({PodRows: HIDDEN}).findings


# --- Outside, and the four parts of latency -------------------------------------------------------------------------


def test_names_outside_are_those_of_the_configuration() -> None:
    found = told(network.outside(WITH_PAYMENTS), {Resolve: looked_up(error="NXDOMAIN"), Fetch: Http(200, MS)})
    assert finding(found, "Name pay.example.com").light is R
    (none,) = told(network.outside(SITE)).findings
    assert (none.light, none.value) == (U, "none configured")


LATENCY = "histogram_quantile(0.95, sum by (le) (rate(http_request"


def slow(given: dict[Any, Any] | None = None) -> Any:
    return told(
        latency.slow(Subject("HighLatency", {"service": "backend"}), SITE), {LATENCY: 0.2345, **(given or {})}
    )


def test_latency_is_told_in_milliseconds_and_in_four_numbered_parts_in_order() -> None:
    found = slow()
    assert "95 of 100 requests take up to 235 ms (objective 200 ms)" in found.cause.text
    parts = [each.label for each in found.findings if each.label[:1].isdigit()]
    assert parts == ["1. Database", "2. Network", "3. Saturation", "4. Dependencies"]


@pytest.mark.parametrize(("value", "light"), [(0.2, G), (0.201, R)])
def test_latency_turns_at_the_objective(value: float, light: Light) -> None:
    found = slow({LATENCY: value})
    assert finding(found, "Latency").light is light
    assert (found.cause is None) is (light is G)


def test_the_first_part_that_is_red_is_named_with_the_latency() -> None:
    found = slow({Connect("10.0.3.10", 8080): Connected(MS, "refused")})
    assert "2. Network: Ports of its endpoints: 2 of 3 ports open" in found.cause.text


def test_a_bound_that_the_histogram_has_not_is_said_to_be_guessed() -> None:
    found = slow({"count by (le)": {"le=0.1": 1, "le=0.25": 1, "le=+Inf": 1}})
    assert (
        finding(found, "How exact").value
        == "no bucket ends at 200 ms: between 100 ms and 250 ms it is a guess"
    )
    exact = slow({"count by (le)": {"le=0.2": 1}})
    assert "How exact" not in lights(exact)


def test_throttling_that_rises_with_the_latency_is_stated_with_r() -> None:
    rising = [float(n) for n in range(30)]
    given = {LATENCY: matrix(rising), "throttled_periods": matrix(rising, pod=FIRST)}
    found = told(latency.saturated(BACKEND, SITE), given)
    assert (
        finding(found, "Throttling and latency").value
        == "throttling rises with the latency (r = 1.00 over 3 h)"
    )
    other = told(
        latency.saturated(BACKEND, SITE), {**given, "throttled_periods": matrix(rising, pod="other-0")}
    )
    assert finding(other, "Throttling and latency").light is G


@pytest.mark.parametrize(("wait", "light"), [(0.2, G), (0.201, R)])
def test_disks_of_its_own_nodes_turn_at_a_fifth(wait: float, light: Light) -> None:
    given = {'mode="iowait"': {f"nodename={NODE}": wait, "nodename=elsewhere": 0.9}}
    assert finding(told(latency.saturated(BACKEND, SITE), given), "Waiting for disks").light is light


# --- The generic shapes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "is_borrowed"),
    [
        ({"namespace": "sre-shop", "service": "backend-service"}, True),
        ({"namespace": "sre-shop", "service": "ksm", "job": "kube-state-metrics"}, False),
    ],
)
def test_an_alert_that_names_a_service_alone_is_looked_up_by_it(
    labels: dict[str, str], is_borrowed: bool
) -> None:
    rule = generic.rule_for(Subject("MyOwnAlert", labels))
    assert (rule.diagnose is not generic.by_namespace) is is_borrowed


@pytest.mark.parametrize(
    "text", ["debug net", "debug net --external", "debug latency --deps", "debug --layer 3"]
)
def test_what_is_typed_becomes_parts(text: str) -> None:
    parsed = CATALOG.parse(text)
    args = getattr(parsed, "args", parsed)
    assert isinstance(args, Args)
