"""Every rule there is, and the one for an alert. The only place that lists the topics."""

from collections.abc import Mapping

from commands.triage import (
    aggregated,
    alertmanager,
    autoscaling,
    certificates,
    controlplane,
    disks,
    generic,
    jobs,
    kubelet,
    latency,
    load,
    managed,
    memory,
    nodes,
    pods,
    pressure,
    prometheus,
    promrules,
    service,
    system,
    targets,
    usage,
    versions,
    volumes,
    workloads,
)
from commands.triage.rule import Rule, Subject

_TOPICS: tuple[tuple[Rule, ...], ...] = (
    pods.RULES,
    workloads.RULES,
    jobs.RULES,
    autoscaling.RULES,
    nodes.RULES,
    pressure.RULES,
    kubelet.RULES,
    load.RULES,
    system.RULES,
    disks.RULES,
    volumes.RULES,
    targets.RULES,
    promrules.RULES,
    prometheus.RULES,
    alertmanager.RULES,
    controlplane.RULES,
    aggregated.RULES,
    versions.RULES,
    managed.RULES,
    certificates.RULES,
    service.RULES,
    latency.RULES,
    usage.RULES,
    memory.RULES,
)

RULES: tuple[Rule, ...] = tuple(rule for topic in _TOPICS for rule in topic)
_BY_NAME: Mapping[str, tuple[Rule, ...]] = {
    name: tuple(rule for rule in RULES if name in rule.names) for rule in RULES for name in rule.names
}


def rule_for(subject: Subject) -> Rule:
    """The first rule that fits, else the generic one for the shape of its labels; there always is one."""
    named = (rule for rule in _BY_NAME.get(subject.name, ()) if rule.fits(subject))
    return next(named, None) or generic.rule_for(subject)
