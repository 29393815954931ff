"""What an Alertmanager body says, and what it makes of the group known so far."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import alerts
from commands.errors import UsageError
from commands.model import AlertGroup

PAYLOADS = Path(__file__).parents[1] / "payloads"
NOW = datetime(2026, 11, 23, 4, 10, tzinfo=UTC)


def body(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def said(data: dict[str, Any]) -> alerts.Notification:
    return alerts.parse(json.dumps(data).encode())


def after(*bodies: dict[str, Any], at: datetime = NOW) -> AlertGroup:
    group: AlertGroup | None = None
    for n, each in enumerate(bodies):
        group = alerts.merge(group, said(each), "#sre-alerts", at + timedelta(seconds=n)) or group
    assert group is not None
    return group


def firing(pod: str = "a", starts: str = "2026-11-23T04:06:55.634Z", **changes: Any) -> dict[str, Any]:
    labels = {"alertname": "PodDown", "pod": pod}
    one = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": starts,
           "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": f"fp-{pod}"}  # fmt: skip
    whole = {"version": "4", "receiver": "sre", "status": "firing", "alerts": [one | changes.pop("alert", {})],
             "groupLabels": {"alertname": "PodDown"}, "groupKey": "{}:{}", "truncatedAlerts": 0}  # fmt: skip
    return whole | changes


def resolved(
    pod: str = "a", starts: str = "2026-11-23T04:06:55.634Z", ends: str = "2026-11-23T04:19:00Z"
) -> dict[str, Any]:
    return firing(pod, starts, alert={"status": "resolved", "endsAt": ends})


def both(*each: dict[str, Any]) -> dict[str, Any]:
    return each[0] | {"alerts": [alert for one in each for alert in one["alerts"]]}


# --- reading a body ---


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
    group = alerts.merge(None, said(body(name)), "#sre-alerts", NOW)
    assert group is not None
    assert (len(group.firing), len(group.resolved)) == counts
    assert group.truncated == truncated


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[]", "no list `alerts`"),
        (b'{"alerts": {}}', "no list `alerts`"),
        (b'{"alerts": [1]}', "not an object"),
        (b'{"version": "3", "alerts": []}', "version '3' is not known"),
    ],
)
def test_what_is_no_webhook_body_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        alerts.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"notification_reason": "first notification", "routeLabels": {"a": "b"}},
        {"version": "1", "orgId": 1, "title": "[FIRING:1]", "state": "alerting"},  # Grafana's dialect
        {"groupLabels": None, "commonLabels": None, "externalURL": None, "truncatedAlerts": None},
        {
            "alert": {
                "labels": {"x": 1},
                "annotations": None,
                "fingerprint": "",
                "endsAt": "1970-01-01T00:00:00Z",
            }
        },
        {"alert": {"annotations": {"description": "x" * 60_000}}},
        {"alert": {"labels": {f"l{n}": "v" for n in range(124)}}},
        {"alert": {"startsAt": "yesterday"}},
    ],
)
def test_every_dialect_becomes_a_group(change: dict[str, Any]) -> None:
    assert alerts.merge(None, said(firing(**change)), "#c", NOW) is not None


def test_a_missing_fingerprint_is_made_from_the_labels() -> None:
    one, same, other = (said(firing(pod, alert={"fingerprint": ""})).alerts[0] for pod in ("a", "a", "b"))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-23T04:06:55.634894123Z", datetime(2026, 11, 23, 4, 6, 55, 634894, UTC)),
        ("2026-11-23T04:06:55.6349Z", datetime(2026, 11, 23, 4, 6, 55, 634900, UTC)),
        ("2026-11-23T06:06:55+02:00", datetime(2026, 11, 23, 4, 6, 55, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_go_writes_them(written: str, expected: datetime) -> None:
    assert said(firing(starts=written)).alerts[0].starts_at == expected


def test_the_group_keeps_its_identity_when_the_route_tree_is_edited() -> None:
    before = said(firing(groupKey='{}:{alertname="PodDown"}'))
    after_edit = said(firing(groupKey='{}/{team="a"}:{alertname="PodDown"}'))
    assert before.id == after_edit.id


@pytest.mark.parametrize(
    "other",
    [
        firing(groupLabels={"alertname": "NodeDown"}),
        firing(groupLabels={"alertname": "PodDown", "cluster": "eu"}),
    ],
)
def test_other_group_labels_are_another_group(other: dict[str, Any]) -> None:
    assert said(firing()).id != said(other).id


def test_groups_by_nothing_are_told_apart_by_their_receiver() -> None:
    one, two = (said(firing(groupLabels={}, receiver=name)) for name in ("pager", "chat"))
    assert one.id != two.id


def test_the_watchdog_is_heard_and_not_shown() -> None:
    assert said(firing(alert={"labels": {"alertname": "Watchdog"}})).is_watchdog
    assert not said(both(firing(), firing("b", alert={"labels": {"alertname": "Watchdog"}}))).is_watchdog


# --- merging ---


def test_a_repeat_a_twin_and_a_late_copy_change_nothing() -> None:
    group = after(firing())
    for repeat in (firing(), firing(), firing(starts="2026-11-23T04:00:00Z")):
        assert alerts.merge(group, said(repeat), "#c", NOW) is None


def test_a_twins_firing_copy_right_after_resolved_is_late_and_ignored() -> None:
    group = after(firing(), resolved())
    assert alerts.merge(group, said(firing()), "#c", NOW + timedelta(seconds=30)) is None


def test_an_alert_that_returns_with_its_old_start_fires_again() -> None:
    """Alertmanager resolves what Prometheus stopped sending, and fires it with the same start when it is back."""
    group = after(firing(), resolved())
    back = alerts.merge(group, said(firing()), "#c", NOW + timedelta(minutes=5))
    assert back is not None
    assert len(back.firing) == 1
    assert back.lines[-1].text.startswith("🔥 fires again")


def test_a_second_alert_joins_the_card_with_one_line() -> None:
    group = after(firing("a"), both(firing("a"), firing("b")))
    assert len(group.firing) == 2
    assert [line.text for line in group.lines] == ["🔥 also firing: pod=b"]


def test_one_of_two_resolved_leaves_the_group_firing() -> None:
    group = after(both(firing("a"), firing("b")), both(resolved("a"), firing("b")))
    assert (len(group.firing), len(group.resolved)) == (1, 1)
    assert [line.text for line in group.lines] == ["✅ resolved after 12 min: pod=a"]


def test_the_last_resolved_alert_resolves_the_group_and_names_the_duration() -> None:
    group = after(both(firing("a"), firing("b")), resolved("a"), resolved("b"))
    assert not group.firing
    assert [line.text for line in group.lines][-1] == "✅ all 2 resolved after 12 min"


def test_a_group_that_fires_again_soon_keeps_its_thread() -> None:
    group = after(firing(), resolved(), firing(starts="2026-11-23T04:20:00Z"))
    assert group.episode == 1
    assert group.lines[-1].text.startswith("🔥 fires again")


def test_a_group_that_fires_again_later_gets_a_new_card() -> None:
    group = after(firing(), resolved())
    later = alerts.merge(group, said(firing(starts="2026-11-23T09:00:00Z")), "#c", NOW + timedelta(hours=5))
    assert later is not None
    assert (later.episode, later.lines, len(later.firing)) == (2, (), 1)


@pytest.mark.parametrize(("minutes", "episode"), [(29, 1), (31, 2)])
def test_half_an_hour_parts_one_episode_from_the_next(minutes: int, episode: int) -> None:
    group = after(firing(), resolved())
    again = said(firing(starts="2026-11-23T04:30:00Z"))
    later = alerts.merge(group, again, "#c", group.updated + timedelta(minutes=minutes))
    assert later is not None and later.episode == episode


def test_line_keys_never_repeat_however_long_a_thread_grows() -> None:
    bodies = [firing(f"p{n}") for n in range(350)]
    group = after(*bodies)
    keys = [line.key for line in group.lines]
    assert len(keys) == len(set(keys)) == 300
    assert keys[-1] == "349"
    assert group.omitted == 49


def test_a_group_that_never_rests_forgets_what_ended_long_ago() -> None:
    group = after(
        firing("stays"), *(each for n in range(80) for each in (firing(f"p{n}"), resolved(f"p{n}")))
    )
    assert len(group.firing) == 1
    assert len(group.resolved) == 50


@pytest.mark.parametrize("end_of_time", ["9999-12-31T23:59:59-14:00", "0000-00-00T00:00:00Z"])
def test_a_date_that_is_none_does_not_lose_the_alert(end_of_time: str) -> None:
    assert said(firing(starts=end_of_time)).alerts[0].status == "firing"


def test_an_empty_body_opens_nothing() -> None:
    assert alerts.merge(None, said(firing(alerts=[])), "#c", NOW) is None
