"""What is asked of Prometheus about a service before and during a change, and what the answers become."""

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_world import MINUTE, RULES, T0, baseline, period, value

from commands import baseline as frozen
from commands.baseline import Baseline, spans
from commands.finding import Light
from commands.model import Gap, Read, Seen
from commands.reads import Endpoints, EndpointView, Http, Query, Vector
from commands.reads import Sample as Point
from commands.sample import Check, Sample, Value, critical, sample
from commands.site import Change, ClusterSite, ServiceSite
from commands.triagereads import Fetch
from commands.validation import Since, compared, validated
from commands.watch import ERRORS, Reading, judged, look

SITE = ClusterSite()
BACKEND = SITE.service("backend")
BEHIND = Endpoints("sre-shop", "backend-service")
WEEK = timedelta(weeks=1)
HOUR = (T0 - 60 * MINUTE, T0 - 5 * MINUTE)
SHOP = "http://backend-service.sre-shop.svc:8080/healthz"

T = TypeVar("T")
Answers = Callable[[str], Any]


def number(found: float) -> Vector:
    return Vector((Point({}, found),))


def one(*numbers: tuple[str, float]) -> Answers:
    """The first of these whose words are in the query."""
    return lambda expr: next((number(found) for words, found in numbers if words in expr), Vector(()))


BUSY = one(
    ('status=~"5.."', 20), ("increase(", 10_000), ("histogram_quantile", 0.2), ("up{", 1),
    ("cpu_usage", 0.1), ("working_set", 1e8),
)  # fmt: skip


def drive(asked: Generator[Any, Any, T], answer: Answers, **others: Any) -> tuple[T, list[str]]:
    """What it returns, and the queries it asked. others: the answer to each Fetch, and to each Endpoints."""
    page = others.get("page", Http(200, MINUTE))
    behind = others.get("behind", (EndpointView("10.0.0.1", "a", True),))
    exprs: list[str] = []

    def said(read: Read) -> Any:
        if isinstance(read, Query):
            exprs.append(read.expr)
            return answer(read.expr)
        return page if isinstance(read, Fetch) else behind

    try:
        reads = next(asked)
        while True:
            reads = asked.send(Seen({read: said(read) for read in reads}))
    except StopIteration as end:
        return end.value, exprs


def stamp(at: datetime) -> str:
    return f"@ {int(at.timestamp())})"


# --- The hour before ------------------------------------------------------------------------------


def at(minute: float) -> datetime:
    return T0 + minute * MINUTE


@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        ((), (HOUR,)),
        (((at(-40), at(-30)),), ((at(-60), at(-40)), (at(-30), at(-5)))),
        (((at(-90), at(-50)),), ((at(-50), at(-5)),)),
        (((at(-10), at(30)),), ((at(-60), at(-10)),)),
        (((at(-90), at(10)),), ()),
        (((at(-60), at(-6)),), ()),  # a minute says nothing
        (((at(-90), at(-80)),), (HOUR,)),
        (((at(-40), at(-30)), (at(-35), at(-20))), ((at(-60), at(-40)), (at(-20), at(-5)))),
    ],
)
def test_incidents_are_cut_out_of_the_hour_before(excluded: Any, left: Any) -> None:
    assert spans(*HOUR, excluded) == left


@given(st.lists(st.tuples(st.integers(-100, 20), st.integers(0, 60)), max_size=6))
def test_what_is_left_holds_no_moment_of_an_incident(found: list[tuple[int, int]]) -> None:
    excluded = [(at(begin), at(begin + length)) for begin, length in found]
    for begin, end in spans(*HOUR, excluded):
        assert HOUR[0] <= begin < end <= HOUR[1]
        assert all(end <= start or stop <= begin for start, stop in excluded if start < stop)


def frame(answer: Answers = BUSY, excluded: Any = (), **others: Any) -> tuple[Baseline, list[str]]:
    return drive(frozen.baseline(BACKEND, SITE, T0, excluded), answer, **others)


def test_a_baseline_is_of_the_hour_before_and_of_last_week() -> None:
    found, exprs = frame()
    assert found.recent.spans == (HOUR,)
    assert found.last_week.spans == ((HOUR[0] - WEEK, HOUR[1] - WEEK),)
    assert (found.recent.requests, found.recent.bad, found.recent.p95) == (
        Value(10_000),
        Value(20),
        Value(0.2),
    )
    assert (found.cpu, found.memory, found.healthy) == (Value(0.1), Value(1e8), Value(1))
    assert found.checks == ("shop answers", "endpoints of sre-shop/backend-service")
    counted = [expr for expr in exprs if "[55m]" in expr]
    assert sum(stamp(HOUR[1]) in expr for expr in counted) == 5
    assert sum(stamp(HOUR[1] - WEEK) in expr for expr in counted) == 3


def test_around_an_incident_it_is_summed_and_latency_weighed_by_requests() -> None:
    parts = {
        stamp(at(-40)): one(('"5.."', 4), ("increase(", 3000), ("histogram", 0.1)),
        stamp(at(-5)): one(('"5.."', 2), ("increase(", 1000), ("histogram", 0.5)),
    }
    found, exprs = frame(
        lambda expr: next((given(expr) for end, given in parts.items() if end in expr), Vector(())),
        [(at(-40), at(-30))],
    )
    assert (found.recent.requests, found.recent.bad) == (Value(4000), Value(6))
    assert found.recent.p95 == Value(0.2)
    assert any("[20m]" in expr for expr in exprs) and any("[25m]" in expr for expr in exprs)
    assert sum("cpu_usage" in expr for expr in exprs) == 1  # of the longer piece
    assert found.last_week.requests == Value(None, "no data (Q-requests)")


def test_an_incident_over_all_of_it_leaves_last_week() -> None:
    found, _ = frame(excluded=[(at(-70), at(0))])
    assert found.recent.requests == Value(None, "an incident covers all of it")
    assert found.cpu.number is None
    reference = frozen.errors(found, RULES)
    assert reference.words == "0.20 % (10,000 requests in the same hour last week)"


def test_what_could_not_be_read_is_no_baseline() -> None:
    found, _ = frame(lambda expr: Gap("prometheus: HTTP 503"))
    assert found.recent.bad == Value(None, "prometheus: HTTP 503", is_unread=True)
    assert frozen.errors(found, RULES) == frozen.Reference(None, "no baseline: prometheus: HTTP 503")


def test_a_check_that_does_not_hold_is_not_in_the_baseline() -> None:
    assert frame(page=Http(503, MINUTE), behind=())[0].checks == ()
    assert frame(page=Gap("no answer", silent=True))[0].checks == ("endpoints of sre-shop/backend-service",)


# --- A sample -------------------------------------------------------------------------------------


def test_a_sample_looks_back_on_one_interval_as_of_its_own_time() -> None:
    found, exprs = drive(sample(BACKEND, SITE, T0), BUSY)
    assert all(stamp(T0) in expr for expr in exprs) and len(exprs) == 4
    assert sum("[1m]" in expr for expr in exprs) == 3
    assert (found.at, found.window, found.bad, found.healthy) == (T0, MINUTE, Value(20), Value(1))
    assert all(check.is_up for check in found.checks)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (number(0), Value(0)),
        (Vector(()), Value(None, "no data (Q-requests)")),
        (number(float("nan")), Value(None, "no requests")),
        (number(-1), Value(None, "-1 is no count")),
        (Vector((Point({}, 1), Point({}, 2))), Value(None, "2 series instead of one")),
        (
            Vector((Point({}, 1),), warnings=("a store is away",)),
            Value(None, "a partial answer: a store is away"),
        ),
        (Gap("prometheus: HTTP 503"), Value(None, "prometheus: HTTP 503", is_unread=True)),
    ],
)
def test_no_number_has_its_reason_and_is_not_zero(answer: Any, expected: Value) -> None:
    found, _ = drive(sample(BACKEND, SITE, T0), lambda _: answer)
    assert found.requests == expected


def test_a_prometheus_that_fails_makes_a_sample_blind() -> None:
    found, _ = drive(sample(BACKEND, SITE, T0), lambda _: Gap("prometheus: HTTP 503"))
    assert judged(found, baseline(), RULES).reading is Reading.BLIND


@pytest.mark.parametrize(
    ("page", "behind", "expected"),
    [
        (Http(200, MINUTE), (EndpointView("10.0.0.1", "a", True),), [(True, ""), (True, "")]),
        (Http(399, MINUTE), (), [(True, ""), (False, "none is ready")]),
        (
            Http(400, MINUTE),
            (EndpointView("10.0.0.1", "a", False),),
            [(False, "HTTP 400"), (False, "none is ready")],
        ),
        (
            Gap("no answer in 5 s", silent=True),
            (EndpointView("10.0.0.1", "a", True, terminating=True),),
            [(False, "no answer in 5 s"), (False, "none is ready")],
        ),
        (Gap("forbidden"), Gap("forbidden"), [(None, "forbidden"), (None, "forbidden")]),
    ],
)
def test_critical_functions(page: Any, behind: Any, expected: Any) -> None:
    found, _ = drive(critical(SITE), BUSY, page=page, behind=behind)
    assert [(check.is_up, check.why) for check in found] == expected


def test_without_any_critical_function_nothing_is_asked() -> None:
    found, _ = drive(critical(ClusterSite(critical_checks=(), services={})), BUSY)
    assert found == ()


def shops(ill: str) -> Answers:
    """Two in a hundred requests fail since T0, where the query says so."""

    failing = one(('"5.."', 200))

    def said(expr: str) -> Any:
        is_ill = ill in expr and '"5.."' in expr and stamp(at(5)) in expr
        return failing(expr) if is_ill else BUSY(expr)

    return said


@pytest.mark.parametrize(("ill", "shared"), [('service="backend-service"', ()), ("service=", ("cart",))])
def test_a_look_takes_its_neighbours_along(ill: str, shared: tuple[str, ...]) -> None:
    cart = ServiceSite(name="cart", namespace="shop", deployment="cart", service="cart")
    two = ClusterSite(services={"backend": BACKEND, "cart": cart})
    around, exprs = drive(frozen.neighbours(BACKEND, two, T0), BUSY)
    assert list(around) == ["cart"] and not any("backend-service" in expr for expr in exprs)
    found, _ = drive(look(BACKEND, two, at(5), baseline(), around), shops(ill))
    assert found.reading is Reading.BREACH
    errors = found.measure(ERRORS)
    assert errors is not None and errors.shared == shared


# --- Afterwards -----------------------------------------------------------------------------------


def now(bad: Any = 20, of: Any = 10_000, p95: Any = 0.2, cpu: Any = 0.1, memory: Any = 1e8) -> Since:
    found = Sample(T0, 5 * MINUTE, value(of), value(bad), value(p95), Value(1), (Check("x", True),))
    return Since(found, value(cpu), value(memory))


GREEN, RED, YELLOW, UNKNOWN = Light.GREEN, Light.RED, Light.YELLOW, Light.UNKNOWN


@pytest.mark.parametrize(
    ("bad", "of", "before", "light"),
    [
        (22, 10_000, 20, GREEN),  # 0.22 % is 10 % more than 0.20 % on the dot
        (23, 10_000, 20, RED),
        (11, 10_000, 0, GREEN),  # of the floor of 0.1 %
        (12, 10_000, 0, RED),
        (1, 99, 20, UNKNOWN),
        (0, 0, 20, UNKNOWN),
        (None, None, 20, UNKNOWN),
        (20, 10_000, None, UNKNOWN),
    ],
)
def test_errors_may_rise_by_ten_percent(bad: Any, of: Any, before: Any, light: Light) -> None:
    found = compared(now(bad, of), baseline(before), Change())
    assert (found[0].key, found[0].light) == ("CM-3.3", light)


@pytest.mark.parametrize(
    ("changes", "lights"),
    [
        ({}, [GREEN, GREEN, GREEN]),
        ({"p95": 0.24, "cpu": 0.12, "memory": 1.2e8}, [GREEN, GREEN, GREEN]),
        ({"p95": 0.241, "cpu": 0.121, "memory": 1.21e8}, [RED, RED, RED]),
        ({"p95": 0.16, "cpu": 0.08, "memory": 0.8e8}, [GREEN, GREEN, GREEN]),
        ({"p95": 0.159, "cpu": 0.079, "memory": 0.79e8}, [YELLOW, YELLOW, YELLOW]),
        ({"p95": None, "cpu": None, "memory": None}, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"of": 10}, [UNKNOWN, GREEN, GREEN]),
    ],
)
def test_latency_and_use_may_move_by_a_fifth(changes: dict[str, Any], lights: list[Light]) -> None:
    found = compared(now(**changes), baseline(), Change())
    assert [each.key for each in found[1:]] == ["CM-3.4"] * 3
    assert [each.light for each in found[1:]] == lights


def test_without_a_baseline_nothing_is_stable() -> None:
    none = Baseline(
        "backend", T0, period(None, None, None), period(None, None, None), *(Value(None, "no data"),) * 3
    )
    assert {each.light for each in compared(now(), none, Change())} == {UNKNOWN}


def test_the_words_name_both_numbers() -> None:
    errors, p95, cpu, memory = compared(now(bad=23, p95=0.25), baseline(), Change())
    assert (errors.value, errors.threshold) == (
        "0.23 % (23 of 10,000 requests)",
        "≤ 0.22 %, baseline 0.20 % (10,000 requests in the hour before)",
    )
    assert (p95.value, p95.threshold) == ("250 ms", "± 20 % of 200 ms (10,000 requests in the hour before)")
    assert (cpu.value, cpu.threshold) == ("100m", "± 20 % of 100m in the hour before")
    assert memory.value == "95 MiB"


def test_afterwards_five_minutes_are_looked_at() -> None:
    found, exprs = drive(validated(BACKEND, SITE, baseline(), T0), BUSY)
    assert {each.light for each in found} == {GREEN}
    assert sum("[5m]" in expr for expr in exprs) == 5
