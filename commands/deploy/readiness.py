"""Whether a revision ever had a ready pod: from the history of its ReplicaSet in Prometheus, where one counts."""

from collections.abc import Mapping, Sequence
from math import isfinite

from commands.deploy.revisions import SHOWN
from commands.finding import Finding, Light
from commands.model import Gap
from commands.queries import quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite
from commands.wording import one_line, unread
from commands.workloads import RevisionView

_KEY, _LABEL = "rollback.never", "Never ready"
_SPAN = "30d"


def queries(site: ClusterSite, to: RevisionView, revisions: Sequence[RevisionView]) -> tuple[Query, ...]:
    """One question for all that are shown; () where nobody could answer. Only ReplicaSets are counted there."""
    if to.source.kind != "ReplicaSet" or not site.monitoring.prometheus.url:
        return ()
    sources = dict.fromkeys(each.source.name for each in (to, *revisions[:SHOWN]))
    names = "|".join(quoted(name) for name in sources)
    series = f'kube_replicaset_status_ready_replicas{{namespace="{quoted(to.source.namespace)}",replicaset=~"{names}"}}'
    return (Query(f"max by (replicaset) (max_over_time({series}[{_SPAN}]))"),)


def most(answers: Sequence[Vector | Gap]) -> Mapping[str, float]:
    """The most ready pods that each ReplicaSet ever had, by its name; without those nobody knows of."""
    samples = (sample for answer in answers if not isinstance(answer, Gap) for sample in answer.samples)
    return {each.labels.get("replicaset", ""): each.value for each in samples if isfinite(each.value)}


def findings(to: RevisionView, answers: Sequence[Vector | Gap]) -> tuple[Finding, ...]:
    gap = next((each for each in answers if isinstance(each, Gap)), None)
    if gap is not None:
        return (unread(_KEY, _LABEL, Gap(f"whether it ever was ready: {one_line(gap.reason)}", gap.mend)),)
    if most(answers).get(to.source.name) == 0:
        value = f"revision {to.number} never had a ready pod in the last {_SPAN}"
        return (Finding(_KEY, _LABEL, Light.YELLOW, value),)
    return ()


def facts(to: RevisionView, answers: Sequence[Vector | Gap]) -> tuple[str, ...]:
    """Where nobody counted, that is said, too."""
    is_told = to.source.name in most(answers) or any(isinstance(each, Gap) for each in answers)
    return () if is_told else (f"whether revision {to.number} ever had a ready pod is not known",)


def marked(
    rows: Sequence[str], revisions: Sequence[RevisionView], answers: Sequence[Vector | Gap]
) -> tuple[str, ...]:
    """The lines of these revisions, each with what is known of it."""
    counts = most(answers)
    words = (counts.get(each.source.name) for each in revisions)
    said = ("" if count is None else " · was ready" if count else " · never ready" for count in words)
    return tuple(f"{row}{word}" for row, word in zip(rows, said, strict=False))
