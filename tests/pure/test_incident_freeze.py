"""The plans of a freeze and of its end: what is stopped, what is written down, what differs by the time it ends."""

import json
from dataclasses import replace
from typing import Any

import pytest
from incident_world import GAP, SPACE, WHO, World, args, doing, lights, policy, shop, value, workload

from commands import grammar
from commands.effects import FROZEN, AllowTraffic, ExceptTraffic, Freeze, Target, Thaw
from commands.errors import UsageError
from commands.incident import freeze, frozen, unfreeze
from commands.incident.freeze import FREEZE
from commands.incident.frozen import verify
from commands.incident.unfreeze import UNFREEZE
from commands.plan import Go, Plan, Result
from commands.securityreads import FlagView, ScalerView, ScheduleView
from commands.site import ClusterSite
from commands.workloads import Owner, WorkloadView

SCALE = shop()
FLAG = shop("flag", config_map="settings", key="mode.writes", value="off")
NETPOL = shop("netpol", database=("10.9.0.0/24",))
BOUNDS: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 9}
STOPPED = '{"scaleDown": {"selectPolicy": "Disabled"}, "scaleUp": {"selectPolicy": "Disabled"}}'


def planned(world: World | None = None, site: ClusterSite = SCALE) -> Plan:
    return (world or World()).plan(freeze.plan(args("freeze", "backend"), site, WHO))


def ended(world: World, site: ClusterSite = SCALE) -> Plan:
    return world.plan(unfreeze.plan(args("unfreeze", "backend"), site, WHO))


def effects(plan: Plan) -> list[Any]:
    return [step.effect for step in plan.steps]


def scaler(called: str = "backend", **changes: Any) -> ScalerView:
    target = Target("HorizontalPodAutoscaler", SPACE, called, f"uid-hpa-{called}")
    return replace(ScalerView(target, "Deployment", "backend", 2, 9), **changes)


def cron(name: str = "report", **changes: Any) -> ScheduleView:
    return replace(ScheduleView(Target("CronJob", SPACE, name, f"uid-cron-{name}"), "0 3 * * *"), **changes)


def flag(value: str | None = "on", **changes: Any) -> FlagView:
    return replace(FlagView(Target("ConfigMap", SPACE, "settings", "uid-settings"), value), **changes)


def noted(field: str, service: str = "backend", **was: Any) -> dict[str, str]:
    held = {"request": "ROLD", "service": service, "field": field, **was}
    return {FROZEN: json.dumps(held)}


def stopped(was: int = 3, **changes: Any) -> WorkloadView:
    return workload(replicas=0, annotations=noted("/spec/replicas", was=was), **changes)


BUSY = World(
    Scalers=(scaler(), scaler("other", name="other")), Schedules=(cron(), cron("old", is_suspended=True))
)


# --- Freezing ---------------------------------------------------------------------------------------


def test_writers_autoscalers_and_cron_jobs_stop_at_once() -> None:
    plan = planned(BUSY)
    assert effects(plan) == [
        Freeze(workload().target, "/spec/replicas", "0", WHO.request, "backend"),
        Freeze(scaler().target, "/spec/behavior", STOPPED, WHO.request, "backend"),
        Freeze(cron().target, "/spec/suspend", "true", WHO.request, "backend"),
    ]
    assert len(plan.waves) == 1, "one that fails keeps no other from being tried"
    assert plan.undo == "incident unfreeze backend"
    assert plan.before == (
        ("Deployment sre-shop/backend", "replicas 3"),
        ("HorizontalPodAutoscaler sre-shop/backend", "minReplicas 2, maxReplicas 9"),
        ("CronJob sre-shop/report", "schedule 0 3 * * *"),
    )
    assert set(plan.locks) == {"freeze/sre-shop/backend", "workload/Deployment/sre-shop/backend"}
    assert plan.go is Go.GO


def test_how_many_pods_there_are_does_not_change_what_was_approved() -> None:
    """An autoscaler goes on until the freeze: what is written down is what is found then."""
    assert (
        planned(World(Workloads=(workload(replicas=7),))).scope
        == planned(World(Workloads=(workload(),))).scope
    )


def test_the_writers_that_are_configured_are_stopped() -> None:
    site = shop(writers=("worker", "sts/queue", "gone"), cron_jobs=("nightly-*",))
    there = (workload(), workload("worker"), workload("queue", kind="StatefulSet"), workload("queue"))
    plan = planned(World(Workloads=there, Schedules=(cron(), cron("nightly-sync"))), site)
    assert [str(each.target) for each in effects(plan)] == [
        "Deployment sre-shop/worker", "StatefulSet sre-shop/queue", "CronJob sre-shop/nightly-sync",
    ]  # fmt: skip
    assert value(plan, "freeze.missing") == "no workload gone in namespace sre-shop"


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (World(Workloads=(workload(kind="DaemonSet"),)), {"freeze.daemon": "red"}),
        (World(Workloads=()), {"freeze.missing": "yellow", "freeze.none": "red"}),
        (World(Workloads=GAP), {"freeze.unread": "red"}),
        (World(Scalers=GAP), {"freeze.scalers": "unknown"}),
        (World(Schedules=GAP), {"freeze.schedules": "unknown"}),
        (World(Scalers=(scaler(keda="backend"),)), {"freeze.keda": "red"}),
        (World(Schedules=(cron(running=("report-1",)),)), {"freeze.running": "yellow"}),
        (
            World(Workloads=(workload(labels={"kustomize.toolkit.fluxcd.io/name": "shop"}),)),
            {"freeze.owner": "yellow"},
        ),
        (
            World(Workloads=(workload(owners=(Owner("x/v1", "Shop", "main", is_controller=True),)),)),
            {"freeze.owner": "yellow"},
        ),
        (World(DryRun=GAP), {"incident.unrehearsed": "unknown"}),
    ],
    ids=["daemon set", "no writer", "unread", "autoscalers unread", "cron jobs unread", "keda", "a job runs", "flux",
         "operator", "no dry run"],
)  # fmt: skip
def test_what_would_start_it_again_or_is_not_known_is_told(world: World, expected: dict[str, str]) -> None:
    plan = planned(world)
    assert lights(plan) == expected
    assert plan.go is (Go.BLOCKED if "red" in expected.values() else Go.RISK)


def test_a_job_that_goes_on_is_named_with_the_line_that_ends_it() -> None:
    plan = planned(World(Schedules=(cron(is_suspended=True, running=("report-1", "report-2")),)))
    assert plan.findings[0].mend == "kubectl delete job -n sre-shop report-1 report-2"


def test_what_is_frozen_keeps_its_first_record() -> None:
    """A freeze whose worker died half way is completed; what it wrote down stays as it is."""
    world = World(Workloads=(stopped(),), Scalers=(scaler(),), Schedules=(cron(),))
    plan = planned(world)
    assert [each.target.kind for each in effects(plan)] == ["HorizontalPodAutoscaler", "CronJob"]
    assert value(plan, "freeze.already") == "is frozen already, by ROLD"


@pytest.mark.parametrize(
    "world",
    [
        World(Workloads=(workload(annotations=noted("/spec/replicas", was=2)),)),
        World(Scalers=(scaler(annotations=noted("/spec/behavior")),)),
        World(Schedules=(cron(annotations=noted("/spec/suspend")),)),
    ],
)
def test_what_bears_an_old_record_and_goes_on_is_stopped_all_the_same(world: World) -> None:
    """kubectl's undo of a rollout brings the annotations of an earlier revision back."""
    plan = planned(world)
    assert lights(plan) == {"freeze.stale": "yellow"}
    assert "by ROLD, and goes on" in value(plan, "freeze.stale")
    assert len(effects(plan)) == 1 + bool(world.answers["Scalers"] or world.answers["Schedules"])


def test_a_flag_with_an_old_record_is_set_again() -> None:
    plan = planned(World(Flag=flag("on", annotations=noted("/data/mode.writes"))), FLAG)
    assert lights(plan) == {"freeze.stale": "yellow", "freeze.seen": "yellow"} and len(effects(plan)) == 1


def test_a_writer_without_pods_has_nothing_to_stop() -> None:
    assert planned(World(Workloads=(workload(replicas=0),))).go is Go.NOTHING


def test_a_service_is_named_and_known() -> None:
    for name, why in (("", "Which service"), ("backnd", "backend")):
        with pytest.raises(UsageError, match=why):
            World().plan(freeze.plan(args("freeze", name), SCALE, WHO))


@pytest.mark.parametrize("line", [*FREEZE.examples, *UNFREEZE.examples])
def test_the_lines_that_are_typed_are_read(line: str) -> None:
    parsed = grammar.parse(line, (FREEZE, UNFREEZE))
    assert parsed.command.parts(parsed.args, SCALE) == {}


# --- The other ways ---------------------------------------------------------------------------------


def test_a_flag_is_set_and_cron_jobs_stop_as_well() -> None:
    plan = planned(World(Flag=flag(), Schedules=(cron(),)), FLAG)
    assert effects(plan) == [
        Freeze(flag().target, "/data/mode.writes", '"off"', WHO.request, "backend"),
        Freeze(cron().target, "/spec/suspend", "true", WHO.request, "backend"),
    ]
    assert lights(plan) == {"freeze.seen": "yellow"}
    assert planned(World(Flag=flag("off")), FLAG).go is Go.NOTHING


@pytest.mark.parametrize("answer", [None, GAP])
def test_without_its_config_map_there_is_no_flag_to_set(answer: Any) -> None:
    assert lights(planned(World(Flag=answer), FLAG)) == {"freeze.flag": "red"}


@pytest.mark.parametrize(("mode", "key"), [("flag", "config_map"), ("netpol", "database")])
def test_a_mode_that_lacks_its_key_names_it(mode: str, key: str) -> None:
    plan = planned(site=shop(mode))
    assert (plan.go, plan.findings[0].mend) == (Go.BLOCKED, f"Set `services.backend.freeze.{key}`.")


def test_a_policy_keeps_the_writers_from_the_database() -> None:
    plan = planned(site=NETPOL)
    target = Target("NetworkPolicy", SPACE, "sre-bot-freeze.backend.backend", "")
    assert effects(plan) == [ExceptTraffic(target, (("app", "backend"),), ("10.9.0.0/24",), ("Egress",))]
    assert lights(plan) == {"freeze.open": "yellow"}


@pytest.mark.parametrize(
    ("world", "key"),
    [
        (World(Policies=(policy("out", "Egress"),)), "freeze.adds"),
        (World(Policies=(policy("out", "Egress", matchLabels={"app": "backend"}),)), "freeze.adds"),
        (World(Policies=GAP), "freeze.unread"),
        (World(Workloads=(workload(selector="app in (a,b)"),)), "freeze.selector"),
    ],
)
def test_a_policy_that_would_not_hold_is_not_made(world: World, key: str) -> None:
    plan = planned(world, NETPOL)
    assert plan.go is Go.BLOCKED and lights(plan)[key] == "red"


@pytest.mark.parametrize(
    "other", [policy("in", "Ingress"), policy("out", "Egress", matchLabels={"app": "other"})]
)
def test_a_policy_that_opens_no_way_out_of_it_does_not_matter(other: Any) -> None:
    assert planned(World(Policies=(other,)), NETPOL).go is Go.RISK


# --- Its end ----------------------------------------------------------------------------------------


def test_everything_goes_back_to_what_was_written_down() -> None:
    behavior = {"scaleUp": {"stabilizationWindowSeconds": 60}}
    held = World(
        Workloads=(stopped(7),),
        Scalers=(
            scaler(is_stopped=True, annotations=noted("/spec/behavior", was=behavior, **BOUNDS)),
            scaler("plain", is_stopped=True, annotations=noted("/spec/behavior", **BOUNDS)),
        ),
        Schedules=(
            cron(is_suspended=True, annotations=noted("/spec/suspend", was=False)),
            cron("old", is_suspended=True),
        ),
        Policies=(
            policy("sre-bot-freeze.backend.backend", "Egress"),
            policy("sre-bot-freeze.backend-b.x", "Egress"),
        ),
    )
    plan = ended(held)
    assert [(str(e.target), e.to if isinstance(e, Thaw) else "") for e in effects(plan)] == [
        ("Deployment sre-shop/backend", "7"),
        ("HorizontalPodAutoscaler sre-shop/backend", json.dumps(behavior)),
        ("HorizontalPodAutoscaler sre-shop/plain", ""),
        ("CronJob sre-shop/report", "false"),
        ("NetworkPolicy sre-shop/sre-bot-freeze.backend.backend", ""),
    ]
    assert (plan.go, plan.facts, plan.undo) == (Go.GO, ("frozen by ROLD",), "incident freeze backend")
    assert plan.steps[0].text == "Deployment sre-shop/backend: back to 7 pods"
    assert all(e.note == held.answers["Workloads"][0].annotations[FROZEN] for e in effects(plan)[:1])


def test_half_a_freeze_is_undone_as_far_as_it_came() -> None:
    plan = ended(
        World(
            Workloads=(workload(),), Scalers=(scaler(is_stopped=True, annotations=noted("/spec/behavior")),)
        )
    )
    assert [str(each.target) for each in effects(plan)] == ["HorizontalPodAutoscaler sre-shop/backend"]


@pytest.mark.parametrize(
    "world", [World(), World(Workloads=(workload(annotations=noted("/spec/replicas", "other", was=2)),))]
)
def test_nothing_frozen_is_refused(world: World) -> None:
    plan = ended(world)
    assert (plan.go, value(plan, "unfreeze.none")) == (Go.BLOCKED, "nothing of it is frozen")


def test_what_was_not_read_may_be_frozen_and_is_said_to_be_unknown() -> None:
    plan = ended(World(Workloads=GAP))
    assert plan.go is Go.BLOCKED and "of what was read" in value(plan, "unfreeze.none")
    some = ended(World(Workloads=(stopped(),), Schedules=GAP))
    assert (some.go, lights(some)) == (Go.RISK, {"unfreeze.unread": "unknown"})


@pytest.mark.parametrize(
    ("world", "site", "said"),
    [
        (
            World(Workloads=(replace(stopped(), replicas=2),)),
            SCALE,
            "asks for 2 pods now, where the freeze left none: back to 3 pods",
        ),
        (World(Scalers=(scaler(annotations=noted("/spec/behavior")),)), SCALE, "may scale already"),
        (
            World(Scalers=(scaler(is_stopped=True, high=20, annotations=noted("/spec/behavior", **BOUNDS)),)),
            SCALE,
            "has bounds 2 to 20 now, and had 2 to 9: they stay",
        ),
        (World(Schedules=(cron(annotations=noted("/spec/suspend")),)), SCALE, "is not suspended any more"),
        (World(Flag=flag("half", annotations=noted("/data/mode.writes", was="on"))), FLAG, "says half now"),
    ],
    ids=["replicas", "scaler", "bounds", "schedule", "flag"],
)
def test_what_differs_by_now_is_said(world: World, site: ClusterSite, said: str) -> None:
    plan = ended(world, site)
    assert said in value(plan, "unfreeze.differs") and plan.go is Go.RISK


def test_a_writer_that_was_made_anew_has_no_record_and_is_left_alone() -> None:
    plan = ended(
        World(
            Workloads=(workload(replicas=0),),
            Schedules=(cron(is_suspended=True, annotations=noted("/spec/suspend")),),
        )
    )
    assert "nothing on it says what it had" in value(plan, "unfreeze.norecord")
    assert [each.target.kind for each in effects(plan)] == ["CronJob"]


@pytest.mark.parametrize("note", ["", "mine", "[]", '{"request": "R"}', "null"])
def test_a_record_that_somebody_spoilt_is_left_alone(note: str) -> None:
    plan = ended(World(Workloads=(workload(replicas=0, annotations={FROZEN: note}),)))
    assert effects(plan) == [] and lights(plan) == {"unfreeze.record": "yellow"}
    assert frozen.record(note) is None


@pytest.mark.parametrize(
    "world",
    [
        World(Workloads=(workload(replicas=0, annotations=noted("/spec/template", was=3)),)),
        World(Workloads=(workload(replicas=0, annotations=noted("/spec/replicas", was="three")),)),
        World(Workloads=(workload(replicas=0, annotations=noted("/spec/replicas", was=-1)),)),
        World(Scalers=(scaler(is_stopped=True, annotations=noted("/spec/maxReplicas", was=99)),)),
        World(Scalers=(scaler(is_stopped=True, annotations=noted("/spec/behavior", was=[])),)),
        World(Scalers=(scaler(is_stopped=True, annotations=noted("/spec/behavior", minReplicas="2")),)),
        World(Schedules=(cron(is_suspended=True, annotations=noted("/spec/schedule", was="* * * * *")),)),
        World(Schedules=(cron(is_suspended=True, annotations=noted("/spec/suspend", was="no")),)),
        World(Flag=flag("off", annotations=noted("/metadata/labels", was={}))),
        World(Flag=flag("off", annotations=noted("/data/", was="on"))),
        World(Flag=flag("off", annotations=noted("/data/mode.writes", was={}))),
    ],
)
def test_a_record_of_what_no_freeze_writes_is_left_alone(world: World) -> None:
    """Its sentence would say how many pods come back, and its write would be another."""
    plan = ended(world, FLAG if world.answers.get("Flag") else SCALE)
    assert effects(plan) == [] and lights(plan)["unfreeze.record"] == "yellow"


def test_a_flag_that_was_not_set_is_taken_away_again() -> None:
    [effect] = effects(ended(World(Flag=flag("off", annotations=noted("/data/mode.writes"))), FLAG))
    assert (effect.field, effect.to) == ("/data/mode.writes", "")


# --- Reading back -----------------------------------------------------------------------------------


FROZEN_NOW = World(
    Workloads=(stopped(),),
    Scalers=(scaler(is_stopped=True, annotations=noted("/spec/behavior")),),
    Schedules=(cron(is_suspended=True, annotations=noted("/spec/suspend", was=False)),),
)
ENDING = World(**{**FROZEN_NOW.answers, "Workloads": (replace(stopped(), total=2),)})
AS_BEFORE = World(Scalers=(scaler(),), Schedules=(cron(),))
STARTING = World(**{**AS_BEFORE.answers, "Workloads": (workload(ready=1),)})


@pytest.mark.parametrize(
    ("plan", "verb", "done", "nearly", "waiting"),
    [
        (planned(BUSY), "freeze", FROZEN_NOW, ENDING, "Deployment sre-shop/backend: 2 pods still there"),
        (ended(FROZEN_NOW), "unfreeze", AS_BEFORE, STARTING, "Deployment sre-shop/backend: 1 of 3 ready"),
    ],
)  # fmt: skip
def test_it_is_done_when_no_pod_is_left_and_over_when_all_are_ready(
    plan: Plan, verb: str, done: World, nearly: World, waiting: str
) -> None:
    good = done.drive(verify(doing(plan, verb, "backend"), SCALE))
    assert (good.result, len(good.proved)) == (Result.SUCCEEDED, len(plan.steps))
    soon = nearly.drive(verify(doing(plan, verb, "backend"), SCALE))
    assert (soon.result, soon.waiting, len(soon.proved)) == (Result.WAITING, (waiting,), len(plan.steps) - 1)
    late = nearly.drive(verify(doing(plan, verb, "backend", is_over=True), SCALE))
    assert (late.result, late.left) == (Result.PARTIAL, (waiting,))


@pytest.mark.parametrize(
    ("plan", "site", "world", "is_done"),
    [
        (planned(World(Flag=flag()), FLAG), FLAG, World(Flag=flag("off", annotations=noted("x"))), True),
        (planned(World(Flag=flag()), FLAG), FLAG, World(Flag=flag("on", annotations=noted("x"))), False),
        (planned(World(Flag=flag()), FLAG), FLAG, World(Flag=None), False),
        (planned(World(Flag=flag()), FLAG), FLAG, World(Flag=GAP), False),
        (planned(site=NETPOL), NETPOL, World(Policies=(policy("sre-bot-freeze.backend.backend"),)), True),
        (planned(site=NETPOL), NETPOL, World(), False),
        (planned(BUSY), SCALE, World(Workloads=(workload(annotations=noted("x")),)), False),
    ],
)  # fmt: skip
def test_each_way_is_read_back(plan: Plan, site: ClusterSite, world: World, is_done: bool) -> None:
    seen = world.drive(verify(doing(plan, "freeze", "backend", is_over=True), site))
    assert (seen.result is Result.SUCCEEDED) is is_done


def test_a_policy_that_is_lifted_is_read_back_too() -> None:
    held = policy("sre-bot-freeze.backend.backend", "Egress")
    plan = ended(World(Policies=(held,)), NETPOL)
    assert effects(plan) == [AllowTraffic(held.target)]
    for world, result in ((World(), Result.SUCCEEDED), (World(Policies=(held,)), Result.WAITING)):
        assert world.drive(verify(doing(plan, "unfreeze", "backend"), NETPOL)).result is result
