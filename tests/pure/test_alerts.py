"""What a notification of Alertmanager makes of the group known so far."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import alertbody, alerts
from commands.model import AlertGroup, Care, Cause, Confidence, Severity, Silenced
from commands.site import Alerts

NOW = datetime(2026, 11, 23, 4, 10, tzinfo=UTC)


def said(data: dict[str, Any]) -> alertbody.Notification:
    return alertbody.parse(json.dumps(data).encode())


def told(old: AlertGroup | None, data: dict[str, Any], at: datetime, **to: Any) -> AlertGroup | None:
    return alerts.merge(old, said(data), alerts.Address("#sre-alerts", **to), at)


def after(*bodies: dict[str, Any], at: datetime = NOW) -> AlertGroup:
    group: AlertGroup | None = None
    for n, each in enumerate(bodies):
        group = told(group, each, at + timedelta(seconds=n)) or group
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


# --- merging ---


def test_a_twin_and_a_late_copy_change_nothing() -> None:
    group = after(firing())
    for repeat in (firing(), firing(), firing(starts="2026-11-23T04:00:00Z")):
        assert told(group, repeat, NOW + timedelta(seconds=59)) is None


def test_a_repeat_is_counted_with_its_hour_and_its_newest_words() -> None:
    group = after(firing())
    annotated = firing(alert={"annotations": {"summary": "down for 4 h"}})
    repeated = told(group, annotated, NOW + timedelta(hours=4))
    assert repeated is not None
    assert (repeated.repeats, repeated.heard, repeated.updated) == (1, NOW + timedelta(hours=4), NOW)
    assert repeated.alerts[0].annotations == {"summary": "down for 4 h"}
    assert told(repeated, annotated, NOW + timedelta(hours=4, seconds=30)) is None, "its twin"
    again = told(repeated, annotated, NOW + timedelta(hours=8))
    assert again is not None and (again.repeats, again.lines) == (2, ())


def test_news_begin_the_count_of_repeats_anew() -> None:
    repeated = told(after(firing()), firing(), NOW + timedelta(hours=4))
    assert repeated is not None and repeated.repeats == 1
    more = told(repeated, both(firing(), firing("b")), NOW + timedelta(hours=5))
    assert more is not None and more.repeats == 0


def test_a_late_repeat_of_what_resolved_is_no_repeat() -> None:
    group = after(firing(), resolved())
    assert told(group, resolved(), NOW + timedelta(hours=1)) is None
    assert told(group, firing(starts="2026-11-23T04:00:00Z"), NOW + timedelta(seconds=59)) is None


def test_a_twins_firing_copy_right_after_resolved_is_late_and_ignored() -> None:
    group = after(firing(), resolved())
    assert told(group, firing(), NOW + timedelta(seconds=30)) is None


def test_an_alert_that_returns_with_its_old_start_fires_again() -> None:
    """Alertmanager resolves what Prometheus stopped sending, and fires it with the same start when it is back."""
    group = after(firing(), resolved())
    back = told(group, firing(), NOW + timedelta(minutes=5))
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
    later = told(group, firing(starts="2026-11-23T09:00:00Z"), NOW + timedelta(hours=5))
    assert later is not None
    assert (later.episode, later.lines, len(later.firing)) == (2, (), 1)


@pytest.mark.parametrize(("minutes", "episode"), [(29, 1), (31, 2)])
def test_half_an_hour_parts_one_episode_from_the_next(minutes: int, episode: int) -> None:
    group = after(firing(), resolved())
    again = firing(starts="2026-11-23T04:30:00Z")
    later = told(group, again, group.updated + timedelta(minutes=minutes))
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


def test_an_empty_body_opens_nothing() -> None:
    assert told(None, firing(alerts=[]), NOW) is None


# --- episodes, severity, whom it calls ---


def test_each_return_within_the_half_hour_is_counted() -> None:
    group = after(firing(), resolved())
    for n, minute in enumerate((10, 20), 1):
        group = (
            told(group, firing(starts=f"2026-11-23T04:{minute + 10}:00Z"), NOW + timedelta(minutes=minute))
            or group
        )
        assert (group.flaps, group.episode) == (n, 1)
        assert group.lines[-1].text == f"🔥 fires again (flapping {n}): PodDown"
        ends = resolved(starts=f"2026-11-23T04:{minute + 10}:00Z", ends=f"2026-11-23T04:{minute + 12}:00Z")
        group = told(group, ends, NOW + timedelta(minutes=minute + 5)) or group


def test_a_return_is_heard_however_busy_the_rest_of_the_group_is() -> None:
    """What tells a late copy from a return is when this alert ended, not when the group last changed."""
    group = after(both(firing("a"), firing("b")), resolved("a"))
    group = told(group, firing("c"), NOW + timedelta(minutes=9, seconds=50)) or group
    back = told(group, firing("a"), NOW + timedelta(minutes=10))
    assert back is not None and {alert.labels["pod"] for alert in back.firing} == {"a", "b", "c"}


def test_a_new_episode_begins_with_nothing_of_the_old_but_silences_in_force() -> None:
    running = Silenced("s1", "U0ALICE", NOW + timedelta(hours=9))
    over, ended = Silenced("s2", "U0ALICE", NOW), replace(running, id="s3", ended=True)
    care = Care(acked=NOW, acked_by="U0BOB", owner="U0BOB", silences=(running, over, ended))
    old = replace(
        after(firing(), resolved()),
        care=care,
        cause=Cause("x", Confidence.LIKELY),
        triage="R1",
        storm="S1",
        flaps=3,
    )
    new = told(
        old, firing(starts="2026-11-23T09:00:00Z"), NOW + timedelta(hours=5), before="C1 17.1", mention="U1"
    )
    assert new is not None
    assert new.care == Care(silences=(running,))
    assert (new.cause, new.triage, new.storm, new.flaps, new.repeats) == (None, "", "", 0, 0)
    assert (new.before, new.mention, new.heard) == ("C1 17.1", "U1", NOW + timedelta(hours=5))


def graded(pod: str, severity: str) -> dict[str, Any]:
    return firing(pod, alert={"labels": {"alertname": "PodDown", "pod": pod, "severity": severity}})


def test_the_group_is_as_grave_as_the_gravest_that_fires() -> None:
    group = after(graded("a", "info"))
    assert group.severity is Severity.INFO
    group = after(both(graded("a", "info"), graded("b", "page")))
    assert group.severity is Severity.CRITICAL
    ended = both(graded("a", "info"), graded("b", "page"))
    ended["alerts"][1] |= {"status": "resolved", "endsAt": "2026-11-23T04:30:00Z"}
    group = told(group, ended, NOW + timedelta(minutes=5)) or group
    assert group.severity is Severity.INFO


def test_what_becomes_critical_calls_by_a_line_since_an_edit_calls_nobody() -> None:
    group = after(graded("a", "warning"))
    group = told(group, graded("b", "critical"), NOW + timedelta(minutes=5), mention="U0ONCALL") or group
    assert (group.mention, group.lines[-1].mention) == ("U0ONCALL", "U0ONCALL")
    group = told(group, graded("c", "critical"), NOW + timedelta(minutes=6), mention="U0ONCALL") or group
    assert group.lines[-1].mention == "", "once is enough"


@pytest.mark.parametrize(("acked", "called"), [(None, "U0ONCALL"), (NOW, "")])
def test_a_return_calls_again_unless_somebody_took_notice(acked: datetime | None, called: str) -> None:
    old = after(firing(), resolved())
    old = replace(old, mention="U0ONCALL", care=Care(acked=acked))
    back = told(old, firing(starts="2026-11-23T04:20:00Z"), NOW + timedelta(minutes=10))
    assert back is not None and back.lines[-1].mention == called


def test_the_channel_stays_while_the_episode_lasts() -> None:
    group = after(firing())
    more = alerts.merge(group, said(firing("b")), alerts.Address("#elsewhere"), NOW + timedelta(minutes=5))
    assert more is not None and more.channel == "#sre-alerts"


def test_the_thread_goes_on_for_as_long_as_is_configured() -> None:
    group = after(firing(), resolved())
    again, rules = said(firing(starts="2026-11-23T04:30:00Z")), Alerts(flap_within=timedelta(minutes=5))
    later = alerts.merge(group, again, alerts.Address("#c"), NOW + timedelta(minutes=6), rules)
    assert later is not None and later.episode == 2


def test_what_alertmanager_cut_is_counted_anew_with_each_body() -> None:
    group = after(firing(truncatedAlerts=37), firing("b", truncatedAlerts=2))
    assert group.truncated == 2
