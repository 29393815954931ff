"""The configuration as values: which cluster, service, person and destination is meant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from commands.errors import UsageError
from commands.site import (
    Alerts,
    ClusterSite,
    Namespaces,
    OnCall,
    Roles,
    ServiceAddress,
    Site,
    Team,
    service_address,
)

EU = ClusterSite(name="eu", channels=("#eu-ops", "C0EUEUEU1"))
US = ClusterSite(name="us-East", channels=("#us-ops",))
TWINS = Site(team=Team(people={"alice": ("U0ALICE", "W0ALICE"), "bob": ("U0BOB",)}))
TWO = Site(clusters={"eu": EU, "us-East": US})


@pytest.mark.parametrize(
    ("channel", "wanted", "name"),
    [
        ("", "", "eu"),
        ("#eu-ops", "", "eu"),
        ("us-ops", "", "us-East"),
        ("C0EUEUEU1", "", "eu"),
        ("#elsewhere", "", "eu"),
        ("#eu-ops", "us-east", "us-East"),
    ],
)
def test_the_wanted_cluster_wins_then_the_channel_then_the_default(
    channel: str, wanted: str, name: str
) -> None:
    assert TWO.cluster_for(channel, wanted).name == name


def test_the_default_cluster_may_be_named() -> None:
    site = Site(clusters={"eu": EU, "us-East": US}, default_cluster="us-East")
    assert site.cluster_for("#elsewhere") is US


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("us-est", "There is no cluster `us-est`. Did you mean `us-East`? Known: `eu`, `us-East`."),
        ("moon", "There is no cluster `moon`. Known: `eu`, `us-East`."),
    ],
)
def test_an_unknown_cluster_names_the_known_ones(wanted: str, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        TWO.cluster_for("", wanted)
    assert str(raised.value) == text


def test_the_first_service_is_the_default_and_names_are_case_free() -> None:
    cluster = ClusterSite()
    assert cluster.service().name == "backend"
    assert cluster.service("Traffic-Generator").replicas == 1
    with pytest.raises(UsageError, match=r"no service `backnd`\. Did you mean `backend`"):
        cluster.service("backnd")


@pytest.mark.parametrize(("eks", "name"), [(True, "eu"), (False, ""), ("prod-eu", "prod-eu")])
def test_eks_is_asked_by_the_clusters_name_another_name_or_not_at_all(eks: bool | str, name: str) -> None:
    assert ClusterSite(name="eu", eks=eks).eks_name == name


BERLIN = ZoneInfo("Europe/Berlin")
WEEKLY = Site(roles=Roles(oncall=OnCall(("U0AAA", "U0BBB"), datetime(2026, 1, 5, 9), timedelta(days=7))))


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (datetime(2026, 1, 5, 8, 59, tzinfo=BERLIN), ""),
        (datetime(2026, 1, 5, 8, 0, tzinfo=UTC), "U0AAA"),
        (datetime(2026, 1, 12, 8, 59, tzinfo=BERLIN), "U0AAA"),
        (datetime(2026, 1, 12, 9, 0, tzinfo=BERLIN), "U0BBB"),
        (datetime(2026, 1, 19, 9, 0, tzinfo=BERLIN), "U0AAA"),
        # The clocks go forward on 29 March: the handover of 30 March stays at nine, which is 07:00 UTC.
        (datetime(2026, 3, 30, 6, 59, tzinfo=UTC), "U0BBB"),
        (datetime(2026, 3, 30, 7, 0, tzinfo=UTC), "U0AAA"),
    ],
)
def test_the_rota_hands_over_at_its_local_hour(at: datetime, who: str) -> None:
    assert WEEKLY.oncall(at) == who


def test_nobody_is_on_call_without_a_rota_and_a_single_id_always_is() -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    assert Site().oncall(at) == ""
    assert Site(roles=Roles(oncall=OnCall(("S0SRE",)))).oncall(at) == "S0SRE"


@pytest.mark.parametrize(
    ("role", "members"),
    [
        ("sre-lead", ("U0LEAD",)),
        ("oncall", ("U0AAA",)),
        ("approvers", ()),
        ("U0ONE", ("U0ONE",)),
        ("nonsense", ()),
    ],
)
def test_a_role_is_looked_up_as_the_file_names_it(role: str, members: tuple[str, ...]) -> None:
    site = Site(roles=Roles(oncall=OnCall(("U0AAA",)), sre_lead=("U0LEAD",)))
    assert site.role_members(role) == members


def test_a_channel_is_looked_up_by_its_key() -> None:
    assert [Site().channel(key) for key in ("daily", "stakeholders", "support")] == [
        "#sre-daily",
        "#general-status",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "severity", "where"),
    [
        ("HighErrorRate", "critical", "page"),
        ("HighLatency", "warning", "mention"),
        ("HighCPUUsage", "critical", "slack"),
        ("Other", "critical", "page"),
        ("Other", "warning", "slack"),
        ("Other", "", "slack"),
    ],
)
def test_an_alert_goes_by_name_then_group_then_severity_and_never_nowhere(
    name: str, severity: str, where: str
) -> None:
    assert Alerts().destination(name, severity) == where


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://grafana.monitoring.svc:3000", ServiceAddress("http", "monitoring", "grafana", 3000)),
        ("https://a.b.svc.cluster.local/x/", ServiceAddress("https", "b", "a", 443, "/x")),
        ("https://grafana.example.com", None),
        ("", None),
    ],
)
def test_a_service_is_found_in_an_address_of_the_cluster(url: str, address: ServiceAddress | None) -> None:
    assert service_address(url) == address


def test_all_namespaces_are_the_empty_one() -> None:
    assert Namespaces().watched == ("",)
    assert Namespaces(watch=("a", "b")).watched == ("a", "b")


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("U0ALICE", "W0ALICE", True),
        ("W0ALICE", "U0ALICE", True),
        ("U0ALICE", "U0BOB", False),
        ("U0ALICE", "U0EVE", False),
        ("U0EVE", "U0EVE", True),
        ("U0EVE", "U0DAVE", False),
        ("U0BOB", "bob", False),  # the name is for people, and no id
    ],
)
def test_several_ids_may_be_one_person(one: str, other: str, are_one: bool) -> None:
    assert (TWINS.person(one) == TWINS.person(other)) is are_one
