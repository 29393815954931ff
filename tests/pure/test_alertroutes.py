"""Where alerts go by their labels, by what their namespace says of itself, and by default."""

from dataclasses import replace

import pytest

from commands.alertroutes import (
    Note,
    Notes,
    Routed,
    cluster_behind,
    cluster_named,
    gravest,
    noted,
    route,
    severity_of,
)
from commands.model import Severity
from commands.site import Alertmanager as Am
from commands.site import AlertRoute, Alerts, ClusterSite, Monitoring, ServiceSite, Site, Urls

SHOP = AlertRoute(('severity="critical"', 'namespace=~"shop-.*"'), channel="#shop", owner="S0SHOP")
QUIET = AlertRoute(('alertname="Noise"',), channel="security", mention="nobody")
LOUD = AlertRoute(('team="data",severity!="info"',), mention="db-owner", owner="service-owner")


def routed(*several: dict[str, str], notes: Notes | None = None) -> Routed:
    site = replace(Site(), alerts=replace(Alerts(), routes=(SHOP, QUIET, LOUD)))
    return route(site, several, notes or {})


def labels(name: str = "PodDown", **others: str) -> dict[str, str]:
    return {"alertname": name, **others}


@pytest.mark.parametrize(
    ("given", "channel", "mention", "why"),
    [
        (labels(severity="critical"), "alerts", "oncall", "severity critical → page"),
        (labels(severity="warning"), "alerts", "", "severity warning → slack"),
        (labels(severity="P1"), "alerts", "oncall", "severity P1 → page"),
        (labels(), "alerts", "", "no severity → slack"),
        ({}, "alerts", "", "no severity → slack"),
        (labels("HighLatency", severity="warning"), "alerts", "oncall", "`HighLatency` → mention"),
        (
            labels("HighCPUUsage", severity="critical"),
            "alerts",
            "",
            "group resource_exhaustion → slack",
        ),
        (
            labels(severity="critical", namespace="shop-eu"),
            "#shop",
            "S0SHOP",
            'rule 1 of `alerts.routes` (severity="critical", namespace=~"shop-.*"); severity critical → page',
        ),
        (
            labels("Noise", severity="critical"),
            "security",
            "",
            'rule 2 of `alerts.routes` (alertname="Noise")',
        ),
        (
            labels(team="data", severity="warning"),
            "alerts",
            "db-owner",
            'rule 3 of `alerts.routes` (team="data",severity!="info")',
        ),
        (labels(team="data", severity="info"), "alerts", "", "severity info → slack"),
    ],
)
def test_the_first_rule_that_matches_says_and_the_defaults_say_the_rest(
    given: dict[str, str], channel: str, mention: str, why: str
) -> None:
    found = routed(given)
    assert (found.channel, found.mention, found.why) == (channel, mention, why)


def test_all_matchers_of_a_rule_must_find_one_and_the_same_alert() -> None:
    apart = routed(
        labels(severity="critical", namespace="pay"), labels(severity="warning", namespace="shop-eu")
    )
    assert apart.channel == "alerts"


def test_one_alert_that_a_rule_finds_takes_its_group_along() -> None:
    group = [labels(severity="warning", namespace="pay")] * 5 + [
        labels(severity="critical", namespace="shop-eu")
    ]
    assert routed(*group).channel == "#shop"


def test_a_group_calls_for_the_gravest_of_its_alerts() -> None:
    found = routed(labels(severity="info"), labels(severity="critical"), labels(severity="warning"))
    assert (found.severity, found.mention) == (Severity.CRITICAL, "oncall")


@pytest.mark.parametrize(
    ("given", "channel", "mention", "owner"),
    [
        (labels(namespace="pay", severity="critical"), "#pay", "S0PAY", "S0PAY"),
        (labels(namespace="pay", severity="warning"), "#pay", "", "S0PAY"),
        (labels(namespace="pay", deployment="api", severity="critical"), "#pay", "U0API", "U0API"),
        (labels(namespace="other", severity="critical"), "alerts", "oncall", "team other"),
        (labels(namespace="shop-eu", severity="critical"), "#shop", "S0SHOP", "S0SHOP"),
        (labels(namespace="pay", team="data", severity="critical"), "#pay", "db-owner", "service-owner"),
    ],
)
def test_what_a_namespace_says_of_itself_beats_the_default_and_no_rule(
    given: dict[str, str], channel: str, mention: str, owner: str
) -> None:
    notes = {
        "pay": Note("S0PAY", "#pay"), "pay/api": Note("U0API"), "other": Note("team other"),
        "shop-eu": Note("S0OTHER", "#other"),
    }  # fmt: skip
    found = routed(given, notes=notes)
    assert (found.channel, found.mention, found.owner) == (channel, mention, owner)


def test_the_line_says_whose_annotations_were_heeded() -> None:
    notes = {"pay": Note("S0PAY"), "pay/api": Note("U0API")}
    given = labels(namespace="pay", severity="critical")
    assert routed(given, notes=notes).why == "severity critical → page; annotations of namespace pay"
    assert routed(given | {"deployment": "api"}, notes=notes).why.endswith("annotations of pay/api")


def test_a_service_of_the_configuration_has_its_owner_named_and_on_call_is_called() -> None:
    service = ServiceSite(name="web", namespace="shop", deployment="web", service="web-svc", owner="platform")
    site = replace(Site(), services={"web": service})
    for given in ({"service": "web-svc"}, {"deployment": "web", "namespace": "shop"}):
        found = route(site, [labels("X", severity="critical", **given)], {})
        assert (found.owner, found.mention) == ("platform", "oncall")
    assert route(site, [labels("X", deployment="web", namespace="other")], {}).owner == ""


# --- severity ---


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL), ("Critical", Severity.CRITICAL), (" page ", Severity.CRITICAL),
        ("P1", Severity.CRITICAL), ("sev0", Severity.CRITICAL), ("high", Severity.CRITICAL),
        ("warning", Severity.WARNING), ("error", Severity.WARNING), ("P2", Severity.WARNING), ("", Severity.WARNING),
        ("whatever", Severity.WARNING), ("none", Severity.INFO), ("info", Severity.INFO), ("low", Severity.INFO),
    ],
)  # fmt: skip
def test_a_severity_means_what_the_field_means_by_it(word: str, severity: Severity) -> None:
    assert severity_of(Alerts(), {"severity": word}) is severity


def test_a_group_of_nothing_is_a_warning() -> None:
    assert gravest(Alerts(), []) is Severity.WARNING


# --- what namespaces say ---


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("", {}),
        ("{", {}),
        ("[1]", {}),
        ('{"a": 1, "b": {}}', {"b": Note()}),
        ('{"a": {"owner": " U0A ", "channel": "team-a"}}', {"a": Note("U0A", "#team-a")}),
        ('{"a": {"channel": "#team-a"}, "b": {"channel": "C0123456789"}}',
         {"a": Note("", "#team-a"), "b": Note("", "C0123456789")}),
        ('{"a": {"owner": null, "channel": "@everyone <!here>"}}', {"a": Note()}),
    ],
)  # fmt: skip
def test_what_can_be_no_note_is_left_out(text: str, notes: Notes) -> None:
    assert noted(text) == notes


# --- clusters ---

CLUSTERS = {
    "eu": ClusterSite(name="eu", eks="prod-eu1", context="arn:aws:eks:eu-central-1:1:cluster/blue"),
    "us": ClusterSite(
        name="us", eks=False, urls=Urls(alertmanager="https://am.us.example.com/x"),
        monitoring=Monitoring(alertmanager=Am(url="http://am.us.svc:9093")),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("eu", "eu"), ("EU", "eu"), ("prod-eu1", "eu"), ("blue", "eu"), ("us", "us"),
        ("arn:aws:eks:eu-central-1:1:cluster/blue", "eu"), ("asia", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_cluster_is_meant_by_any_of_its_names(said: str, name: str) -> None:
    assert cluster_named(CLUSTERS, said) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://am.us.example.com", "us"), ("http://am.us.svc:9093/#/alerts", "us"),
        ("http://alertmanager.monitoring.svc:9093", "eu"), ("http://pod-7:9093", ""), ("", ""), ("us", ""),
    ],
)  # fmt: skip
def test_without_a_label_the_address_of_alertmanager_tells_the_cluster(url: str, name: str) -> None:
    assert cluster_behind(CLUSTERS, url) == name


def test_an_address_that_several_clusters_share_tells_nothing() -> None:
    same = {name: ClusterSite(name=name) for name in ("a", "b")}
    assert cluster_behind(same, "http://alertmanager.monitoring.svc:9093") == ""


def test_the_only_cluster_is_meant_where_none_is_named() -> None:
    assert cluster_behind({"eu": CLUSTERS["eu"]}, "http://pod-7:9093") == "eu"
