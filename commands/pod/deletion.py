"""`pod delete`: delete one pod, so that its controller makes another.

A deletion asks no disruption budget, so the plan says what the budgets would have said. Grace 0 is never
offered: it forgets the pod while its containers may still run.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from commands.change import Doing, Planning, Verifying, Who, blocked
from commands.effects import DeletePod
from commands.errors import UsageError
from commands.evidence import without_evidence
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Read, Reads
from commands.phrase import span
from commands.plan import Plan, Result, Step, Verdict, Wave
from commands.pod import single
from commands.podreads import OnePod, PodFacts
from commands.reads import EvidenceKept
from commands.scheduling import QUARANTINE, Budgets, BudgetView, OwnerView
from commands.site import ClusterSite
from commands.wording import unread

LONGEST_GRACE = 3600
# For the replacement, beyond the grace of the pod that goes.
STARTUP = timedelta(minutes=5)


def grace(args: Args) -> int | None:
    """None: the pod's own."""
    text = args.flags.get("grace", "")
    if not text:
        return None
    if not text.isdecimal() or int(text) > LONGEST_GRACE:
        raise UsageError(f"`--grace` takes seconds, such as 60, at most {LONGEST_GRACE}.")
    if int(text) == 0:
        raise UsageError(
            "`--grace 0` forgets the pod while its containers may still run, so it is not offered. "
            "Leave it out to give the pod its own time, or type 1 or more seconds."
        )
    return int(text)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    pod, given = single.wanted(args, site), grace(args)
    title = f"Delete {single.typed(pod)}"
    seen = yield (pod,)
    facts = seen[pod]
    problem = single.wrong(pod, facts) or _static(facts)
    if problem:
        return blocked(title, (problem,))
    if facts.is_leaving:
        return Plan(title, (Finding("delete.leaving", "Pod", Light.GREEN, "is being deleted already"),))
    further = yield _around(facts)
    made = _deletion(title, facts, given, further)
    if "dry-run" in args.flags:
        made = yield from single.rehearsed(made)
    return made


def _static(facts: PodFacts) -> Finding | None:
    if not facts.is_mirror:
        return None
    value = f"a static pod: it runs for as long as its file is on {facts.node}"
    return Finding("delete.static", "Pod", Light.RED, value, mend=f"remove its file on {facts.node}")


def _around(facts: PodFacts) -> Reads:
    owners = single.owners(facts.controller.kind, facts.target.namespace) if facts.controller else ()
    kept = (EvidenceKept((facts.target.uid,)),) if QUARANTINE in facts.labels else ()
    return (Budgets(), *owners, *kept)


def _deletion(title: str, facts: PodFacts, given: int | None, seen: Mapping[Read, Any]) -> Plan:
    seconds = timedelta(seconds=facts.grace if given is None else given)
    owner = _owner(facts, seen)
    step = Step(
        "delete", DeletePod(facts.target, given), f"delete {facts.target.path}, {span(seconds)} to end"
    )
    return Plan(
        title,
        (_next(facts, owner), *_budgets(facts, seen[Budgets()]), *_data(facts), *_evidence(facts, seen)),
        waves=(Wave("Delete", (step,)),),
        facts=(f"pod {facts.target.uid} on {facts.node or 'no node'}, {facts.phase}",),
        scope=(
            f"{facts.target} {facts.target.uid}",
            *((f"option --grace {given}",) if given is not None else ()),
        ),
        before=(("controller", str(facts.controller or "none")),),
        approvers=1 if isinstance(owner, OwnerView | Gap) else 2,
        locks=(single.lock(facts),),
        estimate=seconds,
        timeout=seconds + STARTUP,
    )


def _owner(facts: PodFacts, seen: Mapping[Read, Any]) -> OwnerView | Gap | None:
    """None where nothing makes it again."""
    if facts.controller is None:
        return None
    read = single.owners(facts.controller.kind, facts.target.namespace)
    return single.owner_of(seen, read, facts.controller.uid)


def _next(facts: PodFacts, owner: OwnerView | Gap | None) -> Finding:
    """What happens after it."""
    key, label, controller = "delete.next", "Afterwards", facts.controller
    if owner is None:
        why = f"{controller} is gone" if controller else "it has no controller"
        return Finding("delete.orphan", label, Light.YELLOW, f"{why}: this pod never comes back")
    if isinstance(owner, Gap):
        return unread(key, label, owner)
    if owner.target.kind == "Job":
        return Finding("delete.job", label, Light.YELLOW, f"{controller} counts it as a failed try")
    if owner.ready <= (1 if facts.is_ready else 0):
        value = f"{controller} has no other ready pod: nothing answers until the next one is ready"
        return Finding("delete.single", label, Light.YELLOW, value)
    where = {"StatefulSet": " of the same name", "DaemonSet": f" on {facts.node}"}.get(owner.target.kind, "")
    value = f"{controller} makes another{where}; {owner.ready} of {owner.replicas} are ready now"
    return Finding(key, label, Light.GREEN, value)


def _budgets(facts: PodFacts, answer: tuple[BudgetView, ...] | Gap) -> tuple[Finding, ...]:
    key, label = "delete.budget", "Disruption budget"
    if isinstance(answer, Gap):
        return (unread(key, label, answer),)
    guards = [each for each in answer if each.guards(facts.target.namespace, facts.labels)]
    spent = [each for each in guards if each.allowed <= 0 and facts.is_ready]
    if spent:
        lines = tuple(f"{each.target.path}: {each.healthy} healthy, {each.desired} needed" for each in spent)
        value = "allows none, and a deletion does not ask it"
        return (Finding(key, label, Light.YELLOW, value, evidence=lines, mend="`node drain` asks it"),)
    if guards:
        value = f"{guards[0].target.path} would allow it ({guards[0].allowed} left)"
        return (Finding(key, label, Light.GREEN, value),)
    return ()


def _data(facts: PodFacts) -> tuple[Finding, ...]:
    if not facts.empty_dirs:
        return ()
    value = f"emptyDir {', '.join(facts.empty_dirs)} goes with it"
    return (Finding("delete.emptydir", "Data", Light.YELLOW, value),)


def _evidence(facts: PodFacts, seen: Mapping[Read, Any]) -> tuple[Finding, ...]:
    """What is isolated is evidence: it is not destroyed before it is kept."""
    if QUARANTINE not in facts.labels:
        return ()
    reasons = without_evidence((facts.target,), seen[EvidenceKept((facts.target.uid,))])
    if not reasons:
        return (Finding("delete.evidence", "Evidence", Light.GREEN, "is kept"),)
    value = f"it is isolated by {facts.labels[QUARANTINE]}, and {reasons[0].text}"
    offers = (single.keep(facts),)
    return (
        Finding("delete.evidence", "Evidence", Light.RED, value, mend=reasons[0].mend, suggestions=offers),
    )


# --- Verifying --------------------------------------------------------------------------------------


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    """Gone by uid, and its controller complete again, by what it counts a look after the pod was gone."""
    if not doing.plan.steps:
        return single.nothing_left()
    [step] = doing.plan.steps
    target = step.effect.target
    kind, _, name = dict(doing.plan.before)["controller"].partition(" ")
    pod, owners = OnePod(target.namespace, target.name), single.owners(kind, target.namespace)
    seen = yield (pod, *owners)
    facts: PodFacts | Gap | None = seen[pod]
    if isinstance(facts, Gap):
        return single.unseen(doing, facts)
    if facts and facts.target.uid == target.uid:
        said = "is ending" if facts.is_leaving else "is there"
        return _open(doing, (), f"{target.path} {said}", f"{target.path} {said} still")
    summary = f"{target.path} is gone"
    if owners:
        late, followed = _after(seen[owners[0]], kind, name)
        if not late and not single.has_settled(doing):
            late = f"looking whether {kind} {name} is complete again"
        if late:
            return _open(doing, (step.key,), late, late)
        summary += followed
    return Verdict(Result.SUCCEEDED, (step.key,), summary=summary)


def _after(owners: tuple[OwnerView, ...] | Gap, kind: str, name: str) -> tuple[str, str]:
    """Why its controller is not complete yet, "" when it is or need not be; and then what is said of it."""
    if isinstance(owners, Gap):
        return f"{name}: {owners.reason}", ""
    found = next((owner for owner in owners if owner.target.name == name), None)
    if found is None:
        return "", f", and so is {kind} {name}: nothing makes another"
    if kind == "Job":
        return "", f"; {kind} {name} goes on by its own rules"
    if found.ready < found.replicas:
        return f"{found.target}: {found.ready} of {found.replicas} ready", ""
    return "", f", {kind} {name} is complete again"


def _open(doing: Doing, proved: tuple[str, ...], waiting: str, left: str) -> Verdict:
    """Not proved, or not all: it goes on while there is time."""
    if not doing.is_over:
        return Verdict(Result.WAITING, proved, waiting=(waiting,))
    namespace = doing.plan.steps[0].effect.target.namespace
    offers = (Suggestion("Its events", f"pod events -n {namespace}"),)
    result = Result.PARTIAL if proved else Result.FAILED
    return Verdict(result, proved, left=(left,), summary=left, suggestions=offers)
