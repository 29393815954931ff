"""What is due at which moment: reminders, ends of silences and snoozes, the dead-man's switch, what nobody has."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot import duties
from commands.model import AlertGroup, Care, Severity, Silenced
from commands.site import OnCall, Site
from tests import build
from tests.build import ALICE, BOB, NOW

MINUTE = timedelta(minutes=1)
ROTA = (ALICE.user, BOB.user)
SITE = replace(Site(), roles=replace(Site().roles, oncall=OnCall(rota=ROTA)))


def critical(**changes: object) -> AlertGroup:
    return build.group(**{"severity": Severity.CRITICAL, **changes})


def lines(due: duties.Due | None) -> list[tuple[str, str]]:
    assert due is not None
    return [(line.mention, line.text) for line in due.group.lines]


def test_a_critical_alert_nobody_acknowledged_calls_the_next_of_the_rota_once() -> None:
    group = critical()
    assert duties.due(group, NOW, NOW + 4.9 * MINUTE, SITE) is None
    due = duties.due(group, NOW, NOW + 5 * MINUTE, SITE)
    assert lines(due) == [(BOB.user, "⏰ nobody has acknowledged this for 5 min")]
    assert due and duties.due(due.group, NOW, NOW + 60 * MINUTE, SITE) is None


def test_where_nobody_is_next_the_reminder_says_so_once() -> None:
    alone = replace(SITE, roles=replace(SITE.roles, oncall=OnCall(rota=(ALICE.user, ALICE.user))))
    due = duties.due(critical(), NOW, NOW + 90 * MINUTE, alone)
    ((mention, text),) = lines(due)
    assert mention == "" and "roles.oncall.rota" in text
    assert due and duties.due(due.group, NOW, NOW + 95 * MINUTE, alone) is None


@pytest.mark.parametrize(
    "group",
    [
        critical(care=Care(acked=NOW, acked_by=BOB.user)),
        critical(severity=Severity.WARNING),
        build.group(build.alert(ends_after=MINUTE), severity=Severity.CRITICAL),
        critical(care=Care(snoozed=NOW + 58 * MINUTE)),
    ],
)
def test_what_is_acknowledged_milder_over_or_snoozed_reminds_nobody(group: AlertGroup) -> None:
    assert duties.due(group, NOW, NOW + 60 * MINUTE, SITE) is None


def test_the_time_counts_from_when_it_was_told_and_not_from_when_it_began() -> None:
    told = NOW + 20 * MINUTE  # nobody listened before
    assert duties.due(critical(), told, NOW + 22 * MINUTE, SITE) is None


def test_the_end_of_a_snooze_is_told_to_who_wanted_it_and_the_reminder_waits_anew() -> None:
    group = critical(care=Care(snoozed=NOW + 30 * MINUTE, snoozed_by=ALICE.user))
    due = duties.due(group, NOW, NOW + 31 * MINUTE, SITE)
    assert lines(due) == [(ALICE.user, "⏰ the snooze is over, still firing")]
    assert due and duties.due(due.group, NOW, NOW + 34 * MINUTE, SITE) is None
    after = duties.due(due.group, NOW, NOW + 35 * MINUTE, SITE)
    assert lines(after)[-1][0] == BOB.user


def test_the_end_of_a_silence_says_whether_it_fires_still_also_when_it_is_late() -> None:
    silences = tuple(Silenced(id, BOB.user, NOW + n * MINUTE) for n, id in ((10, "a"), (90, "b")))
    loud = build.group(care=Care(silences=silences))
    due = duties.due(loud, NOW, NOW + 40 * MINUTE, SITE)
    assert lines(due) == [(BOB.user, "🔔 your silence has ended: still firing")]
    assert due and [each.ended for each in due.group.care.silences] == [True, False]
    quiet = build.group(build.alert(ends_after=MINUTE), care=Care(silences=silences))
    assert lines(duties.due(quiet, NOW, NOW + 91 * MINUTE, SITE))[1][1].endswith("quiet now")


AFTER = 10 * MINUTE


@pytest.mark.parametrize(
    ("beat", "since", "until", "is_silent"),
    [
        (None, -600, 0, False),  # never heard: it may not be set up
        (-11, -600, 0, True),
        (-9, -600, 0, False),
        (-600, -9, 0, False),  # nobody listened: the bot was down
        (-600, -11, 0, True),  # nor is it forgotten after that
        (-600, -300, -3, False),  # nobody listens now
        (-600, None, None, False),
    ],
)
def test_a_watchdog_is_missed_only_for_as_long_as_somebody_listened(
    beat: int | None, since: int | None, until: int | None, is_silent: bool
) -> None:
    at = [None if n is None else NOW + n * MINUTE for n in (beat, since, until)]
    assert duties.is_silent(duties.Ear(*at), NOW, AFTER) is is_silent


def test_a_short_restart_is_no_break_in_listening() -> None:
    assert not duties.is_break(NOW - MINUTE, NOW)
    assert duties.is_break(NOW - 3 * MINUTE, NOW) and duties.is_break(None, NOW)


def test_a_missed_watchdog_calls_who_is_on_duty_and_its_return_is_told_in_place() -> None:
    notice = duties.missed("N1", "training", NOW - 12 * MINUTE, NOW, SITE, "#incidents")
    assert notice.mention == ALICE.user and "training: no Watchdog for 12 min" in notice.text
    again = duties.heard_again(notice, "training", 23 * MINUTE, NOW + 11 * MINUTE)
    assert again.id == "N1" and "heard again" in again.text
    assert [line.text for line in again.lines] == ["🔊 was silent for 23 min"]


def test_only_what_was_not_heard_of_lately_can_be_missing_at_alertmanager() -> None:
    one, two = build.alert(pod="a"), build.alert(pod="b")
    group = build.group(one, two, heard=NOW)
    known = frozenset({one.fingerprint})
    assert duties.absent(group, known, NOW + 10 * MINUTE) == frozenset()
    assert duties.absent(group, known, NOW + 11 * MINUTE) == {two.fingerprint}
    ended = duties.without(group, frozenset({two.fingerprint}), NOW + 11 * MINUTE)
    assert [alert.status for alert in ended.alerts] == ["firing", "resolved"]
    assert "Alertmanager no longer has it" in ended.lines[-1].text
    assert "1 other still firing" in ended.lines[-1].text
