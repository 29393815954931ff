"""What alerts may bear to mislead the bot: starts that move back, labels that are no names, groups without end."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import pytest

from bot import alertbody, alerts
from commands import matchers
from commands.alert import silence
from commands.alertreads import AmAlerts, GroupOf, QueryRange, Silences
from commands.catalog import Catalog
from commands.change import Who
from commands.effects import Silence
from commands.errors import UsageError
from commands.finding import Suggestion
from commands.model import AlertGroup, Args, Gap, Read, Seen
from commands.plan import Plan
from commands.reads import Now, Query, Sample, Vector
from commands.triage.expression import Level, level
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import RULES, rule_for
from tests import build
from tests.pure import triage_world

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TO = alerts.Address("C0ALERTS")
CATALOG = Catalog.load()


def said(pod: str, status: str = "firing", *, start: str, end: str = "06:20:00") -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "PodDown", "pod": pod, "severity": "critical"},
        "startsAt": f"2026-11-23T{start}Z",
        "endsAt": f"2026-11-23T{end}Z",
    }


def heard(*told: dict[str, Any]) -> alertbody.Notification:
    body = {"version": "4", "receiver": "r", "groupLabels": {"alertname": "PodDown"}, "alerts": told}
    return alertbody.parse(orjson.dumps(body))


def opened(*told: dict[str, Any]) -> AlertGroup:
    group = alerts.merge(None, heard(*told), TO, NOW)
    assert group is not None
    return group


# --- starts ---


def test_an_alert_whose_start_was_moved_back_meanwhile_still_ends() -> None:
    """Of two Prometheus that see the same alert, Alertmanager takes the earlier start, as soon as it knows both."""
    group = opened(said("a", start="05:58:05"))
    assert alerts.merge(group, heard(said("a", start="05:58:00")), TO, NOW + MINUTE / 2) is None, "a repeat"
    ended = alerts.merge(group, heard(said("a", "resolved", start="05:58:00")), TO, NOW + 20 * MINUTE)
    assert ended is not None and ended.firing == ()
    assert ended.alerts[0].starts_at == group.alerts[0].starts_at, (
        "one occurrence, under the start it was known by"
    )


def test_the_end_of_an_earlier_time_does_not_end_what_fires_now() -> None:
    group = opened(said("a", start="05:58:00"))
    late = heard(said("a", "resolved", start="05:00:00", end="05:10:00"))
    assert alerts.merge(group, late, TO, NOW + MINUTE) is None


def test_an_alert_fires_again_though_its_clock_was_set_back() -> None:
    group = opened(said("a", start="06:58:00"))  # a clock that is an hour ahead
    over = alerts.merge(
        group, heard(said("a", "resolved", start="06:58:00", end="07:00:00")), TO, NOW + MINUTE
    )
    assert over is not None and over.firing == ()
    again = alerts.merge(over, heard(said("a", start="06:10:00")), TO, NOW + 12 * MINUTE)
    assert again is not None and len(again.firing) == 1


def test_a_critical_alert_that_flaps_all_hour_calls_at_most_every_ten_minutes() -> None:
    group = replace(opened(said("a", start="05:58:00")), mention="U0ONCALL")
    for minute in range(2, 62, 2):
        now = NOW + minute * MINUTE
        ended = said("a", "resolved", start=f"{now - 2 * MINUTE:%H:%M:%S}", end=f"{now - MINUTE:%H:%M:%S}")
        fires = said("a", start=f"{now:%H:%M:%S}")
        for told, at in ((ended, now - MINUTE), (fires, now)):
            group = alerts.merge(group, heard(told), TO, at) or group
    assert group.flaps > 20
    called = [line.at for line in group.lines if line.mention]
    assert 1 <= len(called) <= 6 and all(b - a >= 10 * MINUTE for a, b in pairwise(called))


# --- more than a record holds ---


def many(first: int, last: int, status: str = "firing", **labels: str) -> list[dict[str, Any]]:
    told = [said(f"web-{n}", status, start="05:58:00") for n in range(first, last)]
    return [{**each, "labels": {**each["labels"], "severity": "warning", **labels}} for each in told]


def test_of_a_group_too_large_for_its_record_what_fires_and_is_grave_is_kept_and_the_rest_counted() -> None:
    most = alerts.MOST
    group = opened(*many(0, most + 500))
    assert (len(group.firing), group.truncated) == (most, 500)
    assert alerts.merge(group, heard(*many(0, most + 500)), TO, NOW + MINUTE / 2) is None, "the same, again"
    grave = heard(*many(0, most + 500), *many(9_000, 9_001, severity="critical"))
    group = alerts.merge(group, grave, TO, NOW + 5 * MINUTE) or group
    assert group.severity == "critical" and len(group.alerts) == most + 1
    quiet = heard(
        *many(0, most, "resolved"),
        *many(most, most + 500),
        *many(9_000, 9_001, "resolved", severity="critical"),
    )
    group = alerts.merge(group, quiet, TO, NOW + 20 * MINUTE) or group
    assert (len(group.firing), group.truncated) == (500, 0), "what was only counted still fires"


# --- labels that are no names ---

LABELS = (
    "namespace", "pod", "container", "node", "instance", "job", "service", "deployment", "statefulset", "job_name",
    "cronjob", "horizontalpodautoscaler", "poddisruptionbudget", "persistentvolumeclaim", "device", "mountpoint",
    "host", "group", "name", "version", "remote_name", "integration", "resource", "resourcequota", "verb", "nodename",
)  # fmt: skip
HOSTILE = (
    "web-7 --private --cluster evil", "web-7\n--private", 'x"} or vector(1) #', '\\"} or vector(1) #',
    "`} or vector(1) #", "$here $x ${pod}", "../../../secrets", "--private", 'web-7" --private "', "a\x00b",
)  # fmt: skip


class Mirror(triage_world.World):
    """Prometheus answers every question with a series that bears the label, too; other sources say nothing."""

    def answer(self, read: Read) -> Any:
        self.asked.append(read)
        if isinstance(read, Query):
            return Vector((Sample(self.given["labels"], 3.0),))
        return triage_world._NOTHING.get(type(read), Gap("it does not answer"))


def everything(value: str) -> Iterator[tuple[Mirror, Diagnosis]]:
    """Every rule, and the one for a name that none knows, with the value in each label and in few of them."""
    full = dict.fromkeys(LABELS, value)
    few: tuple[Mapping[str, str], ...] = (
        full,
        {"namespace": "shop", "pod": value},
        {"node": value},
        {"instance": value},
    )
    for name in ("Unknown", *(name for rule in RULES for name in rule.names)):
        for labels in few:
            world = Mirror({"labels": full})
            yield world, driven(world, Subject(name, {"alertname": name, **labels}, since=NOW - 10 * MINUTE))


def driven(world: Mirror, subject: Subject) -> Diagnosis:
    asking = rule_for(subject).diagnose(subject, triage_world.SITE)
    try:
        wanted = next(asking)
        while True:
            wanted = asking.send(Seen({read: world.answer(read) for read in wanted}))
    except StopIteration as done:
        assert isinstance(done.value, Diagnosis)
        return done.value


_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'|`[^`]*`")


@pytest.mark.parametrize("value", HOSTILE)
def test_no_label_leaves_its_place_in_a_query_or_in_a_line_of_a_button(value: str) -> None:
    for world, diagnosis in everything(value):
        for expr in (read.expr for read in world.asked if isinstance(read, Query | QueryRange)):
            bare = _STRING.sub("", expr)
            assert not re.search(r"vector\(1\)|--|secrets|\$|[\"'`\x00]", bare), expr
        own = (suggestion for finding in diagnosis.findings for suggestion in finding.suggestions)
        cause = diagnosis.cause.suggestions if diagnosis.cause else ()
        for each in CATALOG.offered((*own, *cause, *diagnosis.suggestions)):
            flags = CATALOG.parse(each.text).args.flags
            assert not {"private", "cluster", "why"} & set(flags), each


def test_a_button_says_which_of_several_clusters_it_is_about_once() -> None:
    (one,) = CATALOG.offered((Suggestion("Show", "pod show shop/web-7"),), "us")
    assert one.text == "pod show shop/web-7 --cluster us"
    assert CATALOG.offered((one,), "us") == (one,)
    assert CATALOG.parse(one.text).args.flags["cluster"] == "us"


# --- silences ---


def silenced(group: AlertGroup) -> Plan:
    """The plan of `alert silence` for this group, where Alertmanager has nothing of it now."""
    args = Args("alert", "silence", group.id, {"why": "known"})
    asking = silence.plan(args, triage_world.SITE, Who("R7", "U0ALICE", "known", NOW))
    answers: Mapping[type[Read], Any] = {GroupOf: group, Now: NOW, AmAlerts: (), Silences: ()}
    try:
        wanted = next(asking)
        while True:
            wanted = asking.send(Seen({read: answers[type(read)] for read in wanted}))
    except StopIteration as done:
        assert isinstance(done.value, Plan)
        return done.value


def test_a_silence_of_one_clusters_alert_leaves_that_of_the_other_loud() -> None:
    """They come from one Alertmanager, and a group bears no label that tells them apart."""
    group = build.group(build.alert(cluster="eu"), build.alert(pod="b", cluster="eu"), id="A" + "1" * 16)
    (step,) = silenced(group).steps
    assert isinstance(step.effect, Silence) and 'cluster="eu"' in step.effect.matchers
    wide = replace(
        group, group_labels={}, alerts=tuple(build.alert(f"Alert{n}", cluster="eu") for n in range(30))
    )
    assert silenced(wide).steps == (), "a cluster narrows nothing down"


# --- expressions ---


@pytest.mark.parametrize(
    "value",
    [".*.*.*.*.*.*.*.*=b", "(a|aa)+$", "(x+x)+y", "(a?){30}a{30}", "a?" * 40 + "a" * 40, "(?:.*a|b)*", "(.*(a|b)){4}",
     ".{0,9}.{0,9}.{0,9}.{0,9}.{0,9}x", "(?i)(a|A)*b", "((a*)b)+", "(?P<n>a*)*"],
)  # fmt: skip
def test_a_matcher_that_would_hold_up_its_process_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="repetition"):
        matchers.parse(f'pod=~"{value}"')


@pytest.mark.parametrize(
    "value",
    ["web-.*|api-.*|.*-db|.*-cache-.*|shop", "(shop|pay)-.*", ".*-(web|api)-.*-[0-9]+", "https?://.*", "web-[a-z0-9]{5}",
     "(?i)web.*", "(?:a|b)?c", "web-.*?", "[*+?]+", "(ab)+", r"10\\.0\\..*", "a{2,3}|b{2,3}|c+|d+|e+"],
)  # fmt: skip
def test_a_matcher_as_people_write_them_is_taken(value: str) -> None:
    assert matchers.parse(f'pod=~"{value}"').op == "=~"


def test_a_hash_within_quotes_begins_no_comment() -> None:
    found = level('rate(x{path=~"#/.*"}[5m]) > 0.5 # "half" of it')
    assert found == Level('rate(x{path=~"#/.*"}[5m])', ">", 0.5)
