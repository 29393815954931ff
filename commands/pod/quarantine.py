"""`pod isolate` and `pod release`: cut a pod off the network and out of its Services, and put it back.

The pod is kept running as it is, for whoever investigates. Its own policy comes first, then the labels go, so
at no time is it without both; its controller makes a replacement. The labels it had stand in an annotation,
which is what `pod release` goes by: nothing but the cluster itself is needed to undo it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commands.change import Planning, Who, blocked
from commands.effects import AllowTraffic, DenyTraffic, Relabel, Target
from commands.enforcement import enforced
from commands.evidence import BEFORE
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Read, Reads, Seen
from commands.plan import Plan, Step, Wave
from commands.pod import cutoff, single
from commands.pod.cutoff import Before
from commands.podreads import Network, PodFacts, Policies
from commands.reads import EvidenceKept
from commands.scheduling import QUARANTINE
from commands.site import ClusterSite
from commands.wording import one_line, unread
from commands.workloads import Members, ServicesOf, Workload

ENFORCED = "isolate.enforced"  # the finding that says whether a policy does anything

# By what a controller finds its pods, where that is known without asking it.
_HASHES: Mapping[str, tuple[str, ...]] = {
    "ReplicaSet": ("pod-template-hash",),
    "Job": ("batch.kubernetes.io/controller-uid", "controller-uid"),
}
_ASKED = ("StatefulSet", "DaemonSet")


def policy_of(request: str, namespace: str) -> Target:
    """The policy of one isolation, named after its request."""
    return Target("NetworkPolicy", namespace, f"sre-bot-quarantine-{request.casefold()}", "")


# --- Isolating --------------------------------------------------------------------------------------


def isolate(args: Args, site: ClusterSite, who: Who) -> Planning:
    pod = single.wanted(args, site)
    title = f"Isolate {single.typed(pod)}"
    seen = yield (pod,)
    facts = seen[pod]
    problem = single.wrong(pod, facts) or _unfit(facts)
    if problem:
        return blocked(title, (problem,))
    if QUARANTINE in facts.labels:
        return Plan(title, (_cut_off_already(facts),))
    further = yield _around(facts)
    gaps = [(label, further[read]) for label, read in _essential(facts) if isinstance(further[read], Gap)]
    if gaps:
        return blocked(title, (_red(label, gap) for label, gap in gaps))
    plan = _isolation(title, facts, who, further)
    if "dry-run" in args.flags:
        plan = yield from single.rehearsed(plan)
    return plan


def _unfit(facts: PodFacts) -> Finding | None:
    value = ""
    if facts.is_mirror:
        value = "a static pod: its kubelet sets its labels, and stops it only when its file is gone"
    if facts.is_leaving:
        value = "it is being deleted already; keep its evidence while it is there"
    return (
        Finding("isolate.pod", "Pod", Light.RED, value, suggestions=(single.keep(facts),)) if value else None
    )


def _cut_off_already(facts: PodFacts) -> Finding:
    offers = (single.keep(facts), Suggestion("Release", f"pod release {facts.target.path}"))
    value = f"is isolated already, by {facts.labels[QUARANTINE]}"
    return Finding("isolate.already", "Pod", Light.GREEN, value, suggestions=offers)


def _essential(facts: PodFacts) -> tuple[tuple[str, Read], ...]:
    """Without these the labels that lead to it are not known."""
    where = facts.target.namespace
    found: tuple[tuple[str, Read], ...] = (("Services", ServicesOf(where)), ("Policies", Policies(where)))
    asked = _controller_read(facts)
    return (*found, ("Controller", asked)) if asked else found


def _controller_read(facts: PodFacts) -> Workload | None:
    if facts.controller and facts.controller.kind in _ASKED:
        return Workload(facts.target.namespace, facts.controller.name, facts.controller.kind)
    return None


def _around(facts: PodFacts) -> Reads:
    owners = single.owners(facts.controller.kind, facts.target.namespace) if facts.controller else ()
    essential = tuple(read for _, read in _essential(facts))
    return (*essential, *owners, Network(), EvidenceKept((facts.target.uid,)))


def _red(label: str, gap: Gap) -> Finding:
    return Finding("isolate.unread", label, Light.RED, f"unknown: {one_line(gap.reason)}", mend=gap.mend)


def _isolation(title: str, facts: PodFacts, who: Who, seen: Mapping[Read, Any]) -> Plan:
    where, path = facts.target.namespace, facts.target.path
    policies = seen[Policies(where)]
    gone = cutoff.labels_to_remove(facts.labels, seen[ServicesOf(where)], policies, _owner_keys(facts, seen))
    left = {key: value for key, value in facts.labels.items() if key not in gone}
    controller = facts.controller
    before = Before(
        {key: facts.labels[key] for key in gone},
        str(controller) if controller else "",
        controller.uid if controller else "",
    )
    label = (QUARANTINE, who.request)
    policy = policy_of(who.request, where)
    deny = Step(
        "deny", DenyTraffic(policy, label), f"deny all traffic of pods with {QUARANTINE}={who.request}"
    )
    relabel = Step(
        "relabel",
        Relabel(facts.target, (label,), gone, ((BEFORE, before.written()),)),
        f"label {path}, take away {', '.join(gone) or 'no label'}",
    )
    findings = (
        enforced(ENFORCED, seen[Network()]),
        cutoff.still_open(policies, {**left, QUARANTINE: who.request}),
        *_host(facts),
        _replacement(facts, seen),
        _evidence(facts, seen),
    )
    return Plan(
        title,
        findings,
        waves=(Wave("Deny its traffic", (deny,)), Wave("Take it out of its Services", (relabel,))),
        facts=(f"pod {facts.target.uid} on {facts.node or 'no node'}, {facts.phase}",),
        stays=(
            "the pod itself keeps running",
            "connections that are open may go on until they end: that is the network plugin's to decide",
        ),
        scope=(f"{facts.target} {facts.target.uid}", *(f"label {key} goes" for key in gone)),
        undo=f"pod release {path}",
        before=tuple((f"label {key}", value) for key, value in sorted(facts.labels.items())),
        locks=(single.lock(facts),),
    )


def _owner_keys(facts: PodFacts, seen: Mapping[Read, Any]) -> tuple[str, ...]:
    """Labels by which the controller keeps the pod: without them it lets go, and makes another."""
    asked = _controller_read(facts)
    if asked is None:
        return _HASHES.get(facts.controller.kind, ()) if facts.controller else ()
    return tuple(
        key for view in seen[asked] for key in (view.template.get("metadata") or {}).get("labels") or {}
    )


def _host(facts: PodFacts) -> tuple[Finding, ...]:
    if not facts.on_host_network:
        return ()
    value = f"it uses the network of {facts.node}, which no policy covers"
    mend = "Cordon the node, and close its security group."
    return (Finding("isolate.host", "Host network", Light.YELLOW, value, mend=mend),)


def _replacement(facts: PodFacts, seen: Mapping[Read, Any]) -> Finding:
    key, label, controller = "isolate.replacement", "Replacement", facts.controller
    if controller is None:
        return Finding(key, label, Light.YELLOW, "it has no controller: nothing takes its place")
    if controller.kind == "StatefulSet":
        value = f"{controller} makes none while a pod of this name is there"
        return Finding(key, label, Light.YELLOW, value)
    read = single.owners(controller.kind, facts.target.namespace)
    owner = single.owner_of(seen, read, controller.uid)
    if isinstance(owner, Gap):
        return unread(key, label, owner)
    if owner is None:
        return Finding(key, label, Light.YELLOW, f"{controller} is gone: nothing takes its place")
    value = f"{controller} makes another, {owner.ready} of {owner.replicas} are ready now"
    return Finding(key, label, Light.YELLOW if owner.ready <= 1 else Light.GREEN, value)


def _evidence(facts: PodFacts, seen: Mapping[Read, Any]) -> Finding:
    """Isolating destroys nothing, so it need not wait for the evidence, and the evidence not for it."""
    kept = single.Keeping.of(seen[EvidenceKept((facts.target.uid,))], facts)
    if kept.is_kept:
        return Finding("isolate.evidence", "Evidence", Light.GREEN, "is kept")
    light, value = Light.GREEN, "not kept yet; until it is, this pod is neither drained nor deleted"
    if kept.is_kept is None:
        light = Light.UNKNOWN
        value = (
            f"unknown whether it is kept: {kept.why}; until it is, this pod is neither drained nor deleted"
        )
    return Finding(
        "isolate.evidence", "Evidence", light, value, mend=kept.mend, suggestions=(single.keep(facts),)
    )


# --- Releasing --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cut:
    """An isolated pod: by which request, and what it was before."""

    pod: PodFacts
    request: str
    before: Before

    @property
    def mates(self) -> Members:
        """The pods that bear the same label, itself among them."""
        return Members(self.pod.target.namespace, f"{QUARANTINE}={self.request}")


def release(args: Args, site: ClusterSite, who: Who) -> Planning:
    pod = single.wanted(args, site)
    title = f"Release {single.typed(pod)}"
    seen = yield (pod,)
    facts = seen[pod]
    problem = single.wrong(pod, facts)
    if problem:
        return blocked(title, (problem,))
    if QUARANTINE not in facts.labels:
        return Plan(title, (Finding("release.not", "Pod", Light.GREEN, "is not isolated"),))
    before = cutoff.before(facts.annotations.get(BEFORE, ""))
    if before is None:
        return blocked(title, (_no_memory(facts),))
    cut = Cut(facts, facts.labels[QUARANTINE], before)
    further = yield _around_release(cut)
    plan = _releasing(title, cut, further)
    if "dry-run" in args.flags and plan.steps:
        plan = yield from single.rehearsed(plan)
    return plan


def _no_memory(facts: PodFacts) -> Finding:
    value = f"the annotation {BEFORE} does not say which labels it had"
    mend = f"kubectl label pod -n {facts.target.namespace} {facts.target.name} {QUARANTINE}- KEY=VALUE …"
    return Finding("release.memory", "Labels", Light.RED, value, mend=mend)


def _around_release(cut: Cut) -> Reads:
    where = cut.pod.target.namespace
    owners = single.owners(cut.before.owner_kind, where)
    return (Policies(where), cut.mates, EvidenceKept((cut.pod.target.uid,)), *owners)


def _releasing(title: str, cut: Cut, seen: Seen) -> Plan:
    facts, before = cut.pod, cut.before
    policies, mates = seen[Policies(facts.target.namespace)], seen[cut.mates]
    gaps = [(label, gap) for label, gap in (("Policies", policies), ("Pods", mates)) if isinstance(gap, Gap)]
    if gaps:
        return blocked(title, (_red(label, gap) for label, gap in gaps))
    restore = Relabel(
        facts.target, tuple(sorted(before.labels.items())), (QUARANTINE,), without_annotations=(BEFORE,)
    )
    said = ", ".join(sorted(before.labels)) or "no label"
    waves = [
        Wave("Give its labels back", (Step("relabel", restore, f"give {facts.target.path} back {said}"),))
    ]
    own = policy_of(cut.request, facts.target.namespace).name
    policy = next((each.target for each in policies if each.target.name == own), None)
    others = [mate.name for mate in mates if mate.uid != facts.target.uid]
    stays: tuple[str, ...] = ()
    if policy and others:
        stays = (f"{policy} stays: {', '.join(others[:5])} is isolated by it, too",)
    elif policy:
        step = Step("allow", AllowTraffic(policy), f"delete {policy}, which nothing needs any more")
        waves.append(Wave("Let traffic through", (step,)))
    return Plan(
        title,
        (_surplus(cut, seen), _kept_before(cut, seen)),
        waves=tuple(waves),
        facts=(f"isolated by {cut.request}",),
        stays=stays,
        scope=(
            f"{facts.target} {facts.target.uid}",
            *(f"label {key} returns" for key in sorted(before.labels)),
        ),
        undo=f"pod isolate {facts.target.path}",
        before=((QUARANTINE, cut.request), (BEFORE, facts.annotations[BEFORE])),
        locks=(single.lock(facts),),
    )


def _surplus(cut: Cut, seen: Seen) -> Finding:
    """Its controller has made another one since, and has one too many when this one is its own again."""
    key, label, before = "release.surplus", "Controller", cut.before
    if not before.owner:
        return Finding(key, label, Light.GREEN, "it had none")
    read = single.owners(before.owner_kind, cut.pod.target.namespace)
    owner = single.owner_of(seen, read, before.owner_uid)
    if isinstance(owner, Gap):
        return unread(key, label, owner)
    if owner is None:
        value = f"{before.owner} is gone: nobody takes it back, it stays a single pod"
        return Finding(key, label, Light.YELLOW, value)
    if cut.pod.controller or owner.ready < owner.replicas:
        return Finding(key, label, Light.GREEN, f"{before.owner} has room for it")
    value = f"{before.owner} has all its {owner.replicas}: with this one it has one too many, and deletes one of them"
    return Finding(key, label, Light.YELLOW, value)


def _kept_before(cut: Cut, seen: Seen) -> Finding:
    kept = single.Keeping.of(seen[EvidenceKept((cut.pod.target.uid,))], cut.pod)
    if kept.is_kept:
        return Finding("release.evidence", "Evidence", Light.GREEN, "is kept")
    light = Light.UNKNOWN if kept.is_kept is None else Light.YELLOW
    known = f"unknown whether it is kept: {kept.why}" if kept.is_kept is None else "not kept"
    value = f"{known}; released, the pod may be deleted by its controller or a rollout"
    return Finding(
        "release.evidence", "Evidence", light, value, mend=kept.mend, suggestions=(single.keep(cut.pod),)
    )
