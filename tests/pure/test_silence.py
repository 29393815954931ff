"""`alert silence` and `alert unsilence`: what is typed, what the plan says, and what counts as done."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands import grammar
from commands.alert import COMMANDS, selection, silence, unsilence
from commands.alertreads import AmAlert, AmAlerts, GroupOf, Silences, SilenceView
from commands.change import Doing, Who, drift
from commands.effects import Silence, Unsilence
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.matchers import Matcher, all_find
from commands.model import Alert, Args, Care, Gap, Read, Seen, Silenced
from commands.plan import Go, Mark, Plan, Progress, Result, Standing, Verdict
from commands.reads import Now
from commands.silences import comment
from commands.site import ClusterSite
from tests import build

NOW = datetime(2026, 3, 2, 13, 30, tzinfo=UTC)
SITE = ClusterSite(name="training")
WHO = Who("R7", "U0ALICE", "known", NOW)
GROUP = build.group(id="A1b2c3d4e5f6a7b8c")


def drive(inquiry: Any, answers: Mapping[Read, Any]) -> Any:
    try:
        wanted = next(inquiry)
        while True:
            wanted = inquiry.send(Seen({read: answers[read] for read in wanted}))
    except StopIteration as end:
        return end.value


def typed(text: str) -> Args:
    return grammar.parse(f"alert {text}", COMMANDS).args


def am(
    name: str = "X", severity: str = "warning", silenced_by: tuple[str, ...] = (), **labels: str
) -> AmAlert:
    said = {"alertname": name, "severity": severity, "namespace": "shop", **labels}
    return AmAlert("f", said, {}, NOW, "suppressed" if silenced_by else "active", silenced_by)


def view(id: str = "s1", request: str = "R7", state: str = "active", **changes: Any) -> SilenceView:
    made = SilenceView(
        id, state, ('alertname="X"',), NOW, NOW + timedelta(hours=1), "Alice", comment("why", request)
    )
    return replace(made, **changes)


# --- What is typed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('alertname="X" namespace=~"shop"', ('alertname="X"', 'namespace=~"shop"')),
        ("alertname=X namespace=shop", ('alertname="X"', 'namespace="shop"')),
        ("alertname=“X Y” severity!=“info”", ('alertname="X Y"', 'severity!="info"')),
        ('{alertname="X", pod=~"web-.*|db"}', ('alertname="X"', 'pod=~"web-.*|db"')),
        ('alertname="X",service="web"', ('alertname="X"', 'service="web"')),
        ('cluster="eu" since="1h" alertname=X', ('cluster="eu"', 'since="1h"', 'alertname="X"')),
        ('alertname="a \\"b\\" c=d"', ('alertname="a \\"b\\" c=d"',)),
        ('alertname="X" --only pod="web 1"', ('alertname="X"', 'pod="web 1"')),
        ('alertname="X" alertname="X"', ('alertname="X"',)),
        ('path=~"/a\\d+"', ('path=~"/a\\\\d+"',)),
    ],
)
def test_matchers_are_read_as_they_are_typed_pasted_or_mangled_by_a_phone(
    text: str, found: tuple[str, ...]
) -> None:
    args = typed(f"silence {text} --why because")
    assert tuple(map(str, selection.wanted(args).matchers)) == found
    again = grammar.parse(grammar.format(args), COMMANDS).args
    assert selection.wanted(again) == selection.wanted(args)
    assert again.flags == args.flags


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--why x", "Say which alert"),
        ("backup --why x", "is no matcher"),
        ('alertname="X"', "Say why"),
        ("alertname=X --for 5h --why x", "it lasts 4 h at most. What has to be quiet for longer"),
        ("alertname=X --for 59s --why x", "lasts 1 min at least"),
        ("A1b2c3d4e5f6a7b8c noise --why x", "means nothing behind the id"),
        ('pod=~"(" --why x', "the regular expression is wrong"),
        ('alertname="X" stray --why x', "`stray` is no matcher"),
    ],
)
def test_what_cannot_be_meant_is_said_at_once(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r".*") as caught:
        silence.check(typed(f"silence {text}"), SITE)
    assert says in str(caught.value)


@pytest.mark.parametrize(("text", "hours"), [("", 1.0), ("--for 30m", 0.5), ("--for 4h", 4.0)])
def test_how_long(text: str, hours: float) -> None:
    args = typed(f"silence alertname=X {text} --why x")
    assert selection.wanted(args).length == timedelta(hours=hours)


def test_an_id_may_be_typed_in_any_case_and_narrowed() -> None:
    want = selection.wanted(typed('silence a1B2C3D4E5F6A7B8C --only pod=~"web-.*" --why x'))
    assert (want.group, want.matchers) == ("A1b2c3d4e5f6a7b8c", (Matcher("pod", "=~", "web-.*"),))


@pytest.mark.parametrize("text", ["", "web", "A1b2", "alertname=X"])
def test_an_unsilence_names_what_made_it(text: str) -> None:
    with pytest.raises(UsageError, match="Say which silence"):
        unsilence.check(Args("alert", "unsilence", text), SITE)


# --- Which matchers -------------------------------------------------------------------------------


def firing(*labels: Mapping[str, str]) -> tuple[Alert, ...]:
    return tuple(replace(build.alert(), labels=each) for each in labels)


@pytest.mark.parametrize(
    ("own", "alerts", "found"),
    [
        (
            {"alertname": "X", "namespace": "shop"},
            [{"alertname": "X"}],
            ('alertname="X"', 'namespace="shop"'),
        ),
        ({"namespace": "shop"}, [{"alertname": "X"}], ('alertname="X"', 'namespace="shop"')),
        ({}, [{"alertname": "X"}, {"alertname": "Y.Z"}], ('alertname=~"X|Y\\\\.Z"',)),
        ({"team": "a"}, [{"severity": "critical"}], ('team="a"',)),
    ],
)
def test_a_group_is_found_by_its_labels_and_the_names_of_its_alerts(
    own: Mapping[str, str], alerts: list[Mapping[str, str]], found: tuple[str, ...]
) -> None:
    group = replace(GROUP, group_labels=own, alerts=firing(*alerts))
    chosen = selection.of_group(group)
    assert tuple(map(str, chosen)) == found
    assert all(all_find(chosen, {**own, **each}) for each in alerts)


@pytest.mark.parametrize(
    ("matcher", "narrow"),
    [
        ('a="x"', True), ('a=""', False), ('a!="x"', False), ('a!=""', False), ('a!~"x"', False),
        ('a=~".*"', False), ('a=~".+"', False), ('a=~"x|y"', True), ('a=~"web-.*"', True), ('a=~"|x"', False),
        ('a!~".*"', True),
    ],
)  # fmt: skip
def test_a_matcher_that_leaves_nothing_out(matcher: str, narrow: bool) -> None:
    assert selection.narrows(selection._listed(matcher)[0]) is narrow


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('namespace="shop"', "shop"),
        ('namespace=~"shop"', "shop"),
        ('namespace=~"shop|pay"', ""),
        ('namespace=~"sh.p"', ""),
        ('namespace!="shop"', ""),
        ('alertname="X"', ""),
    ],
)
def test_only_matchers_that_stay_in_one_namespace_are_of_it(text: str, where: str) -> None:
    assert selection.namespace(selection._listed(text)) == where


# --- The plan -------------------------------------------------------------------------------------


def planned(
    text: str, alerts: tuple[AmAlert, ...] | Gap, known: Any = (), matchers: Any = None, **more: Any
) -> Plan:
    args = typed(f"silence {text} --why known")
    wanted = matchers or tuple(map(str, selection.wanted(args).matchers))
    answers = {AmAlerts(wanted): alerts, Silences(): known, Now(): NOW, GroupOf(GROUP.id): GROUP, **more}
    made: Plan = drive(silence.plan(args, SITE, WHO), answers)
    return made


def found(plan: Plan, key: str) -> Finding:
    (one,) = [each for each in plan.findings if each.key == f"alert.silence.{key}"]
    return one


def test_a_plan_says_what_is_hidden_now_until_when_and_how_to_end_it() -> None:
    plan = planned('alertname="X" namespace="shop" --for 30m', (am(pod="a"), am(pod="b")))
    assert plan.go is Go.GO
    assert found(plan, "finds").value == "2 alerts: 2 × X in shop"
    assert found(plan, "finds").evidence == (
        "X namespace=shop pod=a severity=warning", "X namespace=shop pod=b severity=warning"
    )  # fmt: skip
    (step,) = plan.steps
    assert isinstance(step.effect, Silence)
    assert step.effect.until == "2026-03-02T14:00:00Z"
    assert (step.effect.by, step.effect.request, step.effect.why) == ("U0ALICE", "R7", "known")
    assert step.effect.target.namespace == "shop" and step.effect.matchers == (
        'alertname="X"',
        'namespace="shop"',
    )
    assert plan.undo == "alert unsilence R7"
    assert grammar.parse(plan.undo, COMMANDS).args.name == "R7"


def test_the_time_counts_from_the_confirmation_and_the_later_plan_is_covered() -> None:
    alerts = (am(pod="a"),)
    shown = planned("alertname=X", alerts)
    args = typed("silence alertname=X --why known")
    later = {AmAlerts(('alertname="X"',)): alerts, Silences(): (), Now(): NOW + timedelta(minutes=10)}
    again: Plan = drive(silence.plan(args, SITE, WHO), later)
    assert again.steps[0].effect != shown.steps[0].effect
    assert drift(shown, again) == ()
    worse = {**later, AmAlerts(('alertname="X"',)): (am(severity="critical"),)}
    assert drift(shown, drive(silence.plan(args, SITE, WHO), worse)) == (
        "new: Critical 1 critical alert would be hidden, too",
    )


def test_a_group_is_silenced_by_its_labels_and_what_narrows_it_down() -> None:
    matchers = ('alertname="PodCrashLooping"', 'pod="web-1"')
    plan = planned(f"{GROUP.id} --only pod=web-1", (am(),), matchers=matchers)
    assert plan.title == "Silence PodCrashLooping" and plan.scope[:2] == matchers


@pytest.mark.parametrize(
    ("alerts", "key", "value"),
    [
        ((), "none", "nothing that fires now: only what fires later would be hidden"),
        ((am(severity="page"), am()), "critical", "1 critical alert would be hidden, too"),
        ((am(), am("Y"), am("Y")), "names", "2 different alerts: 2 × Y, X"),
        (tuple(am(pod=f"p{n}") for n in range(21)), "many", "21 alerts at once"),
    ],
)
def test_what_wants_a_second_look_is_yellow(alerts: tuple[AmAlert, ...], key: str, value: str) -> None:
    plan = planned('namespace="shop"', alerts)
    assert plan.go is Go.RISK
    assert (found(plan, key).light, found(plan, key).value) == (Light.YELLOW, value)


def test_of_many_ten_are_shown_and_the_rest_counted() -> None:
    plan = planned('namespace="shop"', tuple(am(pod=f"p{n:02}") for n in range(300)))
    assert len(found(plan, "finds").evidence) == 11
    assert found(plan, "finds").evidence[-1] == "and 290 more: 300 alerts: 300 × X in shop"


@pytest.mark.parametrize("text", ['alertname=~".+"', 'severity!="critical"', 'a="" b=~".*"'])
def test_one_that_hides_everything_is_blocked_before_anything_is_read(text: str) -> None:
    plan: Plan = drive(silence.plan(typed(f"silence {text} --why x"), SITE, WHO), {})
    assert plan.go is Go.BLOCKED
    assert "that would hide every alert there is" in found(plan, "everything").value


def test_silences_that_hide_some_of_it_already_are_named() -> None:
    both = (am(silenced_by=("s1",)), am(pod="b"))
    some = found(planned("alertname=X", both, (view(),)), "already")
    assert (some.light, some.label) == (Light.GREEN, "Some")
    assert some.evidence == ("s1 until 02 Mar 14:30 UTC by Alice: why [sre-bot R7]: 1 of 2",)
    whole = found(planned("alertname=X", both[:1], (view(), view("s2"))), "already")
    assert (whole.light, whole.label, len(whole.evidence)) == (Light.YELLOW, "All of it", 1)


@pytest.mark.parametrize(
    ("answers", "key", "says"),
    [
        ({GroupOf(GROUP.id): None}, "group", "the store has no alert"),
        ({GroupOf(GROUP.id): Gap("store away")}, "unread", "unknown: store away"),
        ({GroupOf(GROUP.id): replace(GROUP, cluster="other")}, "cluster", "it is of cluster other, and this is training"),
        ({AmAlerts(('alertname="PodCrashLooping"',)): Gap("alertmanager: answers 503", "mend it")}, "unread",
         "unknown: alertmanager: answers 503"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_not_silenced(answers: dict[Read, Any], key: str, says: str) -> None:
    args = typed(f"silence {GROUP.id} --why known")
    usual = {
        GroupOf(GROUP.id): GROUP,
        AmAlerts(('alertname="PodCrashLooping"',)): (),
        Silences(): (),
        Now(): NOW,
    }
    plan = drive(silence.plan(args, SITE, WHO), {**usual, **answers})
    assert plan.go is Go.BLOCKED and says in found(plan, key).value


# --- Proof ----------------------------------------------------------------------------------------


def doing(plan: Plan, standing: Standing = Standing.APPLIED, *, is_over: bool = False) -> Doing:
    marks = {step.key: Mark(standing, NOW, "the words of a refusal") for step in plan.steps}
    progress = Progress("w", NOW, NOW + timedelta(minutes=5), marks)
    return Doing(Args("alert", "silence"), plan, progress, is_over=is_over)


def verdict(known: Any, alerts: Any, **options: Any) -> Verdict:
    plan = planned("alertname=X", (am(),))
    read = silence.verify(doing(plan, **options), SITE)
    judged: Verdict = drive(read, {Silences(): known, AmAlerts(('alertname="X"',)): alerts})
    return judged


def test_it_is_done_when_the_silence_is_active_and_its_alerts_are_hidden() -> None:
    done = verdict((view(),), (am(silenced_by=("s1",)), am(silenced_by=("s0", "s1"))))
    assert (done.result, done.proved) == (Result.SUCCEEDED, ("silence",))
    assert done.summary == "silenced until 14:30 UTC: 2 alerts hidden (silence s1)"


@pytest.mark.parametrize(
    ("known", "alerts", "reason"),
    [
        ((), (), "Alertmanager does not list the silence yet"),
        ((view(request="R8"),), (), "Alertmanager does not list the silence yet"),
        ((view(),), (am(), am(silenced_by=("s1",))), "1 of 2 alerts not hidden yet"),
        ((view(),), (am(silenced_by=("other",)),), "1 of 1 alert not hidden yet"),
        ((view(state="pending"),), (), "0 of 0 alerts not hidden yet"),
        (Gap("away"), (), "Alertmanager cannot be asked: away"),
        ((view(),), Gap("away"), "Alertmanager cannot be asked: away"),
    ],
)
def test_until_then_it_waits_and_at_the_end_it_is_not_called_done(
    known: Any, alerts: Any, reason: str
) -> None:
    assert verdict(known, alerts) == Verdict(Result.WAITING, waiting=(reason,))
    late = verdict(known, alerts, is_over=True)
    assert (late.result, late.left) == (Result.PARTIAL, (reason,))


def test_one_that_ended_meanwhile_or_was_refused_has_failed() -> None:
    assert verdict((view(state="expired"),), ()).result is Result.FAILED
    refused = verdict((), (), standing=Standing.FAILED)
    assert (refused.result, refused.left) == (Result.FAILED, ("the words of a refusal",))


# --- Ending one -----------------------------------------------------------------------------------


def ending(name: str, known: Any, alerts: Any = (), group: Any = None) -> Plan:
    answers = {Silences(): known, Now(): NOW, AmAlerts(('alertname="X"',)): alerts, GroupOf(GROUP.id): group}
    made: Plan = drive(unsilence.plan(Args("alert", "unsilence", name), SITE, WHO), answers)
    return made


S1 = "0a1b2c3d-0000-4000-8000-000000000000"


@pytest.mark.parametrize("name", ["R7", "r7", S1, GROUP.id, GROUP.id.lower()])
def test_a_silence_is_ended_by_its_request_its_own_id_or_the_alert_that_it_hides(name: str) -> None:
    care = Care(silences=(Silenced(S1, "U0ALICE", NOW), Silenced("s0", "U0ALICE", NOW, ended=True)))
    known = (view(S1), view("s0", "R0"))
    alerts = (am(silenced_by=(S1,)), am(silenced_by=(S1, "s9")))
    plan = ending(name, known, alerts, replace(GROUP, care=care))
    (step,) = plan.steps
    assert isinstance(step.effect, Unsilence) and step.effect.target.uid == S1
    assert plan.findings[0].value == "1 alert that still fires: X"
    of_alert = name.upper() == GROUP.id.upper()
    assert plan.title == f"End the silence of {GROUP.name if of_alert else name}"
    back = grammar.parse(plan.undo, COMMANDS).args
    assert (back.verb, back.flags["for"]) == ("silence", "60m")
    silence.check(back, SITE)


def test_what_was_made_elsewhere_or_is_not_there_is_left_alone() -> None:
    foreign = ending(S1, (view(S1, comment="by hand", created_by="Bob"),))
    assert foreign.go is Go.BLOCKED and "not made from here but by Bob" in foreign.findings[0].value
    assert ending("R7", ()).go is Go.BLOCKED
    assert ending("R7", Gap("away")).go is Go.BLOCKED


def test_one_that_has_ended_leaves_nothing_to_do() -> None:
    assert ending("R7", (view(state="expired"),)).go is Go.NOTHING


@pytest.mark.parametrize(
    ("known", "is_over", "result"),
    [
        ((), False, Result.SUCCEEDED),
        ((view(S1, state="expired"),), False, Result.SUCCEEDED),
        ((view(S1),), False, Result.WAITING),
        ((view(S1),), True, Result.PARTIAL),
        (Gap("away"), False, Result.WAITING),
        (Gap("away"), True, Result.PARTIAL),
    ],
)
def test_it_has_ended_when_alertmanager_says_so(known: Any, is_over: bool, result: Result) -> None:
    plan = ending("R7", (view(S1),))
    judged = drive(unsilence.verify(doing(plan, is_over=is_over), SITE), {Silences(): known})
    assert judged.result is result
