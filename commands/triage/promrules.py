"""Alerts about Prometheus' rules: those that fail, with their error, and groups that take longer than they may."""

from collections.abc import Sequence

from commands.alertreads import Rules, RuleView
from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted, span
from commands.site import ClusterSite
from commands.triage.measured import seconds
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.wording import KEPT, one_line, unread

KEY = "AR-5"
_MONITORING = (Suggestion("Monitoring", "health monitoring"),)


def failing_rules(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Which rules fail, and in what words."""
    rules: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    label = "Rules that fail"
    if isinstance(rules, Gap):
        return Diagnosis(None, (unread(KEY, label, rules),), _MONITORING)
    bad = [rule for rule in rules if rule.health == "err"]
    lines = tuple(f"{rule.name} (group {rule.group}): {one_line(rule.last_error)}" for rule in bad[:KEPT])
    found = Finding(
        KEY, label, Light.RED if bad else Light.GREEN, f"{len(bad)} of {len(rules)}", evidence=lines
    )
    if not bad:
        return Diagnosis(Cause("every rule works again", Confidence.CERTAIN), (found,), _MONITORING)
    first = bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    text = f"rule {first.name} of group {first.group} fails{more}: “{one_line(first.last_error)}”{_usual(first.last_error)}"
    return Diagnosis(Cause(text, Confidence.CERTAIN), (found,), _MONITORING)


_ERRORS = (
    ("many-to-many", "two series match where one may: two exporters tell of the same object (max by helps)"),
    (
        "duplicate series",
        "two series match where one may: two exporters tell of the same object (max by helps)",
    ),
    (
        "same labelset",
        "two results have the same labels: the rule's own labels overwrite what told them apart",
    ),
    ("too many samples", "it reads too much: a recording rule, or a shorter window"),
    ("timed out", "it takes too long: a recording rule, or a shorter window"),
    ("parse error", "its expression is no PromQL"),
)


def _usual(error: str) -> str:
    return next((f"; {meaning}" for words, meaning in _ERRORS if words in error.casefold()), "")


def missed_rules(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Groups of rules that take longer than the time between two evaluations."""
    rules: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    label = "Groups slower than their interval"
    if isinstance(rules, Gap):
        return Diagnosis(None, (unread(KEY, label, rules),), _MONITORING)
    groups: dict[str, list[RuleView]] = {}
    for rule in rules:
        groups.setdefault(f"{rule.file}; {rule.group}", []).append(rule)
    busy = sorted(((_busy(each), each) for each in groups.values()), key=lambda pair: -pair[0])
    lines = tuple(f"{group[0].group}: {_pace(group)}" for part, group in busy[:5])
    slow = [group for part, group in busy if part >= 1]
    found = Finding(
        KEY, label, Light.RED if slow else Light.GREEN, f"{len(slow)} of {len(groups)}", evidence=lines
    )
    if not slow:
        return Diagnosis(None, (found,), _MONITORING)
    worst = max(slow[0], key=lambda rule: rule.took)
    text = f"group {worst.group} misses its turns: {_pace(slow[0])}; slowest: {worst.name}, {_took(worst)}"
    return Diagnosis(Cause(text, Confidence.LIKELY), (found,), _MONITORING)


def _busy(group: Sequence[RuleView]) -> float:
    """Of the time between two evaluations, what part one takes."""
    interval = group[0].interval.total_seconds()
    return sum(rule.took.total_seconds() for rule in group) / interval if interval else 0.0


def _pace(group: Sequence[RuleView]) -> str:
    took = sum(rule.took.total_seconds() for rule in group)
    return f"{counted(len(group), 'rule')} take {seconds(took)}, every {span(group[0].interval)}"


def _took(rule: RuleView) -> str:
    return seconds(rule.took.total_seconds())


RULES: tuple[Rule, ...] = (
    Rule(
        ("PrometheusRuleFailures",),
        "Prometheus cannot evaluate some rules, so what they would alert on is not seen.",
        failing_rules,
        (
            "The error of each rule says what is wrong with it.",
            "promtool check rules finds wrong PromQL beforehand.",
        ),
    ),
    Rule(
        ("PrometheusMissingRuleEvaluations", "PrometheusRuleEvaluationSlow"),
        "A group of rules takes longer than the time it has, and misses its turns.",
        missed_rules,
        (
            "Find the slowest rule of the group.",
            "Split the group, evaluate it less often, or record what it reads.",
        ),
    ),
)
