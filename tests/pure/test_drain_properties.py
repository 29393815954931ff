"""What holds for every plan of a drain, whatever stands on the node: on worlds that nobody thought of."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.change import drift
from commands.effects import Cordon, Evict
from commands.plan import Go, Plan
from commands.scheduling import Budgets, BudgetView, PodDetail
from tests.pure.drain_world import NOW, World, budget, owner, pod, scratch, selector, view

CONTROLLERS = {
    "ReplicaSet": (owner("web-5f"), view("web-5f", above="web")),
    "StatefulSet": (owner("db", "StatefulSet"), view("db", "StatefulSet")),
    "DaemonSet": (owner("agent", "DaemonSet"), view("agent", "DaemonSet")),
    "Job": (owner("load", "Job"), view("load", "Job")),
    "gone": (owner("gone"), None),
    "gone daemon": (owner("lost", "DaemonSet"), None),
    "other": (owner("shards", "CloneSet"), None),
}
APPS = ("web", "db", "none")


@st.composite
def pods(draw: Any) -> PodDetail:
    kind = draw(st.sampled_from([*CONTROLLERS, None]))
    name = draw(st.from_regex(r"[a-z]([a-z0-9-]{0,250}[a-z0-9])?", fullmatch=True))
    return pod(
        name,
        uid=f"uid-{draw(st.uuids())}",
        labels=draw(st.fixed_dictionaries({"app": st.sampled_from(APPS)})),
        owner=CONTROLLERS[kind][0] if kind else None,
        phase=draw(st.sampled_from(["Running", "Pending", "Succeeded", "Failed", "Unknown", ""])),
        ready=draw(st.booleans()),
        mirror=draw(st.booleans()),
        deleted=draw(st.sampled_from([None, None, None, NOW])),
        volumes=draw(st.sampled_from([(), (), (scratch(),)])),
        grace=draw(st.integers(0, 3600)),
        priority=draw(st.integers(-(10**9), 2 * 10**9)),
    )


@st.composite
def guards(draw: Any) -> tuple[BudgetView, ...]:
    counts = st.integers(0, 4)
    return tuple(
        budget(
            f"b{number}",
            selector=draw(st.sampled_from([selector(app=app) for app in APPS] + [selector(), None])),
            allowed=draw(st.integers(-1, 3)), healthy=draw(counts), desired=draw(counts), expected=draw(counts),
            generation=draw(st.integers(1, 2)), always_allows_unready=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 3)))
    )  # fmt: skip


@st.composite
def worlds(draw: Any) -> World:
    on_node = draw(st.lists(pods(), min_size=1, max_size=12, unique_by=lambda each: each.target.name))
    known = tuple(held for _, held in CONTROLLERS.values() if held)
    return World(*on_node, budgets=draw(guards()), owners=known)


OPTIONS = st.sampled_from([{}, {"orphans": ""}, {"emptydir": ""}, {"orphans": "", "emptydir": ""}])


def evictions(plan: Plan) -> list[Evict]:
    return [step.effect for step in plan.steps if isinstance(step.effect, Evict)]


def guarding(world: World, each: PodDetail) -> list[BudgetView]:
    held = world.answer(Budgets())
    return [b for b in held if b.guards(each.target.namespace, each.labels)]


@settings(deadline=None, max_examples=50)
@given(worlds(), OPTIONS)
def test_only_what_the_scope_names_is_touched_and_nothing_twice(world: World, flags: dict[str, str]) -> None:
    plan, by_uid = world.plan(**flags), {each.target.uid: each for each in world.pods}
    assert len({step.key for step in plan.steps}) == len(plan.steps)
    for step in plan.steps:
        if isinstance(step.effect, Cordon):
            assert f"node node-7 {step.effect.target.uid}" in plan.scope
            continue
        each = by_uid[step.effect.target.uid]
        assert not each.mirror and each.deleted is None
        names = {str(each.target), f"{each.target} {each.target.uid}"}
        if each.owner:
            upper = view("web-5f", above="web").above
            names |= {
                f"{each.owner.kind} shop/{each.owner.name}",
                f"Deployment shop/{upper.name if upper else ''}",
            }
        assert names & set(plan.scope)


@settings(deadline=None, max_examples=50)
@given(worlds(), OPTIONS)
def test_pods_and_data_are_lost_only_where_that_was_said(world: World, flags: dict[str, str]) -> None:
    plan, by_uid = world.plan(**flags), {each.target.uid: each for each in world.pods}
    going = [by_uid[effect.target.uid] for effect in evictions(plan)]
    running = [each for each in going if not each.finished]
    lost = [each for each in running if each.owner is None or each.owner.name == "lost"]
    if lost:
        assert plan.approvers == 2 and ("orphans" in flags or plan.go is Go.BLOCKED)
        assert all(f"{each.target} {each.target.uid}" in plan.scope for each in lost)
    if any(each.volumes for each in running):
        assert "emptydir" in flags or plan.go is Go.BLOCKED


@settings(deadline=None, max_examples=50)
@given(worlds())
def test_no_turn_takes_more_than_its_budget_allows_and_two_budgets_block(world: World) -> None:
    plan, by_uid = world.plan(orphans="", emptydir=""), {each.target.uid: each for each in world.pods}
    turns: Counter[tuple[str, str]] = Counter()
    for step in plan.steps:
        if not isinstance(step.effect, Evict):
            continue
        each = by_uid[step.effect.target.uid]
        held = guarding(world, each)
        is_asked = each.phase not in ("Succeeded", "Failed", "Pending")
        if len(held) > 1 and is_asked:
            assert plan.go is Go.BLOCKED
        if len(held) == 1 and is_asked and each.ready:
            assert step.lane == held[0].target.path
        if step.lane:
            _, later, number = step.text.rpartition(", turn ")
            turns[step.lane, number if later else "1"] += 1
    allowed = {each.target.path: max(each.allowed, 1) for each in world.answer(Budgets())}
    assert all(count <= allowed[lane] for (lane, _), count in turns.items())


@settings(deadline=None, max_examples=50)
@given(worlds(), OPTIONS, st.data())
def test_churn_of_what_was_approved_asks_nobody_again(world: World, flags: dict[str, str], data: Any) -> None:
    """Pods of controllers come back under other names; some do not come back."""
    shown = world.plan(**flags)
    left = data.draw(st.lists(st.sampled_from(world.pods), unique_by=lambda each: each.target.name))
    world.pods = tuple(_anew(each) if each.owner else each for each in left)
    again = world.plan(**flags)
    assert not [line for line in drift(shown, again) if line.startswith("also")]
    assert world.plan(**flags).digest == again.digest


def _anew(each: PodDetail) -> PodDetail:
    """Another pod of the same controller; where nothing makes another, the same."""
    if each.owner and each.owner.name == "lost":
        return each
    target = replace(each.target, name=f"{each.target.name}-2"[-253:], uid=f"{each.target.uid}-2")
    return replace(each, target=target)
