"""What alerts may bear to mislead the bot: starts that move back, labels that are no names, groups without end."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bot import alertbody, alerts
from commands.alertreads import QueryRange
from commands.catalog import Catalog
from commands.finding import Suggestion
from commands.model import AlertGroup, Gap, Read, Seen
from commands.reads import Query, Sample, Vector
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import RULES, rule_for
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
