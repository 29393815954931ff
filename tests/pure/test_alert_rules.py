"""`alert routes`, `alert rules`, `alert gaps` and `review alerts`; and the rules that are shipped, by the real promtool."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from alert_history import (
    CATALOG,
    DARK,
    HOUR,
    MINUTE,
    NOW,
    SITE,
    lights,
    line,
    occurrence,
    one,
    page,
    rule,
    typed,
)
from incident_history import alert, incident, milestone

from commands.alert import gaps, routes
from commands.alertreads import (
    AlertmanagerConfig,
    AlertmanagerRoutes,
    AmAlerts,
    Matrix,
    Occurrences,
    OpenGroups,
    QueryRange,
    RouteNode,
    Rules,
)
from commands.errors import UsageError
from commands.finding import Light
from commands.reads import Query, Sample, Vector
from commands.responsereads import Incidents
from commands.site import AlertRoute, Alerts, Route, Slo
from commands.triagereads import CHANNEL, OWNER, NamespaceNotes

K8S = Path(__file__).parents[2] / "k8s"
SHIPPED = yaml.safe_load((K8S / "alert-rules.yaml").read_text())

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH: the shipped alert rules were NOT checked (apt install prometheus)",
)


def minutes(text):
    found = re.fullmatch(r"(\d+)([mh])", text)
    return 0 if not found else int(found[1]) * {"m": 1, "h": 60}[found[2]]


def loaded():
    """The shipped rules as Prometheus would list them."""
    return tuple(
        rule(
            each["alert"], each["expr"], minutes(each.get("for", "")), group=group["name"], labels=each["labels"],
            annotations=each["annotations"], state="firing" if each["alert"] == "Watchdog" else "inactive",
        )
        for group in SHIPPED["groups"] for each in group["rules"]
    )  # fmt: skip


# --- the shipped rules ----------------------------------------------------------------------------


def promtool(*args, cwd):
    run = subprocess.run(
        ["promtool", *args], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    return run.returncode, run.stdout + run.stderr


@needs_promtool
def test_the_shipped_rules_are_valid_and_do_what_the_manual_says():
    assert promtool("check", "rules", "alert-rules.yaml", cwd=K8S)[0] == 0
    code, said = promtool("test", "rules", "alert-rules.test.yaml", cwd=K8S)
    assert code == 0, said


# What the manual had at first, and what is wrong with it (C59 to C62).
FIRST_FORMS = {
    "HighErrorRate": 'rate(http_requests_total{status=~"5.."}[5m]) / rate(http_requests_total[5m]) > 0.01',
    "HighLatency": "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m])) > 0.2",
    "HighCPUUsage": "avg(rate(container_cpu_usage_seconds_total[5m])) by (pod) > 0.8",
    "HighMemoryUsage": "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.9",
}


@needs_promtool
@pytest.mark.parametrize("name", FIRST_FORMS)
def test_the_tests_of_the_shipped_rules_would_find_the_first_forms(name, tmp_path):
    for group in (found := yaml.safe_load((K8S / "alert-rules.yaml").read_text()))["groups"]:
        for each in group["rules"]:
            each["expr"] = FIRST_FORMS.get(name) if each["alert"] == name else each["expr"]
    (tmp_path / "alert-rules.yaml").write_text(yaml.safe_dump(found))
    (tmp_path / "alert-rules.test.yaml").write_text((K8S / "alert-rules.test.yaml").read_text())
    code, said = promtool("test", "rules", "alert-rules.test.yaml", cwd=tmp_path)
    assert code != 0
    assert name in said


def test_every_alert_of_the_shipped_file_has_a_unit_test():
    tested = (K8S / "alert-rules.test.yaml").read_text()
    assert [each.name for each in loaded() if each.name not in tested] == []


def test_the_shipped_rules_are_what_the_configuration_wants():
    found = one("alert rules", {Rules: loaded()})
    assert set(lights(found).values()) == {Light.GREEN}, found.findings


# --- alert rules ----------------------------------------------------------------------------------


def with_rule(name, **changes):
    return tuple(replace(each, **changes) if each.name == name else each for each in loaded())


def judged(rules, label):
    return line(one("alert rules", {Rules: rules}), label)


@pytest.mark.parametrize("name", FIRST_FORMS)
def test_a_rule_that_is_not_loaded_is_red(name):
    found = judged(tuple(each for each in loaded() if each.name != name), name)
    assert (found.light, found.value) == (Light.RED, "not loaded: nobody is alarmed")
    assert "k8s/alert-rules.yaml" in found.mend


@pytest.mark.parametrize(("name", "number"), [*zip(FIRST_FORMS, ("C59", "C60", "C61", "C62"), strict=True)])
def test_the_manuals_first_form_is_red_and_its_fault_named(name, number):
    found = judged(with_rule(name, expr=FIRST_FORMS[name]), name)
    assert found.light is Light.RED
    assert number in found.value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expr": "sum(a) / sum(b) > 0.05"}, "fires at > 0.05 instead of > 0.01"),
        ({"expr": "sum(a) / sum(b) > scalar(c)"}, "its threshold cannot be read off"),
        ({"wait": timedelta(minutes=1)}, "waits 1 min instead of 5 min"),
    ],
)
def test_a_differing_threshold_or_wait_is_yellow(changes, said):
    found = judged(with_rule("HighErrorRate", **changes), "HighErrorRate")
    assert found.light is Light.YELLOW
    assert said in found.value


def test_the_threshold_is_the_configurations():
    own = {**SITE.alerts.rules, "HighErrorRate": replace(SITE.alerts.rules["HighErrorRate"], over=0.05)}
    site = replace(SITE, alerts=replace(SITE.alerts, rules=own))
    found = line(one("alert rules", {Rules: loaded()}, site), "HighErrorRate")
    assert found.value == "fires at > 0.01 instead of > 0.05"


def test_a_rule_that_fails_is_red_with_its_error():
    found = judged(with_rule("HighLatency", health="err", last_error="many-to-many matching"), "Evaluated")
    assert found.light is Light.RED
    assert found.evidence == ("HighLatency (group slo_violations): many-to-many matching",)


def test_a_rule_that_was_not_evaluated_yet_is_not_called_well():
    assert judged(with_rule("HighLatency", health="unknown"), "Evaluated").light is Light.UNKNOWN


def test_rules_without_a_runbook_are_listed_but_not_the_watchdog():
    found = judged(with_rule("HighLatency", annotations={}), "Runbooks")
    assert (found.light, found.evidence) == (Light.YELLOW, ("HighLatency",))


def test_a_watchdog_that_is_missing_or_silent():
    without = tuple(each for each in loaded() if each.name != "Watchdog")
    assert judged(without, "Watchdog").light is Light.YELLOW
    assert judged(with_rule("Watchdog", state="inactive"), "Watchdog").light is Light.RED


def test_prometheus_without_any_rule_is_red_and_one_that_is_silent_unknown():
    assert judged((), "Evaluated").light is Light.RED
    assert lights(one("alert rules", {})) == {"Rules": Light.UNKNOWN}


def test_a_rule_that_is_loaded_twice_tells_everything_twice():
    assert "loaded 2 times" in judged((*loaded(), loaded()[0]), "HighErrorRate").value
    other = replace(loaded()[0], labels={"severity": "warning"})
    assert judged((*loaded(), other), "HighErrorRate").light is Light.GREEN


# --- alert routes ---------------------------------------------------------------------------------


def node(receiver, *matchers, goes_on=False, below=()):
    return RouteNode(receiver, matchers, (), goes_on, tuple(below))


def tree(*below, root="bot", webhooks=("bot",)):
    names = {root, *(each.receiver for each in below), *webhooks}
    return AlertmanagerRoutes(node(root, below=below), (), tuple(sorted(names)), tuple(webhooks))


def routed(config=None, rules=None, site=SITE, text="alert routes"):
    given = {
        AlertmanagerConfig: tree() if config is None else config,
        Rules: loaded() if rules is None else rules,
        NamespaceNotes: {},
    }
    return one(text, given, site)


def undecided(**changes):
    return replace(SITE, alerts=replace(SITE.alerts, route=Route(**{"names": {}, **changes})))


def test_high_latency_is_a_page_by_its_group_and_a_warning_by_its_label():
    found = line(routed(site=undecided()), "Group against severity")
    assert found.light is Light.YELLOW
    assert found.evidence == (
        "HighLatency: group slo_violations says page, severity warning says slack; as it stands it goes to page",
    )
    assert found.mend


def test_a_mismatch_that_the_configuration_settles_is_still_told():
    found = line(routed(), "Group against severity")
    assert found.light is Light.GREEN
    assert found.evidence[0].endswith("settled by alerts.route.names: mention")


def test_a_group_and_severity_that_agree_are_no_mismatch():
    agreeing = with_rule("HighLatency", labels={"severity": "critical"})
    assert (
        line(routed(rules=agreeing), "Group against severity").value
        == "no rule's group and severity disagree"
    )


@pytest.mark.parametrize(
    ("config", "light"),
    [
        (tree(), Light.GREEN),
        (tree(webhooks=()), Light.RED),
        (tree(node("mail", 'team="db"')), Light.YELLOW),
        (tree(node("bot", goes_on=True), node("mail", 'team="db"')), Light.GREEN),
        (tree(node("bot", 'team="db"', goes_on=True), node("mail", 'team="db"')), Light.GREEN),
        (tree(node("bot", 'team="pay"', goes_on=True), node("mail", 'team="db"')), Light.YELLOW),
        (tree(node("bot"), node("mail", 'team="db"')), Light.GREEN),  # never reached
        (tree(node("bot"), root="mail"), Light.GREEN),  # nothing ends at the root
        (tree(node("bot", 'a="1"'), root="mail"), Light.YELLOW),
        (DARK, Light.UNKNOWN),
    ],
)
def test_ways_through_alertmanagers_tree_that_never_reach_the_bot(config, light):
    assert line(routed(config), "Alertmanager's tree").light is light


def test_our_table_is_shown_in_the_order_in_which_it_is_asked():
    own = AlertRoute(('team="db"',), channel="#db", mention="db-owner")
    site = replace(SITE, alerts=replace(SITE.alerts, routes=(own,)))
    table = routed(site=site).table
    assert table[1].split() == ["routes", "1", 'team="db"', "#db", "db-owner"]
    assert table[-1].startswith("otherwise")


def test_where_an_alert_of_these_labels_would_go_and_why():
    given = {
        AlertmanagerConfig: tree(node("mail", 'team="db"')),
        NamespaceNotes: {"shop": {OWNER: "shop-team", CHANNEL: "#shop"}},
    }
    found = one('alert routes alertname="HighLatency" severity="warning" namespace="shop"', given)
    ours = line(found, "Our routes")
    assert ours.value == "channel #shop, calls oncall"
    assert "`HighLatency` → mention" in ours.evidence[0]
    assert "annotations of namespace shop" in ours.evidence[0]
    assert line(found, "Alertmanager").value == "to bot, which leads to a webhook"
    lost = one('alert routes team="db"', given)
    assert line(lost, "Alertmanager").light is Light.RED
    assert line(lost, "Alertmanager").evidence == ('mail: team="db"',)


def test_alertmanagers_tree_is_walked_as_alertmanager_does():
    deep = node("pay", 'team="pay"', below=[node("pay-critical", 'severity="critical"')])
    whole = tree(node("log", goes_on=True), deep, node("late", 'team="pay"'))

    def ends(**labels):
        return [end.receiver for end in routes.arrivals(whole, labels)]

    assert ends(team="pay", severity="critical") == ["log", "pay-critical"]
    assert ends(team="pay") == ["log", "pay"]
    assert ends(team="db") == ["log"]
    assert [end.receiver for end in routes.arrivals(tree(deep), {})] == ["bot"]


def test_a_matcher_that_cannot_be_read_here_is_unknown_and_not_a_way():
    odd = tree(node("odd", 'pod=~"(?P<x>a)(?P=x)"'), root="mail", webhooks=("odd",))
    assert line(routed(odd, text='alert routes pod="aa"'), "Alertmanager").light is Light.UNKNOWN


def test_without_the_annotations_of_namespaces_that_is_said():
    found = one('alert routes namespace="shop"', {AlertmanagerConfig: tree()})
    assert line(found, "Annotations of the namespace").light is Light.UNKNOWN


def test_labels_of_one_alert_have_one_value_each():
    parsed = CATALOG.parse('alert routes pod=~"web-.*"')
    with pytest.raises(UsageError, match="names no one value"):
        parsed.command.parts(parsed.args, SITE)


# --- alert gaps -----------------------------------------------------------------------------------


def gaps_of(rules=None, series=3.0, site=SITE):
    vector = Vector((Sample({}, series),)) if series else Vector(())
    return one("alert gaps", {Rules: loaded() if rules is None else rules, Query: vector}, site)


def test_what_is_exported_and_watched_by_no_rule_is_a_gap_with_its_rule_ready():
    found = gaps_of()
    pool = line(found, "Database connections")
    assert pool.light is Light.YELLOW
    assert "no rule looks at db_connections_active" in pool.value
    assert "alert: DatabasePoolNearlyFull" in found.attachments[0].content
    assert line(found, "Container memory").value == "watched by HighMemoryUsage"


INCIDENTS = "Incidents of the last 7 d"


def told_of(*incidents, fired=()):
    given = {Rules: loaded(), Query: Vector(()), Incidents: incidents, Occurrences: page(*fired)}
    return line(one("alert gaps", given), INCIDENTS)


def declared(id="INC-1", *events, ago=HOUR, service="backend", **facts):
    """By hand, ten minutes after users began to feel it."""
    declared = NOW - ago
    begun = milestone("started", declared - 10 * MINUTE)
    seen = milestone("acknowledged", declared)
    return incident(id, declared, 2, service, begun, seen, *events, **facts)


def test_an_incident_that_was_declared_by_hand_is_a_gap_and_one_with_an_alert_is_none():
    found = told_of(declared())
    assert (found.light, found.value) == (Light.YELLOW, "1 of 1 incident came without an alert in time")
    assert found.evidence == ("INC-1 Sev2 backend: no alert",)
    linked = declared("INC-2", alert(NOW - HOUR - 5 * MINUTE))
    assert told_of(linked).light is Light.GREEN
    assert told_of(linked, declared(service="cart")).value.startswith("1 of 2 incidents")


@pytest.mark.parametrize(
    ("ago", "labels", "light"),
    [
        (75 * MINUTE, {"service": "backend-service"}, Light.GREEN),
        (75 * MINUTE, {"service": "cart"}, Light.YELLOW),
        (30 * MINUTE, {"service": "backend-service"}, Light.YELLOW),
    ],
)
def test_an_alert_of_the_same_service_announces_it_unless_it_came_later(ago, labels, light):
    fired = occurrence(ago=ago, namespace="sre-shop", **labels)
    assert told_of(declared(), fired=[fired]).light is light


def test_drills_private_ones_and_what_was_declared_before_the_window_are_not_told():
    found = told_of(declared(drill="yes"), declared(ago=8 * 24 * HOUR), declared(private="yes"))
    assert (found.light, found.value) == (Light.GREEN, "none was declared")


def test_without_the_history_of_alerts_a_gap_is_not_sure():
    given = {Rules: loaded(), Query: Vector(()), Incidents: (declared(),)}
    assert line(one("alert gaps", given), INCIDENTS).light is Light.UNKNOWN


def test_what_is_not_exported_is_unknown_even_where_a_rule_names_it():
    found = gaps_of(series=0)
    assert line(found, "Container memory").light is Light.UNKNOWN
    assert Light.GREEN not in lights(found).values()
    assert found.attachments == ()


def test_a_source_that_is_away_is_unknown():
    assert lights(one("alert gaps", {Query: Vector(())})) == {
        "Rules": Light.UNKNOWN,
        INCIDENTS: Light.UNKNOWN,
    }
    assert set(lights(one("alert gaps", {Rules: loaded()})).values()) == {Light.UNKNOWN}


def test_a_rule_watches_what_was_recorded_for_it_and_not_what_it_only_quotes():
    recorded = rule("job:up:sum", "sum(up)", kind="recording")
    own = rule("Down", "job:up:sum < 1")
    assert gaps.watchers("up", (recorded, own)) == [own]
    assert gaps.watchers("up", (rule("Other", 'x{why="up"} * on (a) group_left () y'),)) == []


@needs_promtool
def test_the_rules_for_what_is_not_watched_are_valid(tmp_path):
    own = Slo(queries={"Q-p95": 'max(\n  x{a="b"}\n)'})
    site = replace(SITE, slo=own)
    found = gaps_of(rules=(), site=site)
    (tmp_path / "rules.yaml").write_text(found.attachments[0].content)
    code, said = promtool("check", "rules", "rules.yaml", cwd=tmp_path)
    assert code == 0, said
    assert f"{len(gaps.topics(site))} rules found" in said


# --- review alerts --------------------------------------------------------------------------------

EVERYTHING = {
    AmAlerts: (),
    OpenGroups: (),
    Occurrences: page(occurrence()),
    Rules: loaded(),
    AlertmanagerConfig: tree(),
    QueryRange: Matrix(()),
    Query: Vector(()),
}


@pytest.mark.parametrize(
    ("line_", "titles"),
    [
        (
            "review alerts --since 24h",
            ["1. What fires", "2. Who is told", "3. What ended", "4. Rules and runbooks"],
        ),
        (
            "review alerts --since 7d",
            ["1. False alarms", "2. Alerts by person on call", "3. What no alert would tell of"],
        ),
        (
            "review alerts --since 30d",
            ["1. Alerts against what users felt", "2. Which alerts come first"],
        ),
    ],
)
def test_the_reviews_have_the_manuals_steps(line_, titles):
    found = typed(line_, EVERYTHING)
    assert [section.title for section in found.values()] == titles
    assert [section.key for section in found.values()] == list(found)


def test_one_dark_source_leaves_the_other_steps_standing():
    found = typed("review alerts", {**EVERYTHING, Occurrences: DARK})
    assert [section.light for section in found.values()].count(Light.UNKNOWN) == 1


def test_the_reviews_are_in_the_calendar_when_the_manual_holds_them():
    own = {due.text: (due.cron, due.channel) for due in CATALOG.schedule if due.text.startswith("review")}
    assert own == {
        "review alerts --since 24h": ("15 9 * * 1-5", "daily"),
        "review alerts --since 7d": ("0 10 * * 1", "daily"),
        "review alerts --since 30d": ("0 10 * * 4#1", "daily"),
        "review weekly": ("0 9 * * 1", "daily"),
        "review monthly": ("0 10 * * 3#1", "daily"),
        "review export --month last": ("10 10 * * 3#1", "daily"),
    }


def test_the_severities_of_the_shipped_rules_are_known_words():
    words = {each.labels["severity"] for each in loaded()}
    known = Alerts().severities
    assert words <= {*known.critical, *known.warning, *known.info}
