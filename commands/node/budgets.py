"""What disruption budgets make of a drain: who goes when, who waits for what, and what never ends.

The API server's own rules, counted over all pods that are to go, because its dry run does not count.
Called by the plan of a drain. A way past a budget is never offered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from commands.finding import Finding, Light, Suggestion
from commands.node.cases import Case, Controllers, Kind
from commands.phrase import counted
from commands.scheduling import BudgetView, Placement


@dataclass(frozen=True, slots=True)
class Turn:
    """When a pod goes. lane: the budget it waits for, "" where none counts it. number: from 1."""

    lane: str = ""
    number: int = 1


@dataclass(frozen=True, slots=True)
class Accounts:
    """turns: by uid. charged: the pods that each budget counts, in their order. two: pods with several."""

    turns: Mapping[str, Turn]
    charged: Mapping[str, tuple[Case, ...]]
    budgets: Mapping[str, BudgetView]
    two: tuple[tuple[Case, tuple[BudgetView, ...]], ...]

    def turn(self, case: Case) -> Turn:
        return self.turns.get(case.pod.target.uid, Turn())

    @property
    def most(self) -> int:
        return max((turn.number for turn in self.turns.values()), default=1)


def accounts(cases: Iterable[Case], budgets: Sequence[BudgetView]) -> Accounts:
    charged: dict[str, list[Case]] = defaultdict(list)
    two: list[tuple[Case, tuple[BudgetView, ...]]] = []
    for case in cases:
        over = _over(case, budgets)
        if len(over) > 1:
            two.append((case, over))
        elif over and _counts(case, over[0]):
            charged[over[0].target.path].append(case)
    by_path = {budget.target.path: budget for budget in budgets}
    ordered = {path: tuple(sorted(held, key=_order)) for path, held in charged.items()}
    turns = {
        case.pod.target.uid: Turn(path, index // max(by_path[path].allowed, 1) + 1)
        for path, held in ordered.items()
        for index, case in enumerate(held)
    }
    return Accounts(turns, ordered, by_path, tuple(two))


def _order(case: Case) -> tuple[int, int, str]:
    """Those that serve nobody first, then the less important ones."""
    return int(case.pod.ready), case.pod.priority, case.path


def _over(case: Case, budgets: Sequence[BudgetView]) -> tuple[BudgetView, ...]:
    """The API server asks no budget over a pod that is finished, has not begun, or is going already."""
    if case.kind not in (Kind.EVICT, Kind.ORPHAN) or case.pod.phase == "Pending":
        return ()
    pod = case.pod
    return tuple(budget for budget in budgets if budget.guards(pod.target.namespace, pod.labels))


def _counts(case: Case, budget: BudgetView) -> bool:
    """A pod that is not ready goes free of charge, once the budget has all the healthy ones it wants."""
    if case.pod.ready:
        return True
    return not (budget.always_allows_unready or budget.healthy >= budget.desired > 0)


# --- Findings -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Around:
    """What else bears on a budget: pods elsewhere, who owns what, and which nodes leave for good or are sick."""

    placements: tuple[Placement, ...]
    known: Controllers
    sick: frozenset[str]


def findings(found: Accounts, around: Around) -> tuple[Finding, ...]:
    each = (
        finding
        for path, cases in found.charged.items()
        for finding in _judged(found.budgets[path], cases, around)
    )
    return (*(_two(case, over) for case, over in found.two), *each)


def _two(case: Case, over: tuple[BudgetView, ...]) -> Finding:
    names = " and ".join(budget.target.path for budget in over)
    return Finding(
        "drain.two-budgets", "Two budgets", Light.RED,
        f"{case.path} is guarded by {names}; the API server refuses every eviction of such a pod",
        evidence=tuple(_numbers(budget) for budget in over),
        mend="let one budget alone select the pod",
    )  # fmt: skip


def _judged(budget: BudgetView, cases: tuple[Case, ...], around: Around) -> Iterable[Finding]:
    if budget.observed < budget.generation:
        yield Finding(
            "drain.budget-behind", "Budget", Light.YELLOW,
            f"{budget.target.path}: its status is behind its spec, so evictions wait for the controller",
            evidence=(_numbers(budget),),
        )  # fmt: skip
        return  # what it says of its pods is of before
    if budget.allowed < 0:
        yield _red("drain.budget-broken", budget, cases, "its status makes no sense, evictions are refused")
    elif budget.allowed == 0:
        yield _none_left(budget, cases, around)
    elif budget.allowed < len(cases):
        turns = -(-len(cases) // budget.allowed)
        yield Finding(
            "drain.budget-turns", "Budget", Light.GREEN,
            f"{budget.target.path} lets {budget.allowed} of {len(cases)} pods go at a time: {turns} turns",
            evidence=(_numbers(budget),),
        )  # fmt: skip


def _none_left(budget: BudgetView, cases: tuple[Case, ...], around: Around) -> Finding:
    if budget.expected == 0:
        why = "it counts no pods, because theirs is no controller it could ask: it blocks for ever"
        return _red("drain.budget-never", budget, cases, why, "give the budget a minAvailable number")
    if budget.expected - budget.desired <= 0:
        why = f"it wants {budget.desired} of {counted(budget.expected, 'pod')}: no pod may ever go"
        return _red("drain.budget-never", budget, cases, why, *_scaled_up(cases, budget, around))
    unready = [p for p in around.placements if not p.ready and budget.guards(p.namespace, p.labels)]
    if unready and all(placement.node in around.sick for placement in unready):
        why = "the pods it waits for are on the node that is to be drained, and that is not Ready"
        mend = "set unhealthyPodEvictionPolicy: AlwaysAllow in the budget"
        return _red("drain.budget-deadlock", budget, cases, why, mend)
    waits = f", {len(unready)} not ready" if unready else ""
    return Finding(
        "drain.budget-waits", "Budget", Light.YELLOW,
        f"{budget.target.path} lets no pod go now{waits}; the drain waits until it does",
        evidence=(_numbers(budget), *(case.path for case in cases)),
        mend="mend the pods that are not ready",
        suggestions=(Suggestion("Pods not well", f"pod list --namespace {budget.target.namespace}"),),
    )  # fmt: skip


def _red(
    key: str,
    budget: BudgetView,
    cases: tuple[Case, ...],
    why: str,
    mend: str = "",
    suggestion: Suggestion | None = None,
) -> Finding:
    return Finding(
        key, "Budget", Light.RED, f"{budget.target.path}: {why}",
        evidence=(_numbers(budget), *(case.path for case in cases)),
        mend=mend,
        suggestions=(suggestion,) if suggestion else (),
    )  # fmt: skip


def _scaled_up(cases: tuple[Case, ...], budget: BudgetView, around: Around) -> tuple[str, Suggestion | None]:
    kind, _, path = cases[0].workload.partition(" ")
    more = (around.known.replicas(cases[0].workload) or budget.expected) + 1
    if kind not in ("Deployment", "StatefulSet"):
        return "loosen the budget", None
    line = f"deploy scale {path} --replicas {more}"
    return f"scale {path} to {more}, or loosen the budget", Suggestion(f"Scale to {more}", line)


def _numbers(budget: BudgetView) -> str:
    return (
        f"{budget.target.path}: {budget.healthy} healthy, {budget.desired} wanted, "
        f"{budget.expected} expected, {budget.allowed} may go"
    )


def idle(
    budgets: Sequence[BudgetView], cases: Iterable[Case], placements: Iterable[Placement]
) -> tuple[str, ...]:
    """Budgets next to the pods that guard nothing: most often a label that was misspelt."""
    near = [(case.pod.target.namespace, case.pod.labels) for case in cases]
    namespaces = {namespace for namespace, _ in near}
    near += [(each.namespace, each.labels) for each in placements if each.namespace in namespaces]
    empty = (b for b in budgets if b.target.namespace in namespaces and not b.expected)
    return tuple(
        f"Budget {budget.target.path} selects no pod"
        for budget in empty
        if not any(budget.guards(namespace, labels) for namespace, labels in near)
    )
