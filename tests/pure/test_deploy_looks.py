"""`deploy list`, `show`, `history` and `limits`."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from deploy_answers import MINUTE, NOW, SITE, World, member, revision, sick, target, template, view

from commands.deploy import COMMANDS
from commands.deploy.limits import MI, Use, proposed
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.grammar import parse
from commands.model import Gap, Section
from commands.podreads import EventView
from commands.reads import Condition, Query, Sample, Vector
from commands.site import Rightsizing
from commands.workloads import (
    RESTARTED_AT,
    AutoscalerView,
    Manager,
    ReferredView,
    Strategy,
    Workload,
    Workloads,
    WorkloadView,
)


def looked(line: str, world: World) -> Section:
    parsed = parse(line, COMMANDS)
    (part,) = parsed.command.parts(parsed.args, SITE).values()
    found = world.drive(part.inquiry)
    assert isinstance(found, Section) and found.done
    return found


def named(found: Section, label: str) -> Finding:
    (one,) = [each for each in found.findings if each.label == label]
    return one


# --- list -----------------------------------------------------------------------------------------


def other(name: str, **changes: Any) -> WorkloadView:
    return view(target=target(name=name), **changes)


LIGHTS = [
    (view(), Light.GREEN),
    (view(ready=2, available=2), Light.YELLOW),
    (view(updated=1), Light.YELLOW),
    (view(is_paused=True), Light.YELLOW),
    (view(ready=0, available=0), Light.RED),
    (view(replicas=0), Light.GREEN),
]


@pytest.mark.parametrize(("here", "light"), LIGHTS)
def test_a_list_is_as_bad_as_its_worst(here: WorkloadView, light: Light) -> None:
    assert looked("deploy list", World(other("good"), here)).light is light


def test_the_worst_stand_first_in_the_table() -> None:
    found = looked("deploy", World(other("a"), other("b", ready=0, available=0)))
    assert [line.split()[0] for line in found.table] == ["NAME", "b", "a"]
    assert found.findings[0].value == "1 of 2 complete"
    assert found.findings[0].suggestions[0].text == "deploy show b --namespace sre-shop"


@pytest.mark.parametrize(
    ("line", "read"),
    [("deploy list", Workloads("sre-shop")), ("deploy list -n monitoring", Workloads("monitoring")),
     ("deploy list -n all", Workloads(""))],
)  # fmt: skip
def test_where_it_looks(line: str, read: Workloads) -> None:
    world = World()
    looked(line, world)
    assert world.asked == [read]


def test_a_list_that_was_not_read_is_unknown() -> None:
    assert looked("deploy list", World(Workloads=Gap("no"))).light is Light.UNKNOWN


def test_a_list_can_be_narrowed_and_be_empty() -> None:
    world = World(other("web"), other("db"))
    assert len(looked("deploy list we", world).table) == 2
    assert looked("deploy list zzzz", world).findings[0].value == "none named like zzzz"


def test_a_list_of_one_kind() -> None:
    world = World(view(), view("StatefulSet"))
    assert [line.split()[1] for line in looked("deploy list --kind sts", world).table] == [
        "KIND",
        "StatefulSet",
    ]
    with pytest.raises(UsageError):
        looked("deploy list --kind pod", world)


# --- show -----------------------------------------------------------------------------------------

CONFIG = {"env": [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "level"}}}]}


def configured(**changes: Any) -> WorkloadView:
    return view(template=template(container=CONFIG), **changes)


CONFIGURED = (replace(revision(7), template=template(container=CONFIG)), revision(6))


def test_a_name_alone_is_shown_and_no_name_means_the_default_service() -> None:
    assert looked("deploy backend", World()).title == "Workload · Deployment sre-shop/backend"
    assert looked("deploy show", World()).title == "Workload · Deployment sre-shop/backend"


def test_all_well_is_green_with_revision_strategy_and_settings() -> None:
    found = looked("deploy show backend", World(configured(), Revisions=CONFIGURED))
    assert found.light is Light.GREEN
    assert named(found, "Rollout").value == "revision 7, made 3 h ago: all 3 updated and available"
    assert named(found, "Pods").value == "3 of 3 ready"
    assert found.table[1].split() == ["web", "LEVEL", "from", "ConfigMap", "web,", "key", "level"]
    assert found.note.startswith("RollingUpdate: ")


SHOWN = [
    ("a key is missing", {"Referred": ReferredView(True, frozenset({"other"}))}, "Not there", Light.RED),
    ("a ConfigMap is missing", {"Referred": ReferredView(False)}, "Not there", Light.RED),
    ("it may not be read", {"Referred": Gap("forbidden")}, "Not read", Light.UNKNOWN),
    ("it was changed since", {"Referred": ReferredView(True, frozenset({"level"}), NOW - MINUTE)},
     "Changed", Light.YELLOW),
    ("pods in trouble", {"Members": (member(), sick())}, "Pods", Light.RED),
    ("pods on their way", {"Members": (member(), sick(trouble=""))}, "Pods", Light.YELLOW),
    ("pods unread", {"Members": Gap("no")}, "Pods", Light.UNKNOWN),
    ("revisions unread", {"Revisions": Gap("no")}, "Rollout", Light.UNKNOWN),
    ("an autoscaler at its end", {"Autoscalers": (AutoscalerView("h", "Deployment", "backend", 1, 3, 3, 4),)},
     "Autoscaler", Light.YELLOW),
    ("an autoscaler with room", {"Autoscalers": (AutoscalerView("h", "Deployment", "backend", 1, 9, 3, 3),)},
     "Autoscaler", Light.GREEN),
    ("a warning of its pods", {"Events": (EventView("sre-shop", "Pod", "backend-7-a", "Warning", "BackOff", "x"),)},
     "Warnings", Light.YELLOW),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "label", "light"), [s[1:] for s in SHOWN], ids=[s[0] for s in SHOWN])
def test_what_is_shown(answers: dict[str, Any], label: str, light: Light) -> None:
    found = looked("deploy show backend", World(configured(), **{"Revisions": CONFIGURED, **answers}))
    assert named(found, label).light is light


def test_warnings_of_others_are_left_out() -> None:
    events = (EventView("sre-shop", "Pod", "other-1", "Warning", "BackOff", "x"),)
    found = looked("deploy show backend", World(Events=events))
    assert [each for each in found.findings if each.label == "Warnings"] == []


def test_only_conditions_that_are_wrong_are_told() -> None:
    conditions = (
        Condition("Available", "True", "MinimumReplicasAvailable"),
        Condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota"),
    )
    found = looked("deploy show backend", World(view(conditions=conditions)))
    assert named(found, "Conditions").value == "ReplicaFailure True: FailedCreate exceeded quota"


def test_who_keeps_it_is_told() -> None:
    here = view(annotations={"meta.helm.sh/release-name": "shop"})
    assert named(looked("deploy show backend", World(here)), "Kept by").value == "Helm (release shop)"


@pytest.mark.parametrize("verb", ["show", "history", "limits"])
@pytest.mark.parametrize(("answers", "light"), [({}, Light.YELLOW), ({"Workload": Gap("no")}, Light.UNKNOWN)])
def test_what_is_not_there_or_not_read_is_no_red_flag(verb: str, answers: Any, light: Light) -> None:
    assert looked(f"deploy {verb} nothing", World(**answers)).light is light


@pytest.mark.parametrize("line", ["deploy show pod/x", "deploy show x --kind pod", "deploy show x -n all",
                                  "deploy show x --window 7d", 'deploy show "böse"'])  # fmt: skip
def test_what_cannot_be_meant_is_a_typing_error(line: str) -> None:
    with pytest.raises(UsageError):
        looked(line, World())


def test_a_kind_before_the_name_is_kept() -> None:
    world = World(view(), view("StatefulSet"))
    looked("deploy show sts/backend", world)
    assert Workload("sre-shop", "backend", "StatefulSet") in world.asked


# --- history --------------------------------------------------------------------------------------


def test_the_history_has_times_images_who_and_what_changed() -> None:
    present = replace(revision(7), cause="release 1.4")
    here = view(managers=(Manager("helm", present.created, of_template=True),))
    found = looked("deploy history backend", World(here, Revisions=(present, revision(6), revision(4))))
    assert [line.split() for line in found.table] == [
        ["REVISION", "MADE", "IMAGES", "BY", "CHANGE-CAUSE"],
        ["7", "(now)", "3", "h", "ago", "shop:1.4", "helm", "release", "1.4"],
        ["6", "4", "h", "ago", "shop:1.3", "-", "-"],
        ["4", "6", "h", "ago", "shop:1.1", "-", "-"],
    ]
    assert named(found, "Now").value == "revision 7, made 3 h ago by helm"
    assert named(found, "6 → 7").value == "web: shop:1.3 → shop:1.4"
    assert named(found, "4 → 6").evidence == ()


def test_a_column_that_nobody_could_fill_is_left_out() -> None:
    found = looked("deploy history backend", World(view(), Revisions=(revision(7), revision(6))))
    assert found.table[0].split() == ["REVISION", "MADE", "IMAGES", "CHANGE-CAUSE"]
    assert found.note == ""


def test_a_revision_that_changed_more_tells_all_of_it() -> None:
    more = replace(revision(7), template=template("shop:1.4", nodeSelector={"zone": "a"}))
    found = looked(
        "deploy history backend", World(view(template=more.template), Revisions=(more, revision(6)))
    )
    assert named(found, "6 → 7").evidence == (
        "- web: shop:1.3", "+ web: shop:1.4", '+ nodeSelector: {"zone": "a"}',
    )  # fmt: skip
    same = World(Revisions=(revision(7), replace(revision(6), template=template())))
    assert named(looked("deploy history backend", same), "6 → 7").value == "the same template"


def test_a_revision_without_number_or_time_is_still_a_line() -> None:
    bare = replace(revision(0, "shop:0"), created=None)
    found = looked("deploy history backend", World(Revisions=(revision(7), bare)))
    assert found.table[2].split()[:3] == ["?", "?", "shop:0"]


def test_a_template_of_no_kept_revision_is_told() -> None:
    found = looked("deploy history backend", World(view(template=template("shop:edited"))))
    assert named(found, "Now").light is Light.YELLOW


def test_a_history_that_was_not_read_is_unknown() -> None:
    assert looked("deploy history backend", World(Revisions=Gap("no"))).light is Light.UNKNOWN


def test_a_restart_is_seen_as_one() -> None:
    restarted = replace(
        revision(7), template=template("shop:1.3", notes={RESTARTED_AT: "2026-11-23T08:00:00Z"})
    )
    found = looked(
        "deploy history backend", World(view(template=restarted.template), Revisions=(restarted, revision(6)))
    )
    assert RESTARTED_AT in named(found, "6 → 7").value


# --- limits ---------------------------------------------------------------------------------------

RULES = Rightsizing()

PROPOSED = [
    ("the manual's example", Use(0.094, 120 * MI, 100 * MI, NOW), (100, 500, 128, 256, False)),
    ("a floor of 10m", Use(0.0001, 1, 1, NOW), (10, 50, 16, 32, False)),
    ("a whole step is not rounded on", Use(0.1, 128 * MI, 100 * MI, NOW), (100, 500, 128, 256, False)),
    ("binary noise is none", Use(0.1 + 0.2, 16 * MI, 1, NOW), (300, 1500, 16, 32, False)),
    ("the peak is a floor", Use(0.094, 120 * MI, 250 * MI, NOW), (100, 500, 128, 288, True)),
    ("no use at all", Use(0.0, 0.0, 0.0, NOW), (10, 50, 16, 32, False)),
]


@pytest.mark.parametrize(("use", "expected"), [p[1:] for p in PROPOSED], ids=[p[0] for p in PROPOSED])
def test_what_is_proposed(use: Use, expected: Any) -> None:
    made = proposed(use, RULES)
    assert (
        made.cpu_request,
        made.cpu_limit,
        made.memory_request,
        made.memory_limit,
        made.by_peak,
    ) == expected


def measured(pod: str = "backend-7f9c8d-abcde", container: str = "web", **numbers: float) -> Any:
    """Answers a query by what it asks for; `since` in hours."""
    numbers = {"cpu": 0.094, "memory": 120 * MI, "peak": 100 * MI, "since": 48, **numbers}
    labels = {"namespace": "sre-shop", "pod": pod, "container": container}

    def answer(query: Query) -> Vector:
        if "timestamp(" in query.expr:
            value = (NOW - timedelta(hours=numbers["since"])).timestamp()
        elif "cpu_usage" in query.expr:
            value = numbers["cpu"]
        else:
            value = numbers["peak"] if query.expr.startswith("max by") else numbers["memory"]
        return Vector((Sample(labels, value), Sample({**labels, "pod": "backend-worker-7f9c8d-abcde"}, 1e9)))

    return answer


def test_a_block_ready_to_paste() -> None:
    found = looked("deploy limits backend", World(Query=measured()))
    assert "\n".join(found.table) == (
        "containers:\n- name: web\n  resources:\n    requests:\n      cpu: 100m\n      memory: 128Mi\n"
        "    limits:\n      cpu: 500m\n      memory: 256Mi"
    )
    assert named(found, "web").evidence[0] == "requests.cpu: not set → 100m"
    assert [each.text.split()[:2] for each in named(found, "web").suggestions] == [
        ["pod", "top"],
        ["deploy", "show"],
    ]


def test_what_fits_already_is_green() -> None:
    fits = {"requests": {"cpu": "0.1", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "268435456"}}
    here = view(template=template(container={"resources": fits}))
    found = named(looked("deploy limits backend", World(here, Query=measured())), "web")
    assert (found.light, found.value) == (Light.GREEN, "fits as it is")


def test_the_peak_says_why_the_limit_is_higher() -> None:
    found = named(looked("deploy limits backend", World(Query=measured(peak=250 * MI))), "web")
    assert any("highest use seen (250Mi)" in line for line in found.evidence)


def test_less_than_a_day_of_data_is_refused() -> None:
    found = looked("deploy limits backend", World(Query=measured(since=23)))
    assert (found.light, found.table) == (Light.UNKNOWN, ())
    assert named(found, "web").value == "only 23 h of data, 1 d are needed"


def test_no_data_is_unknown() -> None:
    assert named(looked("deploy limits backend", World()), "web").value == "no data"
    assert looked("deploy limits backend", World(Query=Gap("away"))).light is Light.UNKNOWN


def test_a_partial_answer_is_said() -> None:
    def partial(query: Query) -> Vector:
        return replace(measured()(query), warnings=("a store did not answer",))

    found = looked("deploy limits backend", World(Query=partial))
    assert named(found, "Use").light is Light.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "pod"),
    [("Deployment", "backend-7f9c8d-abcde"), ("StatefulSet", "backend-11"), ("DaemonSet", "backend-abcde")],
)
def test_pods_are_told_by_how_their_kind_names_them(kind: str, pod: str) -> None:
    here = view(kind, strategy=Strategy())
    assert looked("deploy limits backend", World(here, Query=measured(pod))).table
    assert not looked("deploy limits backend", World(here, Query=measured("backend-x-y-z"))).table


def test_the_window_is_the_sites_unless_it_is_given() -> None:
    world = World(Query=measured())
    assert looked("deploy limits backend", world).note.startswith("over 7 d")
    assert looked("deploy limits backend --window 3d", world).note.startswith("over 3 d")
    assert any("[3d:5m]" in read.expr for read in world.asked if isinstance(read, Query))
