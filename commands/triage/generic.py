"""The diagnosis for an alert without a rule of its own, by the shape of its labels. There always is one."""

from commands.finding import Finding, Light
from commands.site import ClusterSite
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject


def rule_for(subject: Subject) -> Rule:
    return Rule((subject.name,), "", by_labels)


def by_labels(subject: Subject, site: ClusterSite) -> Diagnosing:
    """What the labels name, for whoever looks further."""
    yield ()
    told = tuple(f"{name}={value}" for name, value in sorted(subject.labels.items()))
    return Diagnosis(findings=(Finding("AR-5", "Labels", Light.YELLOW, f"{len(told)}", evidence=told),))
