"""The nouns of a diagnosis: what an alert is about, what was found, and the rule between the two."""

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from commands.finding import Finding, Light, Suggestion
from commands.model import Alert, AlertGroup, Attachment, Cause, Reads, Section, Seen
from commands.site import ClusterSite
from commands.wording import one_line

# Labels by which rules name the same thing, the usual one first (kube-prometheus, kubernetes-mixin, node-exporter).
_NODE = ("node", "nodename", "kubernetes_node", "instance_name")
_POD = ("pod", "pod_name")
_CLAIM = ("persistentvolumeclaim", "pvc")
_JOB = ("job_name",)
_AUTOSCALER = ("horizontalpodautoscaler", "hpa")
_BUDGET = ("poddisruptionbudget", "pdb")
_WORKLOADS = ("deployment", "statefulset", "daemonset")
_NAMESPACED = (*_CLAIM, *_JOB, "cronjob", *_AUTOSCALER, *_BUDGET)
_EXPORTERS = ("node-exporter", "kube-state-metrics")
# Kube-state-metrics' own pod and container stand on its series where honorLabels is off: they are not meant.
_EXPORTED = "exported_"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be diagnosed: the leading alert of a group, and how many fire beside it.

    labels: of the leading alert. others: labels of the other alerts of the group that fire. since: when it began;
    None where somebody asks without an alert. expr: of the rule, where Prometheus said it.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    others: tuple[Mapping[str, str], ...] = ()

    @classmethod
    def of(cls, group: AlertGroup) -> "Subject":
        return cls.led_by(group.lead, group)

    @classmethod
    def led_by(cls, lead: Alert, group: AlertGroup) -> "Subject":
        others = tuple(alert.labels for alert in group.firing if alert is not lead)
        since = lead.starts_at if lead.starts_at.timestamp() > 0 else None
        return cls(lead.name, lead.labels, lead.annotations, since, others)

    def label(self, *names: str) -> str:
        """The first of these labels that is there, "" where none is."""
        for name in names:
            found = self.labels.get(_EXPORTED + name) or self.labels.get(name)
            if found:
                return found
        return ""

    @property
    def namespace(self) -> str:
        is_nodes = self.is_of_exporter and not any((self.workload[1], *(self.label(n) for n in _NAMESPACED)))
        return "" if is_nodes else self.label("namespace", "kubernetes_namespace")

    @property
    def pod(self) -> str:
        return "" if self.is_of_exporter else self.label(*_POD)

    @property
    def is_of_exporter(self) -> bool:
        """The pod on it is the exporter's that told it, and what it tells is of something else."""
        own = next((name for name in _EXPORTERS if name in self.scrape_job), "")
        if not own or own not in self.labels.get("pod", "") or self.labels.get(f"{_EXPORTED}pod"):
            return False
        named = any((self.node, self.workload[1], *(self.label(name) for name in _NAMESPACED)))
        return own == "node-exporter" or named

    @property
    def container(self) -> str:
        return self.label("container", "container_name")

    @property
    def node(self) -> str:
        """The node's name, where a label gives it. `instance` is not one: it is an address (nodes.py resolves it)."""
        return self.label(*_NODE)

    @property
    def instance(self) -> str:
        return self.label("instance")

    @property
    def claim(self) -> str:
        return self.label(*_CLAIM)

    @property
    def job(self) -> str:
        """A Kubernetes Job. The label `job` is Prometheus' scrape job: see `scrape_job`."""
        return self.label(*_JOB)

    @property
    def cronjob(self) -> str:
        return self.label("cronjob")

    @property
    def scrape_job(self) -> str:
        return self.labels.get("job", "")

    @property
    def autoscaler(self) -> str:
        return self.label(*_AUTOSCALER)

    @property
    def budget(self) -> str:
        return self.label(*_BUDGET)

    @property
    def service(self) -> str:
        return self.label("service", "service_name")

    @property
    def workload(self) -> tuple[str, str]:
        """("deployment", "web"), or ("", "") where no label says."""
        for kind in _WORKLOADS:
            if self.label(kind):
                return kind, self.label(kind)
        kind, name = (
            self.label("workload_type", "owner_kind").casefold(),
            self.label("workload", "owner_name"),
        )
        return (kind, name) if kind in _WORKLOADS and name else ("", "")

    @property
    def address(self) -> str:
        """`instance` without its port."""
        return re.sub(r":\d+$", "", self.instance).strip("[]")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found. cause: None where the facts name none; then the findings still stand.

    findings: facts, the most telling first, each with its evidence; a source that gave no answer is a finding of
    its own (wording.unread), and the others still show. suggestions: commands beside those of the cause.
    """

    cause: Cause | None = None
    findings: tuple[Finding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    table: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    note: str = ""

    def section(self, key: str, title: str) -> Section:
        """As a part of an answer; its buttons are the cause's, then its own."""
        found = Section(
            key, title, True, folded(self.findings), self.note, self.attachments, self.table, self.cause
        )
        offered = (*(self.cause.suggestions if self.cause else ()), *self.suggestions)
        if not (offered and found.findings):
            return found
        first = found.findings[0]
        own = tuple(dict.fromkeys((*offered, *first.suggestions)))
        return replace(found, findings=(replace(first, suggestions=own), *found.findings[1:]))


def folded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is unknown for one reason as one line, where the first of them stands: a source that is silent is told
    of once, with all that it leaves open."""
    alike: dict[str | int, list[Finding]] = {}
    for n, each in enumerate(findings):
        is_bare = each.light is Light.UNKNOWN and not (each.evidence or each.suggestions)
        alike.setdefault(each.value if is_bare else n, []).append(each)
    return tuple(_as_one(group) for group in alike.values())


def _as_one(group: Sequence[Finding]) -> Finding:
    first, *others = group
    if not others:
        return first
    names = ", ".join(dict.fromkeys(each.label for each in others))
    mends = dict.fromkeys(each.mend for each in group if each.mend)
    return replace(
        first, value=f"{first.value}; the same of {one_line(names, 300)}", mend=one_line(" ".join(mends), 400)
    )


Diagnosing = Generator[Reads, Seen, Diagnosis]


# Before what a cause says last: which rollout came before it (scene.py).
ROLLED = "; revision "


def verdict(sections: Iterable[Section]) -> Cause | None:
    """What all parts of a triage found together: the first cause, and what speaks beside it, such as a rollout just
    before; of that, the one who knows more of it tells. Buttons of all, each once."""
    found = [section for section in sections if section.done]
    causes = [section.cause for section in found if section.cause]
    if not causes:
        return None
    first, *others = causes
    is_told = any(each in first.suggestions for other in others for each in other.suggestions)
    text = first.text.rpartition(ROLLED)[0] if is_told and ROLLED in first.text else first.text
    texts = dict.fromkeys((text, *(other.text for other in others)))
    return Cause(" · ".join(texts), first.confidence, tuple(dict.fromkeys(_offered(found))))


def _offered(sections: Iterable[Section]) -> Iterable[Suggestion]:
    """The buttons of the causes, and where a cause has none, those of what was found."""
    for section in sections:
        if section.cause:
            beside = (each for finding in section.findings for each in finding.suggestions)
            yield from section.cause.suggestions or beside


@dataclass(frozen=True, slots=True)
class Rule:
    """names: the alerts it is for. means: what such an alert says, in plain words, for whoever never saw one.
    steps: what one does first, when no runbook is at hand. needs: labels (properties of Subject) without which the
    generic diagnosis does more than this one."""

    names: tuple[str, ...]
    means: str
    diagnose: Callable[[Subject, ClusterSite], Diagnosing]
    steps: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def fits(self, subject: Subject) -> bool:
        return subject.name in self.names and all(getattr(subject, need) for need in self.needs)
