"""What an Alertmanager body says: every dialect, whatever is missing, and no more of it than fits."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import alertbody
from bot.alertbody import LEFT_OUT, Notification, by_cluster, fingerprint
from commands.errors import UsageError

PAYLOADS = sorted((Path(__file__).parents[1] / "payloads").glob("am-*.json"))

ALERT: dict[str, Any] = {
    "status": "firing", "labels": {"alertname": "PodDown", "pod": "a"}, "annotations": {},
    "startsAt": "2026-11-23T04:06:55.634Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
}  # fmt: skip


def alert(**changes: Any) -> dict[str, Any]:
    return ALERT | changes


def heard(*alerts: dict[str, Any], **changes: Any) -> Notification:
    whole = {"version": "4", "receiver": "sre", "status": "firing", "groupKey": "{}:{}", "truncatedAlerts": 0,
             "groupLabels": {"alertname": "PodDown"}, "alerts": list(alerts or (ALERT,))}  # fmt: skip
    return alertbody.parse(json.dumps(whole | changes).encode())


def labelled(**labels: Any) -> dict[str, Any]:
    return alert(labels={"alertname": "PodDown", **labels})


# --- what is no body, and every dialect of what is one ---


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"alerts": [{"labels": {"a": "\xff"}}]}', "not JSON"),
        (b"[]", "no list `alerts`"),
        (b'{"alerts": {}}', "no list `alerts`"),
        (b'{"alerts": [1]}', "not an object"),
        (b'{"version": "3", "alerts": []}', "version '3' is not known"),
    ],
)
def test_what_is_no_webhook_body_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        alertbody.parse(text)


@pytest.mark.parametrize(
    ("name", "counts", "truncated"),
    [
        ("am-firing", (2, 0), 0),
        ("am-resolved", (0, 2), 0),
        ("am-node-firing", (2, 0), 0),
        ("am-node-partial-resolved", (1, 1), 0),
        ("am-node-resolved", (0, 1), 0),
        ("am-truncated-max_alerts2", (2, 0), 3),
    ],
)
def test_every_captured_body_is_read(name: str, counts: tuple[int, int], truncated: int) -> None:
    found = alertbody.parse(next(path for path in PAYLOADS if path.stem == name).read_bytes())
    assert (len(found.firing), len(found.alerts) - len(found.firing)) == counts
    assert found.truncated == truncated


@pytest.mark.parametrize(
    "changes",
    [
        {"notification_reason": "first notification", "routeLabels": {"a": "b"}},
        {"version": "1", "orgId": 1, "title": "[FIRING:1]", "state": "alerting", "message": "x"},
        {"groupLabels": None, "commonLabels": None, "externalURL": None, "truncatedAlerts": None},
        {"groupLabels": [], "receiver": None, "truncatedAlerts": "3", "version": 4},
    ],
)
def test_every_dialect_becomes_a_group(changes: dict[str, Any]) -> None:
    assert [each.name for each in heard(**changes).firing] == ["PodDown"]


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {}},
        {"labels": None},
        {"labels": {"pod": "a"}},
        {"annotations": None},
        {"endsAt": "1970-01-01T00:00:00Z"},
        {"endsAt": None},
        {"startsAt": "yesterday"},
        {"startsAt": "9999-12-31T23:59:59-14:00"},
        {"startsAt": "0000-00-00T00:00:00Z"},
        {"startsAt": 17},
        {"fingerprint": None},
        {"generatorURL": None},
        {"status": "alerting"},
    ],
)
def test_what_is_missing_or_odd_does_not_lose_the_alert(changes: dict[str, Any]) -> None:
    (found,) = heard(alert(**changes)).firing
    assert found.ends_at is None and len(found.fingerprint) == 16


def test_a_body_without_alerts_says_nothing() -> None:
    nothing = alertbody.parse(b'{"alerts": []}')
    assert (nothing.alerts, by_cluster(nothing, "cluster")) == ((), ())


def test_labels_that_are_no_texts_become_texts() -> None:
    (found,) = heard(labelled(port=8080, ready=True, gone=None, many=[1], deep={"a": 1.5})).alerts
    assert found.labels == {
        "alertname": "PodDown", "port": "8080", "ready": "true", "gone": "", "many": "[1]", "deep": '{"a":1.5}',
    }  # fmt: skip


def test_what_grafana_says_beside_the_annotations_is_kept() -> None:
    grafana = alert(
        values={"A": 7}, valueString="[ var='A' value=7 ]", dashboardURL="https://g/d/1", panelURL="https://g/d/1?p=2",
        silenceURL="https://g/silence", annotations={"dashboard_url": "https://own"},
    )  # fmt: skip
    assert heard(grafana, version="1").alerts[0].annotations == {
        "dashboard_url": "https://own", "value": "[ var='A' value=7 ]", "panel_url": "https://g/d/1?p=2",
        "silence_url": "https://g/silence",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-23T04:06:55.634894123Z", datetime(2026, 11, 23, 4, 6, 55, 634894, UTC)),
        ("2026-11-23T04:06:55.6349Z", datetime(2026, 11, 23, 4, 6, 55, 634900, UTC)),
        ("2026-11-23T06:06:55+02:00", datetime(2026, 11, 23, 4, 6, 55, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_go_writes_them(written: str, expected: datetime) -> None:
    assert heard(alert(startsAt=written)).alerts[0].starts_at == expected


@pytest.mark.parametrize(
    ("sent", "name"), [(r"sre\.bot", "sre.bot"), (r"a\\b\+c", r"a\b+c"), ("team-a/slack", "team-a/slack")]
)
def test_a_receiver_is_shown_as_its_configuration_has_it(sent: str, name: str) -> None:
    assert heard(receiver=sent).receiver == name


# --- fingerprints ---


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: str(path.stem))
def test_a_missing_fingerprint_is_reckoned_as_alertmanager_does(path: Path) -> None:
    body = json.loads(path.read_text())
    given = [each.pop("fingerprint") for each in body["alerts"]]
    found = alertbody.parse(json.dumps(body).encode())
    assert [each.fingerprint for each in found.alerts] == given and given


def test_labels_that_no_alertmanager_sent_cost_no_long_reckoning() -> None:
    assert len(fingerprint({"a": "x" * 10_000_000})) == 16


@pytest.mark.parametrize("given", ["", "no word\n", "x" * 65, "ü", "a b"])
def test_a_fingerprint_that_could_be_no_key_is_replaced(given: str) -> None:
    assert heard(alert(fingerprint=given)).alerts[0].fingerprint == fingerprint(ALERT["labels"])


def test_an_alert_that_comes_twice_counts_once_as_it_is_latest() -> None:
    older, ended = (
        alert(startsAt="2026-11-23T04:00:00Z"),
        alert(status="resolved", endsAt="2026-11-23T05:00:00Z"),
    )
    for order in ((older, ALERT, ended), (ended, ALERT, older)):
        (found,) = heard(*order).alerts
        assert (found.status, found.starts_at.minute) == ("firing", 6)


def test_different_alerts_under_one_fingerprint_are_both_kept() -> None:
    one, other = (labelled(pod=pod) | {"fingerprint": "same"} for pod in "ab")
    assert len({each.fingerprint for each in heard(one, other).alerts}) == 2


# --- identity ---


def test_the_group_keeps_its_identity_when_the_route_tree_is_edited() -> None:
    before, edited = (heard(groupKey=key) for key in ('{}:{alertname="X"}', '{}/{team="a"}:{alertname="X"}'))
    assert before.id == edited.id


def test_twins_of_an_alertmanager_cluster_have_one_identity() -> None:
    assert heard(externalURL="http://am-0").id == heard(externalURL="http://am-1").id


def test_other_group_labels_are_another_group() -> None:
    assert heard(groupLabels={"alertname": "NodeDown"}).id != heard().id


def test_groups_by_nothing_are_told_apart_by_their_receiver() -> None:
    one, two = (heard(groupLabels={}, receiver=name) for name in ("pager", "chat"))
    assert one.id != two.id


def test_group_labels_that_are_cut_still_tell_groups_apart() -> None:
    one, two = (heard(groupLabels={"path": "x" * 5_000 + end}) for end in "ab")
    assert one.id != two.id and len(one.group_labels["path"]) <= 1_000


def test_two_clusters_with_the_same_group_labels_are_two_groups() -> None:
    (eu,), (us,) = (by_cluster(heard(labelled(cluster=name)), "cluster") for name in ("eu", "us"))
    assert (eu.cluster, us.cluster) == ("eu", "us") and eu.id != us.id


def test_a_body_about_several_clusters_is_one_group_for_each() -> None:
    """Else the group of the first cluster would be another one as soon as the second fires too."""
    (alone,) = by_cluster(heard(labelled(cluster="eu")), "cluster")
    parted = by_cluster(heard(labelled(cluster="eu"), labelled(cluster="us"), labelled()), "cluster")
    assert [(each.cluster, len(each.alerts)) for each in parted] == [("eu", 1), ("us", 1), ("", 1)]
    assert parted[0].id == alone.id and len({each.id for each in parted}) == 3


def test_the_watchdog_is_heard_and_not_shown() -> None:
    watchdog = alert(labels={"alertname": "Watchdog"})
    mixed = heard(ALERT, watchdog)
    assert mixed.watchdog_fires and [each.name for each in mixed.without_watchdog().alerts] == ["PodDown"]
    assert not heard(watchdog | {"status": "resolved"}).watchdog_fires


# --- bounds ---


def test_three_hundred_alerts_of_60_kb_make_a_small_record() -> None:
    many = [labelled(pod=f"p{n}") | {"annotations": {"description": "x" * 60_000}} for n in range(300)]
    found = heard(*many)
    kept = sum(len(text) for each in found.alerts for text in each.annotations.values())
    assert len(found.alerts) == 300 and kept <= 300 * 2_000
    assert found.alerts[0].annotations["description"].endswith("… (58,040 more characters)")


def test_an_alert_of_124_labels_keeps_them_all() -> None:
    (found,) = heard(labelled(**{f"label_{n:03}": f"value of {n:03}" for n in range(123)})).alerts
    assert len(found.labels) == 124 and LEFT_OUT not in found.annotations


def test_of_too_many_labels_the_longest_go_and_are_counted() -> None:
    (found,) = heard(labelled(**{f"l{n}": "x" * (n * 10) for n in range(100)})).alerts
    assert found.labels["alertname"] == "PodDown" and sum(map(len, found.labels.values())) <= 6_000
    assert found.annotations[LEFT_OUT] == f"{101 - len(found.labels)} of 101 labels, 0 of 0 annotations"


def test_labels_that_are_cut_are_told_apart_by_what_they_were() -> None:
    one, other = (labelled(path="x" * 2_000 + end) for end in "ab")
    assert len({each.fingerprint for each in heard(one, other).alerts}) == 2


def test_an_address_too_long_to_be_kept_whole_is_left_out() -> None:
    assert heard(alert(generatorURL="http://p/graph?g0.expr=" + "x" * 5_000)).alerts[0].generator_url == ""
