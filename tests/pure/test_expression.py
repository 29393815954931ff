"""What an alert's expression compares, for its graph."""

import pytest

from commands.triage.expression import Level, level, narrowed, of_link


@pytest.mark.parametrize(
    ("expr", "value", "op", "threshold"),
    [
        ("up == 0", "up", "==", 0.0),
        ("rate(x[5m]) > 0.9", "rate(x[5m])", ">", 0.9),
        ("(rate(x[5m]) > 0.9)", "rate(x[5m])", ">", 0.9),
        ("0.9 < rate(x[5m])", "rate(x[5m])", ">", 0.9),
        ("a / b > 25 / 100", "a / b", ">", 0.25),
        ("x > (60 * 15)", "x", ">", 900.0),
        ("x > 1e3", "x", ">", 1000.0),
        ("x >= -1", "x", ">=", -1.0),
        ("x > bool 1", "x", ">", 1.0),
        ("a > 1 and b < 2", "a", ">", 1.0),
        ('a{x="and > 3"} > 1 unless on (x) b', 'a{x="and > 3"}', ">", 1.0),
        ("(a > 1 and b < 2) or c > 3", "a", ">", 1.0),
        ("sum by (le) (rate(x[5m])) > 0.2 # per second > 5", "sum by (le) (rate(x[5m]))", ">", 0.2),
        ("a > b", "a > b", "", None),
        ("x > 1 / 0", "x > 1 / 0", "", None),
        ("vector(1)", "vector(1)", "", None),
        ('x{a!="b",c=~"d"}', 'x{a!="b",c=~"d"}', "", None),
        ("count_over_time(x[5m]) > 5 > 3", "count_over_time(x[5m]) > 5", ">", 3.0),
        ("(a) / (b) < 0.1", "(a) / (b)", "<", 0.1),
        ("(unbalanced > 1", "(unbalanced > 1", "", None),
        ("", "", "", None),
    ],
)
def test_the_value_and_the_level_are_told_apart(
    expr: str, value: str, op: str, threshold: float | None
) -> None:
    assert level(expr) == Level(value, op, threshold)


def test_the_level_of_an_expression_over_several_lines() -> None:
    expr = 'max_over_time(\n  x{reason="Y"}[5m]\n) >= 1\nunless\nabsent(z)\n'
    assert level(expr) == Level('max_over_time(\n  x{reason="Y"}[5m]\n)', ">=", 1.0)


def test_an_expression_is_found_in_the_link_of_its_alert() -> None:
    assert of_link("http://prom:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1") == "up == 0"


@pytest.mark.parametrize("url", ["", "http://prom/graph", "http://[", "not a url", "http://p/?g0.expr="])
def test_a_link_without_an_expression_has_none(url: str) -> None:
    assert of_link(url) == ""


def test_an_expression_is_narrowed_to_the_series_of_its_alert() -> None:
    found = narrowed("x / y", {"pod": 'we"b', "namespace": "shop", "severity": "warning", "alertname": "X"})
    assert found == (
        "(x / y) and on (namespace, pod) "
        'label_replace(label_replace(vector(1), "namespace", "shop", "", ""), "pod", "we\\"b", "", "")'
    )


def test_a_dollar_in_a_label_is_no_group() -> None:
    assert '"a$$1b"' in narrowed("x", {"pod": "a$1b"})


def test_without_telling_labels_the_expression_stays_whole() -> None:
    assert narrowed("x", {"alertname": "X", "severity": "critical"}) == "x"
