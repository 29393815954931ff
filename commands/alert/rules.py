"""`alert rules`: the rules that Prometheus has loaded, against the manual's with the thresholds of the configuration.

What is not loaded alarms nobody, so it is red. A rule in the manual's first form, which fires for nothing or never
(C59 to C62), is told apart from one whose numbers differ.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from commands.alertreads import Rules, RuleView
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Section
from commands.numbers.firings import BY_DESIGN
from commands.phrase import counted, span
from commands.site import AlertRule, ClusterSite
from commands.triage.expression import level
from commands.wording import one_line, unread

_TITLE = "Alert rules"
SHIPPED = "k8s/alert-rules.yaml"


def parts(args: Args, site: ClusterSite) -> Parts:
    return {"rules": Part(_TITLE, inquiry(site))}


def inquiry(site: ClusterSite) -> Inquiry:
    rules: tuple[RuleView, ...] | Gap = (yield (Rules(),))[Rules()]
    if isinstance(rules, Gap):
        return Section("rules", _TITLE, True, (unread("AR-0", "Rules", rules),))
    alerting = [rule for rule in rules if rule.kind == "alerting"]
    findings = (
        *(_manual(name, wanted, alerting) for name, wanted in site.alerts.rules.items()),
        _watchdog(alerting),
        _health(rules),
        _runbooks(alerting),
    )
    note = f"{counted(len(alerting), 'alerting rule')} of {counted(len(rules), 'rule')} loaded"
    return Section("rules", _TITLE, True, findings, note)


# --- the manual's ---------------------------------------------------------------------------------

_KEYS: Mapping[str, str] = {
    "HighErrorRate": "AR-1.0",
    "HighLatency": "AR-2.0",
    "HighCPUUsage": "AR-3.0",
    "HighMemoryUsage": "AR-4.0",
}


def _manual(name: str, wanted: AlertRule, loaded: Sequence[RuleView]) -> Finding:
    key, limit = _KEYS.get(name, "AR-0"), _limit(wanted)
    own = [rule for rule in loaded if rule.name == name]
    if not own:
        mend = f"Load {SHIPPED} into Prometheus (as a PrometheusRule, or by rule_files)."
        return Finding(key, name, Light.RED, "not loaded: nobody is alarmed", limit, mend=mend)
    facts = [fact for rule in own for fact in _differences(rule, wanted)]
    if len(own) > 1 and len({rule.labels.get("severity") for rule in own}) < len(own):
        facts.append(f"loaded {len(own)} times with the same severity: each alert is told twice")
    if facts:
        mend = f"{SHIPPED} has it as the configuration wants it (alerts.rules.{name})."
        light = Light.RED if any(fact.startswith("wrong form") for fact in facts) else Light.YELLOW
        return Finding(key, name, light, facts[0], limit, tuple(facts[1:]), mend=mend)
    return Finding(
        key, name, Light.GREEN, f"as configured, group {own[0].group}, {own[0].state or 'loaded'}", limit
    )


def _limit(wanted: AlertRule) -> str:
    over = wanted.over if wanted.over is not None else wanted.over_s
    unit = " s" if wanted.over is None and wanted.over_s is not None else ""
    number = "" if over is None else f"over {over:g}{unit} "
    return f"{number}for {span(wanted.for_)}"


def _differences(rule: RuleView, wanted: AlertRule) -> list[str]:
    facts = []
    wrong = _FORMS.get(rule.name)
    if wrong is not None and (said := wrong(rule.expr)):
        facts.append(f"wrong form: {said}")
    over = wanted.over if wanted.over is not None else wanted.over_s
    compared = level(rule.expr)
    if over is not None and compared.threshold is None:
        facts.append(f"its threshold cannot be read off `{one_line(rule.expr, 80)}`")
    elif over is not None and compared.threshold != over:
        facts.append(f"fires at {compared.op} {compared.threshold:g} instead of > {over:g}")
    if rule.wait != wanted.for_:
        facts.append(f"waits {span(rule.wait)} instead of {span(wanted.for_)}")
    return facts


def _each_series(expr: str) -> str:
    """C59: each 5xx series divided by itself is always 1."""
    return "" if "sum" in expr else "it divides each series by itself, so it fires at any 5xx (C59)"


def _each_quantile(expr: str) -> str:
    return "" if re.search(r"\bsum\b", expr) else "a quantile per series, so one rare slow path fires (C60)"


def _cores(expr: str) -> str:
    return (
        "" if "limits" in expr or "requests" in expr else "it compares cores, not a share of the limit (C61)"
    )


def _page_cache(expr: str) -> str:
    is_wrong = "container_memory_usage_bytes" in expr or "container_spec_memory_limit_bytes" in expr
    return "it counts the page cache, and fires without a limit (C62)" if is_wrong else ""


_FORMS: Mapping[str, Callable[[str], str]] = {
    "HighErrorRate": _each_series,
    "HighLatency": _each_quantile,
    "HighCPUUsage": _cores,
    "HighMemoryUsage": _page_cache,
}


# --- all of them ----------------------------------------------------------------------------------


def _watchdog(loaded: Sequence[RuleView]) -> Finding:
    own = next((rule for rule in loaded if rule.name == "Watchdog"), None)
    if own is None:
        mend = f"{SHIPPED} has one: an alert that always fires, so that its silence is noticed."
        value = "no dead-man's switch: a dead Prometheus would be noticed by nobody"
        return Finding("AL-55", "Watchdog", Light.YELLOW, value, mend=mend)
    light = Light.GREEN if own.state == "firing" else Light.RED
    return Finding("AL-55", "Watchdog", light, f"loaded, {own.state or 'state unknown'}", "always firing")


def _health(rules: Sequence[RuleView]) -> Finding:
    key, label = "AR-0", "Evaluated"
    bad = [rule for rule in rules if rule.health == "err"]
    new = [rule for rule in rules if rule.health not in ("ok", "err")]
    lines = tuple(f"{rule.name} (group {rule.group}): {one_line(rule.last_error)}" for rule in bad)
    if bad:
        value = f"{len(bad)} of {counted(len(rules), 'rule')} fail"
        step = Suggestion("Monitoring", "health monitoring")
        return Finding(key, label, Light.RED, value, evidence=lines, suggestions=(step,))
    if not rules:
        return Finding(key, label, Light.RED, "Prometheus has no rule at all")
    if new:
        value = f"{counted(len(new), 'rule')} not evaluated yet"
        return Finding(key, label, Light.UNKNOWN, value, evidence=tuple(rule.name for rule in new))
    slowest = max((rule.took for rule in rules), default=timedelta())
    value = f"all {len(rules)} without an error, the slowest in {slowest.total_seconds():.2g} s"
    return Finding(key, label, Light.GREEN, value)


def _runbooks(loaded: Sequence[RuleView]) -> Finding:
    without = sorted({rule.name for rule in loaded if not rule.annotations.get("runbook_url")} - BY_DESIGN)
    total = len({rule.name for rule in loaded} - BY_DESIGN)
    key, label = "AD-4.1", "Runbooks"
    if not without:
        light = Light.GREEN if total else Light.UNKNOWN
        return Finding(key, label, light, f"each of {counted(total, 'alert')} has one")
    value = f"{len(without)} of {counted(total, 'alert')} without runbook_url"
    return Finding(key, label, Light.YELLOW, value, evidence=tuple(without))


RULES = Command(
    word="alert",
    verbs=("rules",),
    summary="The rules Prometheus has loaded, against the manual's; failing ones, and those without a runbook.",
    rows=("AR-0", "AR-1.0", "AR-2.0", "AR-3.0", "AR-4.0"),
    parts=parts,
    examples=("alert rules",),
)
