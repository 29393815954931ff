"""`alert list`: what fires, what is hidden, whose it is, and what is said where a source is away."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_history import CATALOG, DARK, DAY, HOUR, MINUTE, NOW, SITE, am, lights, line, one

from commands.alertreads import AmAlerts, Called, OpenGroups
from commands.errors import UsageError
from commands.finding import Light
from commands.grammar import format
from commands.model import Alert, AlertGroup, Care, Judged, Judgement, Severity, Silenced
from commands.site import Urls


def group(*alerts, id="Aone", severity=Severity.WARNING, **care):
    told = tuple(Alert(each.fingerprint, "firing", each.labels, {}, each.starts_at) for each in alerts)
    return AlertGroup(
        id, {"alertname": alerts[0].labels["alertname"]}, "sre-bot", "#sre-alerts", told, 1, NOW, NOW,
        severity=severity, cluster=SITE.name, care=Care(**care),
    )  # fmt: skip


def listed(alerts, groups=(), text="alert", site=SITE):
    return one(text, {AmAlerts: alerts, OpenGroups: groups}, site)


def rows(section):
    return [row.split() for row in section.table[1:]]


def test_the_gravest_come_first_and_of_those_the_oldest():
    found = listed(
        (
            am("Young", "warning", 5 * MINUTE),
            am("Old", "warning", 3 * DAY),
            am("Grave", "critical", MINUTE),
            am("Mild", "info", 9 * DAY),
        )
    )
    assert [row[2] for row in rows(found)] == ["Grave", "Old", "Young", "Mild"]
    assert line(found, "Firing").light is Light.RED
    assert line(found, "Firing").value == "1 critical, 2 warning, 1 info"


def test_active_silenced_and_inhibited_are_told_apart():
    found = listed(
        (
            am("Quiet", "critical", silenced="s1"),
            am("Behind", inhibited="f1"),
            am("Both", silenced="s1", inhibited="f1"),
            am("Loud"),
        )
    )
    assert [row[0] for row in rows(found)] == ["firing", "silenced", "silenced", "inhibited"]
    assert lights(found)["Silenced"] is Light.YELLOW  # a critical one is among them
    assert lights(found)["Inhibited"] is Light.GREEN
    assert line(found, "Firing").value == "1 warning"


def test_forty_pods_of_one_alert_are_one_line():
    pods = tuple(am("KubePodCrashLooping", namespace="shop", pod=f"web-{n}") for n in range(40))
    found = listed((*pods, am("KubePodCrashLooping", namespace="pay", pod="pay-1")))
    assert len(found.table) == 3
    assert any("shop: 40 pods" in row for row in found.table)
    assert any("pay/pay-1" in row for row in found.table)
    assert line(found, "Firing").value == "41 warning"


def test_who_has_it_in_hand_comes_from_the_bots_store():
    own, seen, free = am("Own", ago=4 * HOUR), am("Seen", ago=3 * HOUR), am("Free", ago=2 * HOUR)
    found = listed(
        (own, seen, free),
        (
            group(own, id="A1", acked=NOW, acked_by="U0BOB000001", owner="U0ALICE0001"),
            group(seen, id="A2", acked=NOW, acked_by="U0BOB000001"),
            group(free, id="A3"),
        ),
    )
    assert [re.split(" {2,}", row)[-2] for row in found.table[1:]] == [
        "owned by U0ALICE0001",
        "seen by U0BOB000001",
        "nobody",
    ]
    assert [row[-1] for row in rows(found)] == ["A1", "A2", "A3"]


def test_people_are_called_by_their_names_where_these_are_known():
    own = am("Own")
    groups = (group(own, id="A1", owner="U0ALICE0001"),)
    named = {Called: {"U0ALICE0001": "alice"}}
    assert "owned by alice" in one("alert", {AmAlerts: (own,), OpenGroups: groups, **named}).table[1]
    assert "owned by U0ALICE0001" in one("alert", {AmAlerts: (own,), OpenGroups: groups}).table[1]


def test_the_review_is_done_when_each_group_has_a_category():
    one_, two = am("One"), am("Two")
    judged = (Judged(Judgement.ACTIONABLE, "U0ALICE0001", NOW),)
    found = listed((one_, two), (group(one_, id="A1", judged=judged), group(two, id="A2")))
    category = line(found, "Category")
    assert (category.light, category.value) == (Light.YELLOW, "1 of 2 groups marked")
    assert category.suggestions[0].text == "alert mark A2 actionable"
    for step in category.suggestions:
        assert CATALOG.parse(step.text).args.verb == "mark"
    done = listed((one_,), (group(one_, id="A1", judged=judged),))
    assert line(done, "Category").light is Light.GREEN


def test_what_never_came_here_is_told_once_it_had_the_time_to():
    found = listed((am("Lost", ago=6 * MINUTE), am("Fresh", ago=MINUTE)))
    assert line(found, "Told").value == "1 alert never came here: Lost"
    assert "Told" not in lights(listed((am("Fresh", ago=5 * MINUTE),)))


def test_nothing_fires_and_what_fires_by_design_is_nothing():
    found = listed((am("Watchdog", "none", 9 * DAY), am("InfoInhibitor", "none", DAY)))
    assert lights(found) == {"Firing": Light.GREEN}
    assert line(found, "Firing").value == "nothing"
    assert found.table == ()


def test_without_alertmanager_the_store_speaks_and_says_so():
    known = am("KubeNodeNotReady", "critical", node="n1")
    hidden = group(am("Hidden"), id="A2", silences=(Silenced("s1", "U0BOB000001", NOW + HOUR),))
    found = listed(DARK, (group(known, severity=Severity.CRITICAL), hidden))
    assert line(found, "Alertmanager").light is Light.UNKNOWN
    assert line(found, "Firing").value == "1 critical"
    assert "the bot's own store" in found.note
    assert [row[0] for row in rows(found)] == ["firing", "silenced"]


def test_without_alertmanager_nothing_known_is_not_nothing_firing():
    assert lights(listed(DARK, ())) == {"Alertmanager": Light.UNKNOWN, "Firing": Light.UNKNOWN}


def test_without_the_store_alertmanager_still_shows():
    found = listed((am("Loud", "critical"),), DARK)
    assert lights(found) == {"Who has it in hand": Light.UNKNOWN, "Firing": Light.RED}


def test_without_both_there_is_nothing_but_the_reasons():
    assert set(lights(listed(DARK, DARK)).values()) == {Light.UNKNOWN}


def test_the_link_has_the_filter():
    site = replace(SITE, urls=Urls(alertmanager="https://am.example.com/"))
    text = 'alert list severity="critical" namespace=~"shop|pay"'
    asked = AmAlerts(('severity="critical"', 'namespace=~"shop|pay"'))
    found = one(text, {asked: (), OpenGroups: ()}, site)
    link = line(found, "Firing").link
    assert link is not None
    assert link.url == (
        "https://am.example.com/#/alerts?silenced=false&inhibited=false&active=true"
        "&filter=%7Bseverity%3D%22critical%22%2Cnamespace%3D~%22shop%7Cpay%22%7D"
    )
    assert line(listed((), (), site=SITE), "Firing").link is None


def test_matchers_narrow_down_what_the_store_tells_as_well():
    groups = (group(am("A", namespace="shop"), id="A1"), group(am("B", namespace="pay"), id="A2"))
    found = listed(DARK, groups, 'alert list namespace="pay"')
    assert [row[2] for row in rows(found)] == ["B"]


def test_a_wrong_matcher_is_refused_before_anything_is_read():
    parsed = CATALOG.parse("alert list ===")
    with pytest.raises(UsageError, match="no matcher"):
        parsed.command.parts(parsed.args, SITE)


@pytest.mark.parametrize(
    ("text", "line_"),
    [
        ('alert list severity="critical" namespace=~"shop|pay"', ""),
        ('alert routes team!="db"  alertname="X"', 'alert routes team!="db" alertname="X"'),
        ("alert list a=b", 'alert list "a=b"'),
        ('alert list a="b c"', 'alert list "a=\\"b c\\""'),
    ],
)
def test_matchers_stand_in_the_line_as_they_were_typed_where_that_reads_the_same(text, line_):
    args = CATALOG.parse(text).args
    assert format(args) == (line_ or text)
    assert CATALOG.parse(format(args)).args == args


def test_a_long_list_is_a_file():
    found = listed(tuple(am(f"Alert{n}") for n in range(60)))
    assert len(found.table) <= 20
    assert found.attachments[0].content.count("\n") == 61


@pytest.mark.parametrize("labels", [{"severity": "sev1"}, {"severity": "CRITICAL"}])
def test_other_words_for_critical_are_red_too(labels):
    assert line(listed((am("X", **labels),)), "Firing").light is Light.RED


def test_ages_are_told():
    assert "2 d 4 h" in listed((am("X", ago=timedelta(days=2, hours=4)),)).table[1]
