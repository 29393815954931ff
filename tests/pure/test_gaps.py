"""Whatever single read fails: a plan never looks better for it, and a proof never says that all is well.

One property over every changing verb, so that a read added later is held to it as well. What may be missing
without a word is listed here, with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import deploy_answers as shop
import pod_world as pods
import pytest

from commands import reads
from commands.change import Doing
from commands.deploy import restart, rollback, scale
from commands.deploy.verify import verify as rolled_out
from commands.evidence import BEFORE
from commands.finding import Light
from commands.model import Args, Gap, Read, Seen
from commands.node import cordon, drain
from commands.node import proof as drained
from commands.plan import Go, Mark, Plan, Progress, Result, Standing, Verdict
from commands.pod import deletion, proof, quarantine
from commands.pod.cutoff import Before
from commands.scheduling import QUARANTINE
from commands.site import ClusterSite, Monitoring, Prometheus
from commands.workloads import RESTARTED_AT
from tests.pure import drain_world as nodes

UNREAD = Gap("the dog ate it", "feed the dog")
SITE = ClusterSite(eks=False, monitoring=Monitoring(prometheus=Prometheus(url="http://prometheus:9090")))

Answer = Callable[[Read], Any]


@dataclass(frozen=True)
class Case:
    """A verb in a world where all is well. before, after: what is read there for the plan, and for its proof."""

    args: Args
    plan: Any
    verify: Any
    before: Answer
    after: Answer
    who: Any = nodes.WHO

    def planned(self, answer: Answer) -> Plan:
        made = driven(self.plan(self.args, SITE, self.who), answer)
        assert isinstance(made, Plan)
        return made

    def judged(self, plan: Plan, answer: Answer, *, is_over: bool) -> Verdict:
        long_ago = nodes.NOW - 30 * shop.SECOND
        marks = {step.key: Mark(Standing.PROVED, long_ago) for step in plan.steps}
        progress = Progress("w", nodes.NOW - shop.MINUTE, nodes.NOW + shop.HOUR, marks)
        verdict = driven(self.verify(Doing(self.args, plan, progress, is_over), SITE), answer)
        assert isinstance(verdict, Verdict)
        return verdict


def driven(inquiry: Any, answer: Answer) -> Any:
    try:
        wanted = next(inquiry)
        while True:
            wanted = inquiry.send(Seen({read: answer(read) for read in wanted}))
    except StopIteration as end:
        return end.value


def asked_by(run: Callable[[Answer], Any], answer: Answer) -> list[Read]:
    found: list[Read] = []

    def noted(read: Read) -> Any:
        found.append(read)
        return answer(read)

    run(noted)
    return found


def without(read: Read, answer: Answer) -> Answer:
    return lambda each: UNREAD if each == read else answer(each)


# --- The verbs ------------------------------------------------------------------------------------


def of_pods(**changes: Any) -> Answer:
    world = {kind.__name__: answer for kind, answer in pods.WORLD.items()} | changes
    return lambda read: world[type(read).__name__]


CUT = pods.pod(
    labels={"team": "shop", QUARANTINE: pods.WHO.request}, controller=None,
    annotations={BEFORE: Before({"app": "web", "pod-template-hash": "5f"}, "ReplicaSet web-5f", "uid-rs").written()},
)  # fmt: skip


def _drain() -> Case:
    mine = nodes.pod(volumes=(nodes.claimed(),))
    world = nodes.World(
        mine, nodes.DAEMON, nodes.pod("cut-off", labels={QUARANTINE: "R1"}, owner=None),
        volumes=(nodes.volume(shared=True),), kept=frozenset({"uid-cut-off"}),
    )  # fmt: skip
    gone = nodes.World(nodes.DAEMON, nodes=(nodes.node(unschedulable=True), nodes.node("node-8")))
    args = Args("node", "drain", "node-7", {"orphans": ""})
    return Case(args, drain.plan, drained.verify, world.answer, gone.answer)


def _cordon(verb: str) -> Case:
    is_open, closed = nodes.World(), nodes.World(nodes=(nodes.node(unschedulable=True), nodes.node("node-8")))
    here, there = (is_open, closed) if verb == "cordon" else (closed, is_open)
    return Case(Args("node", verb, "node-7"), cordon.plan, cordon.verify, here.answer, there.answer)


def _delete() -> Case:
    before = of_pods(OnePod=pods.pod(labels={**pods.LABELS, QUARANTINE: "R1"}))
    return Case(pods.args("delete"), deletion.plan, deletion.verify, before, of_pods(OnePod=None))


def _isolate() -> Case:
    after = of_pods(OnePod=CUT, Policies=(pods.DENIAL,))
    return Case(pods.args("isolate"), quarantine.isolate, proof.isolated, of_pods(), after, pods.WHO)


def _release() -> Case:
    before = of_pods(OnePod=CUT, Policies=(pods.DENIAL,))
    return Case(pods.args("release"), quarantine.release, proof.released, before, of_pods())


REFERRING = shop.template(container={"envFrom": [{"configMapRef": {"name": "web-config"}}]})


def _rollback() -> Case:
    history = (shop.revision(7), shop.revision(6, template=REFERRING))
    view = shop.view(template=history[0].template)
    before = shop.World(view, Revisions=history)
    after = shop.World(
        replace(view, template=REFERRING),
        Revisions=(shop.revision(8, source="backend-7", template=REFERRING),),
    )
    return Case(shop.args("rollback"), rollback.plan, rolled_out, before, after)


def _restart() -> Case:
    before = shop.World(shop.view(template=REFERRING))
    at = nodes.NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = shop.template(container=REFERRING["spec"]["containers"][0], notes={RESTARTED_AT: at})
    after = shop.World(shop.view(template=fresh), Revisions=(shop.revision(7, template=fresh),))
    return Case(shop.args("restart"), restart.plan, rolled_out, before, after)


def _scale(to: int) -> Case:
    after = shop.World(
        shop.view(replicas=to), Members=tuple(shop.member(f"backend-7-{n}") for n in range(to))
    )
    return Case(shop.args("scale", replicas=str(to)), scale.plan, rolled_out, shop.World(), after)


CASES = {
    "drain": _drain(), "cordon": _cordon("cordon"), "uncordon": _cordon("uncordon"), "delete": _delete(),
    "isolate": _isolate(), "release": _release(), "rollback": _rollback(), "restart": _restart(),
    "scale up": _scale(5), "scale down": _scale(2), "scale to nothing": _scale(0),
}  # fmt: skip


# What may be missing from a plan without a word.
SILENT: dict[tuple[str, type[Read]], str] = {
    ("drain", reads.Now): "tells ages only, as long as no pod is on its way out",
    ("cordon", reads.Now): "tells ages only",
    ("uncordon", reads.Now): "tells ages only",
    ("drain", reads.Deployment): "whether nodes are added matters where pods do not fit alone",
}


def planning() -> Iterator[Any]:
    for name, case in CASES.items():
        for read in asked_by(case.planned, case.before):
            if (name, type(read)) not in SILENT:
                yield pytest.param(case, read, id=f"{name}: {type(read).__name__}")


def proving() -> Iterator[Any]:
    for name, case in CASES.items():
        plan = case.planned(case.before)
        for read in asked_by(partial(case.judged, plan, is_over=False), case.after):
            yield pytest.param(case, read, id=f"{name}: {type(read).__name__}")


@pytest.mark.parametrize("name", CASES)
def test_the_worlds_are_well_enough_for_a_missing_answer_to_be_seen(name: str) -> None:
    case = CASES[name]
    plan = case.planned(case.before)
    assert plan.steps and plan.go is not Go.BLOCKED, plan.findings
    assert not [each for each in plan.findings if each.light is Light.UNKNOWN]
    assert case.judged(plan, case.after, is_over=False).result is Result.SUCCEEDED


@pytest.mark.parametrize(("case", "read"), list(planning()))
def test_no_plan_is_better_for_what_was_not_read(case: Case, read: Read) -> None:
    plan = case.planned(without(read, case.before))
    named = [each for each in plan.findings if UNREAD.reason in " ".join((each.value, *each.evidence))]
    assert named and all(each.light in (Light.RED, Light.UNKNOWN) for each in named), plan.findings
    assert plan.go in (Go.RISK, Go.BLOCKED)
    assert any(each.mend for each in named)


@pytest.mark.parametrize("is_over", [False, True])
@pytest.mark.parametrize(("case", "read"), list(proving()))
def test_no_proof_succeeds_on_what_was_not_read(case: Case, read: Read, is_over: bool) -> None:
    verdict = case.judged(case.planned(case.before), without(read, case.after), is_over=is_over)
    assert verdict.result is (Result.PARTIAL if is_over else Result.WAITING)
    told = " ".join((*verdict.waiting, *verdict.left, verdict.summary))
    assert UNREAD.reason in told
