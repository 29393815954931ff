"""Whether `pod isolate` and `pod release` did what they were to do, as the cluster shows it."""

from collections.abc import Generator
from dataclasses import dataclass

from commands.change import Doing, Verifying
from commands.effects import AllowTraffic, DenyTraffic, Relabel
from commands.evidence import BEFORE
from commands.finding import Light, Suggestion
from commands.model import Gap, Reads, Seen
from commands.phrase import counted
from commands.plan import Result, Standing, Step, Verdict
from commands.pod import cutoff, single
from commands.pod.cutoff import Before
from commands.pod.quarantine import ENFORCED
from commands.podreads import OnePod, PodFacts, Policies, PolicyView
from commands.site import ClusterSite


@dataclass(frozen=True, slots=True)
class Now:
    """pod: None when it is gone, or is another one of the same name."""

    pod: PodFacts | None
    policies: tuple[PolicyView, ...]


def isolated(doing: Doing, site: ClusterSite) -> Verifying:
    if not doing.plan.steps:
        return single.nothing_left()
    relabel = _relabel(doing)
    now = yield from _look(relabel)
    if isinstance(now, Gap):
        return single.unseen(doing, now)
    offers = (
        Suggestion("Keep evidence", f"pod evidence {relabel.target.path}"),
        Suggestion("Release", f"pod release {relabel.target.path}"),
    )
    proved = tuple(step.key for step in doing.plan.steps if _holds(step.effect, now))
    if now.pod is None:
        gone = f"{relabel.target} is gone: it was deleted meanwhile"
        return Verdict(Result.FAILED, proved, left=(gone, *_idle(doing, proved)), summary=gone)
    if len(proved) < len(doing.plan.steps):
        return _unfinished(doing, proved, offers, _idle(doing, proved))
    waiting, left = yield from _replacement(relabel, single.has_settled(doing))
    done = f"{_cut_off(doing)}; it still runs on {now.pod.node or 'no node'}"
    if not waiting:
        return Verdict(Result.SUCCEEDED, proved, summary=done, suggestions=offers)
    if doing.is_over:
        return Verdict(Result.PARTIAL, proved, left=left, summary=done, suggestions=offers)
    return Verdict(Result.WAITING, proved, waiting=waiting, suggestions=offers)


def released(doing: Doing, site: ClusterSite) -> Verifying:
    if not doing.plan.steps:
        return single.nothing_left()
    relabel = _relabel(doing)
    now = yield from _look(relabel)
    if isinstance(now, Gap):
        return single.unseen(doing, now)
    proved = tuple(step.key for step in doing.plan.steps if _holds(step.effect, now))
    if now.pod is None and not _was_relabelled(doing):
        gone = f"{relabel.target} is gone, and nobody saw whether it had its labels back"
        proved = tuple(key for key in proved if key != _relabel_step(doing).key)
        return _unfinished(doing, proved, more=(gone,))
    if len(proved) < len(doing.plan.steps):
        return _unfinished(doing, proved)
    if now.pod is None:
        summary = f"{relabel.target} was released, and its controller has deleted it as one too many"
        return Verdict(Result.SUCCEEDED, proved, summary=summary)
    back = f"{relabel.target} has its {counted(len(relabel.labels), 'label')} back"
    return Verdict(Result.SUCCEEDED, proved, summary=back)


def _idle(doing: Doing, proved: tuple[str, ...]) -> tuple[str, ...]:
    """The policy is there and nothing bears its label: it does no harm, and nobody will ask for its release."""
    done = [step.effect for step in doing.plan.steps if step.key in proved]
    return tuple(
        f"{effect.target} finds no pod: kubectl delete networkpolicy -n {effect.target.namespace} {effect.target.name}"
        for effect in done
        if isinstance(effect, DenyTraffic)
    )


def _cut_off(doing: Doing) -> str:
    """Only where something is known to enforce the policy; the labels are gone in any case."""
    pod = _relabel(doing).target
    doubts = (each for each in doing.plan.findings if each.key == ENFORCED and each.light is not Light.GREEN)
    doubt = next(doubts, None)
    return f"{pod} is out of its Services, but: {doubt.value}" if doubt else f"{pod} is cut off"


def _relabel(doing: Doing) -> Relabel:
    effect = _relabel_step(doing).effect
    assert isinstance(effect, Relabel)
    return effect


def _relabel_step(doing: Doing) -> Step:
    return next(step for step in doing.plan.steps if isinstance(step.effect, Relabel))


def _was_relabelled(doing: Doing) -> bool:
    """The API server took it: then a pod that is gone was deleted by its controller as one too many."""
    return doing.progress.standing(_relabel_step(doing)) in (Standing.APPLIED, Standing.PROVED)


def _look(relabel: Relabel) -> Generator[Reads, Seen, Now | Gap]:
    pod = OnePod(relabel.target.namespace, relabel.target.name)
    policies = Policies(relabel.target.namespace)
    seen = yield (pod, policies)
    for answer in (seen[pod], seen[policies]):
        if isinstance(answer, Gap):
            return answer
    facts: PodFacts | None = seen[pod]
    is_same = facts is not None and facts.target.uid == relabel.target.uid
    return Now(facts if is_same else None, seen[policies])


def _holds(effect: object, now: Now) -> bool:
    match effect:
        case DenyTraffic(target, label):
            wanted = {"matchLabels": dict([label])}
            ours = [policy for policy in now.policies if policy.target.name == target.name]
            return any(policy.selector == wanted and not policy.allows for policy in ours)
        case AllowTraffic(target):
            return all(policy.target.uid != target.uid for policy in now.policies)
        case Relabel():
            return _is_labelled(effect, now.pod)
    return False


def _is_labelled(effect: Relabel, pod: PodFacts | None) -> bool:
    """A pod that was given back may be gone at once: its controller had one too many."""
    if pod is None:
        return bool(effect.without_annotations)
    has = all(pod.labels.get(key) == value for key, value in effect.labels)
    return has and not any(key in pod.labels for key in effect.without_labels)


def _replacement(
    relabel: Relabel, has_settled: bool
) -> Generator[Reads, Seen, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What is waited for, and what is left when it does not come; ((), ()) when nothing is."""
    before = cutoff.before(dict(relabel.annotations)[BEFORE]) or Before({})
    read = single.owners(before.owner_kind, relabel.target.namespace)
    if not read or before.owner_kind == "StatefulSet":
        return (), ()
    seen = yield read
    owner = single.owner_of(seen, read, before.owner_uid)
    if owner is None:
        return (), ()
    if isinstance(owner, Gap):
        return (f"{before.owner}: {owner.reason}",), (f"{before.owner} was not read: {owner.reason}",)
    if owner.ready >= owner.replicas:
        return (() if has_settled else (f"looking whether {before.owner} is complete again",)), ()
    line = f"{before.owner}: {owner.ready} of {owner.replicas} ready"
    return (line,), (f"no replacement yet: {line}",)


def _unfinished(
    doing: Doing, proved: tuple[str, ...], offers: tuple[Suggestion, ...] = (), more: tuple[str, ...] = ()
) -> Verdict:
    if not doing.is_over:
        return Verdict(Result.WAITING, proved, suggestions=offers)
    left = tuple(step.text for step in doing.plan.steps if step.key not in proved)
    result = Result.PARTIAL if proved else Result.FAILED
    summary = f"not done: {left[0]}"
    return Verdict(result, proved, left=(*left, *more), summary=summary, suggestions=offers)
