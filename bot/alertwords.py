"""Pure: what is said of an alert group in one line: how grave it is, where it stands, what it is about and where.

Used by its card (bot/alertcard.py) and by its thread (bot/alertthread.py), so that both say the same. Texts come
redacted; every one of them is escaped here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from bot.blocks import cut, dated, escape, mention, moment
from commands.model import Alert, AlertGroup, Cause, Confidence, Severity
from commands.phrase import counted, shortly, span
from commands.triage.rule import Subject
from commands.triage.table import rule_for

LINE = 300  # characters of one line of outside text

ICON = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
OVER = "✅"

SURE = {
    Confidence.CERTAIN: "Cause, certain",
    Confidence.LIKELY: "Probable cause",
    Confidence.POSSIBLE: "Possible cause",
}

# What an alert is about, the nearest first: the property of Subject, and what several of it are called.
_ABOUT = (
    ("pod", "pod"), ("claim", "volume claim"), ("job", "job"), ("cronjob", "cron job"),
    ("autoscaler", "autoscaler"), ("budget", "disruption budget"), ("workload", "workload"), ("node", "node"),
    ("service", "service"), ("instance", "instance"),
)  # fmt: skip
_BY = ("alertname", "namespace", "node", "instance", "pod")
# Said elsewhere on the card, or the same for every alert of a Prometheus.
_SAID = ("alertname", "severity", "cluster", "namespace", "prometheus", "prometheus_replica", "replica")


def line(text: str, limit: int = LINE) -> str:
    """Outside text on one line of a message."""
    return escape(cut(" ".join(shortly(text).split()), limit))


def icon(group: AlertGroup) -> str:
    return ICON[group.severity] if group.firing else OVER


def name(group: AlertGroup) -> str:
    names = list(dict.fromkeys(alert.name for alert in group.alerts if alert.name))
    several = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return line(group.group_labels.get("alertname") or several or "Alert without a name", 160)


def standing(group: AlertGroup) -> str:
    """Where it stands: "firing", "2 firing / 1 resolved · flapping 2", "resolved after 25 min"."""
    firing, resolved = len(group.firing), len(group.resolved)
    if not firing:
        return f"resolved after {span(group.updated - group.opened)}"
    many = (
        f"{firing} firing / {resolved} resolved"
        if resolved
        else f"{firing} firing"
        if firing > 1
        else "firing"
    )
    words = [many]
    if group.repeats and group.heard:
        again = f"still firing ({group.repeats + 1}x, {span(group.heard - group.opened)})"
        words = [many, again] if firing + resolved > 1 else [again]
    if group.flaps:
        words.append(f"flapping {group.flaps}")
    if group.truncated:
        words.append(f"{group.truncated} more not listed")
    return " · ".join(words)


def summary(group: AlertGroup) -> str:
    """What it says in plain words: its own, else those of the rule that knows it; "" where nobody has any."""
    lead = group.lead
    said = _said(lead) or rule_for(Subject.of(group)).means
    others = {_said(alert) for alert in group.firing or group.alerts} - {_said(lead), ""}
    more = f" (and {len(others)} more like it)" if others and said else ""
    return f"{line(said)}{more}"


def _said(alert: Alert) -> str:
    said = (alert.annotations.get(name, "") for name in ("summary", "description", "message"))
    return next((text for text in said if text.strip() not in ("", alert.name)), "")


def where(group: AlertGroup) -> str:
    """Cluster, namespace, and what it is about: "training · shop · pod web-7 · on ip-10-0-2-82"."""
    about = [Subject(alert.name, alert.labels) for alert in group.firing or group.alerts]
    cluster = group.cluster or group.lead.labels.get("cluster", "")
    told = [line(cluster, 80), _shared([each.namespace for each in about], "namespace", is_bare=True)]
    kind = next((kind for kind in _ABOUT if any(_value(each, kind[0]) for each in about)), None)
    if kind:
        told.append(_shared([_value(each, kind[0]) for each in about], kind[1]))
    if kind and kind[0] == "pod" and any(each.node for each in about):
        told.append("on " + _shared([each.node for each in about], "node", is_bare=True))
    return " · ".join(filter(None, told))


def _value(subject: Subject, name: str) -> str:
    found = getattr(subject, name)
    return " ".join(filter(None, found)) if isinstance(found, tuple) else found


def _shared(values: list[str], noun: str, *, is_bare: bool = False) -> str:
    """The one name they have in common, or how many there are."""
    names = dict.fromkeys(value for value in values if value)
    if len(names) != 1:
        return counted(len(names), noun) if names else ""
    (only,) = names
    return line(only, 120) if is_bare or noun == "workload" else f"{noun} {line(only, 120)}"


def most(group: AlertGroup) -> str:
    """Of a large group, where most of it is: "alertname 200 × A, 100 × B", a line for each label."""
    told = []
    for label in _BY:
        counts = Counter(alert.labels[label] for alert in group.firing if alert.labels.get(label))
        if len(counts) > 1 and counts.most_common(1)[0][1] > 1:
            top = ", ".join(f"{count} × {line(value, 60)}" for value, count in counts.most_common(3))
            told.append(f"*{label}* {top}" + (f", {len(counts) - 3} others" if len(counts) > 3 else ""))
    return "\n".join(told[:3])


def own_labels(alert: Alert, group: AlertGroup) -> Mapping[str, str]:
    """What tells it from the others of its group."""
    return {k: v for k, v in sorted(alert.labels.items()) if any(o.labels.get(k) != v for o in group.alerts)}


def more_labels(group: AlertGroup) -> str:
    """The labels that all its alerts share and that are said nowhere else on the card; a few, and how many more."""
    told = where(group)
    left = {
        k: v for k, v in sorted(group.lead.labels.items())
        if k not in _SAID and line(v, 120) not in told and all(alert.labels.get(k) == v for alert in group.alerts)
    }  # fmt: skip
    return labelled(left, 8)


def labelled(labels: Mapping[str, str], few: int) -> str:
    """Labels as code, so that no mark in them means anything."""
    shown = [cut(f"{k}={' '.join(v.split())}", 90) for k, v in list(labels.items())[:few]]
    more = f" and {len(labels) - few} more" if len(labels) > few else ""
    return f"`{code('  '.join(shown))}`{more}" if shown else ""


def code(text: str) -> str:
    return escape(shortly(text)).replace("`", "ʼ")


def cause(found: Cause) -> str:
    return f"*{SURE[found.confidence]}:* {dated(line(found.text, 600))}"


def person(user: str) -> str:
    return mention(user) or line(user, 60) or "somebody"


def care(group: AlertGroup) -> Iterable[str]:
    """What people have done about it, a phrase each."""
    told = group.care
    if told.owner:
        yield f"owner {person(told.owner)}"
    if told.acked:
        yield f"acknowledged by {person(told.acked_by)} {moment(told.acked)}"
    if told.reminded and not told.acked and group.firing:
        yield f"⚠️ nobody took notice: reminded {moment(told.reminded)}"
    if told.snoozed and not told.acked and group.firing:
        yield f"no reminder before {moment(told.snoozed)}"
    if told.judged:
        yield f"{told.judged[-1].judgement}, says {person(told.judged[-1].by)}"
    for silence in told.silences:
        if not silence.ended:
            why = f": {line(silence.why, 120)}" if silence.why else ""
            yield f"*silenced* until {moment(silence.until)} by {person(silence.by)}{why}"
