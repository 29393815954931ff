"""`debug db`: every mark of PostgreSQL and MongoDB at its edge, and a list for the owner where nothing is seen."""

from typing import Any

import pytest
from service_world import BACKEND, SITE, asked, finding, lights, told
from triage_world import HIDDEN

from commands.catalog import Catalog
from commands.debug import database as command
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args
from commands.reads import Query
from commands.triage import database
from commands.triage.dbchecks import ENGINES, MONGODB, POSTGRES

CATALOG = Catalog.load()
G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
BOTH: dict[Any, Any] = {
    database.THERE: {"__name__=pg_stat_activity_count": 4, "__name__=mongodb_ss_connections": 2}
}
REQUESTS = "offset 1h"


def diagnosed(given: dict[Any, Any], engine: str = "") -> Any:
    return told(database.diagnose(BACKEND, SITE, engine), {**BOTH, **given})


def checked(label: str, value: Any, more: dict[Any, Any] | None = None) -> Finding:
    engine, check = next(
        (engine, check) for engine in ENGINES for check in engine.checks if label in check.gauge.label
    )
    found = diagnosed({check.gauge.asked({}): value, **(more or {})})
    return finding(found, f"{engine.name}: {check.gauge.label}")


ON = "instance=db-0"
EDGES = [
    ("Longest idle in transaction", 300, G), ("Longest idle in transaction", 301, R),
    ("Connections of the server", 0.80, G), ("Connections of the server", 0.81, Y),
    ("Connections of the server", 0.94, Y), ("Connections of the server", 0.95, R),
    ("Large tables", 0.5, G), ("Large tables", 0.51, Y),
    ("Sessions that wait", 0, G), ("Sessions that wait", 1, R),
    ("Longest transaction", 300, G), ("Longest transaction", 301, R),
    ("Deadlocks", 0, G), ("Deadlocks", 1, Y),
    ("Documents looked at", 100, G), ("Documents looked at", 101, R),
    ("Cache hits", 0.95, G), ("Cache hits", 0.949, Y),
    ("Dirty part", 0.2, G), ("Dirty part", 0.21, R),
    ("New connections", 10, G), ("New connections", 10.1, Y),
]  # fmt: skip


@pytest.mark.parametrize(("label", "value", "light"), EDGES)
def test_each_check_turns_at_its_mark(label: str, value: float, light: Light) -> None:
    assert checked(label, {ON: value}).light is light


def test_the_worst_server_is_judged_and_for_hits_the_lowest() -> None:
    assert checked("Connections of the server", {"instance=a": 0.2, "instance=b": 0.96}).light is R
    hits = checked("Cache hits", {"instance=a": 0.99, "instance=b": 0.5})
    assert (hits.light, hits.value) == (Y, "50 %")


@pytest.mark.parametrize(
    ("load", "light", "words"),
    [
        (1.2, Y, "leak suspected: db-0: 50 %, with no more requests than before"),
        (1.5, G, "db-0: 50 %, with 50 % more requests"),
        (HIDDEN, Y, "db-0: 50 %; how the requests went is not known"),
    ],
)
def test_connections_that_grow_without_more_requests_are_a_leak(load: Any, light: Light, words: str) -> None:
    found = checked("Growth of the connections", {ON: 0.5}, {Query(database._REQUESTS): load})
    assert (found.light, found.value) == (light, words)
    assert checked("Growth of the connections", {ON: 0.1}, {Query(database._REQUESTS): 1.0}).light is G


def test_statements_are_told_without_the_data_in_them() -> None:
    labels = "datname=shop,query=SELECT * FROM users WHERE mail <> 'eve@example.com' AND id > 4711,queryid=1"
    check = next(each for each in POSTGRES.checks if each.is_text)
    found = checked(check.gauge.label, {labels: 1.5})
    assert "eve@example.com" not in str(found)
    assert "4711" not in str(found)
    assert "mail <> ? AND id > ?" in found.value
    assert found.value.endswith("1.5 s")


# --- Which are there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("there", "names"), [
    ({"__name__=pg_up": 1}, {"postgres"}),
    ({"__name__=mongodb_up": 1}, {"mongodb"}),
    ({"__name__=pg_up": 1, "__name__=mongodb_ss_connections": 1}, {"postgres", "mongodb"}),
])  # fmt: skip
def test_engines_are_known_by_the_names_of_their_series(there: dict[str, float], names: set[str]) -> None:
    found = told(database.diagnose(BACKEND, SITE), {database.THERE: there})
    assert {label.partition(":")[0] for label in lights(found) if ":" in label} == names


def test_where_nothing_is_seen_the_owner_gets_a_list() -> None:
    found = diagnosed({database.THERE: {}})
    databases = finding(found, "Databases")
    assert (databases.light, databases.value) == (U, "cannot see the database: no exporter's series")
    assert len(databases.evidence) == len(POSTGRES.asks) + len(MONGODB.asks)
    assert "postgres_exporter or mongodb_exporter" in databases.mend
    assert found.cause is None


def test_one_engine_alone_can_be_asked_for() -> None:
    world = asked(database.diagnose(BACKEND, SITE, "postgres"), BOTH)
    assert not any("mongodb_ss" in read.expr for read in world.asked[2:] if isinstance(read, Query))
    none = finding(diagnosed({database.THERE: {"__name__=pg_up": 1}}, "mongodb"), "Databases")
    assert "Scrape mongodb_exporter" in none.mend


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="Known: postgres, mongodb"):
        command.parts(Args("debug", "db", "", {"engine": "oracle"}), SITE)
    assert command.parts(Args("debug", "db", "", {"engine": "PostgreSQL"}), SITE)


# --- The application's own pool -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "light"), [(0.8, G), (0.81, Y), (0.949, Y), (0.95, R)])
def test_the_pool_of_the_application_turns_at_its_marks(share: float, light: Light) -> None:
    assert finding(diagnosed({"db_connections_active": share}), "Pool").light is light


def test_a_pool_that_is_not_exported_names_the_series_and_the_key() -> None:
    pool = finding(diagnosed({}), "Pool")
    assert pool.light is U
    assert "db_connections_active" in pool.value
    assert "db_pool.metrics" in pool.mend


# --- Sources ------------------------------------------------------------------------------------------------------


def test_each_check_is_unknown_where_its_question_is_not_answered_and_the_others_show() -> None:
    for engine in ENGINES:
        for check in engine.checks:
            found = diagnosed({check.gauge.asked({}): HIDDEN})
            told_of = finding(found, f"{engine.name}: {check.gauge.label}")
            assert told_of.light is U
            assert "forbidden" in told_of.value


def test_no_series_is_unknown_never_green() -> None:
    found = diagnosed({})
    assert set(lights(found).values()) == {U}
    assert finding(diagnosed({database.THERE: HIDDEN}), "Databases").light is U


def test_what_is_red_is_the_cause_with_its_mark() -> None:
    check = next(each for each in POSTGRES.checks if each.key == "TD-1.2")
    found = diagnosed({check.gauge.asked({}): {ON: 0.97}})
    assert found.cause
    assert found.cause.text == "postgres: Connections of the server's limit: db-0: 97 % (should be ≤ 80 %)"
