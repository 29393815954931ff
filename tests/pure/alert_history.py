"""What the verbs that look at alerts are answered: occurrences, alerts of Alertmanager, rules, ranges; and who drives
them. An answer is found by the read itself, else by its kind; what is given nowhere is nobody's answer (a Gap)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from commands import catalog
from commands.alertreads import AmAlert, Matrix, Occurrence, OccurrencePage, RuleView, Series
from commands.finding import Finding, Light
from commands.model import Gap, Inquiry, Judged, Judgement, Read, Section, Seen, Severity
from commands.reads import Now
from commands.site import ClusterSite

NOW = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)  # a Monday
SITE = ClusterSite(name="training")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DARK = Gap("nobody answers", "start somebody")
CATALOG = catalog.Catalog.load()

TRUE, FALSE, INFO = Judgement.ACTIONABLE, Judgement.FALSE_ALARM, Judgement.INFORMATIONAL


def drive(inquiry: Inquiry, given: Mapping[Any, Any], asked: list[Read] | None = None) -> Section:
    try:
        wanted = next(inquiry)
        while True:
            assert wanted, "asked for nothing"
            if asked is not None:
                asked += wanted
            wanted = inquiry.send(Seen({read: _answer(read, given) for read in wanted}))
    except StopIteration as end:
        assert isinstance(end.value, Section) and end.value.done
        return end.value


def _answer(read: Read, given: Mapping[Any, Any]) -> Any:
    found = given.get(read, given.get(type(read), NOW if isinstance(read, Now) else DARK))
    return found(read) if callable(found) else found


def typed(
    text: str, given: Mapping[Any, Any], site: ClusterSite = SITE, asked: list[Read] | None = None
) -> dict[str, Section]:
    """The sections that a typed line ends in."""
    parsed = CATALOG.parse(text)
    parts = parsed.command.parts(parsed.args, site)
    return {key: drive(part.inquiry, given, asked) for key, part in parts.items()}


def one(text: str, given: Mapping[Any, Any], site: ClusterSite = SITE) -> Section:
    (found,) = typed(text, given, site).values()
    return found


def line(section: Section, label: str) -> Finding:
    found = [each for each in section.findings if each.label == label]
    assert len(found) == 1, [(each.label, each.value) for each in section.findings]
    return found[0]


def lights(section: Section) -> dict[str, Light]:
    return {each.label: each.light for each in section.findings}


def occurrence(
    name: str = "HighErrorRate",
    ago: timedelta = HOUR,
    lasted: timedelta | None = 10 * MINUTE,
    *,
    judged: Judgement | None = None,
    group: str = "",
    oncall: str = "U0ALICE0001",
    severity: Severity = Severity.WARNING,
    **labels: str,
) -> Occurrence:
    """It began so long ago; each begins an episode of its own unless a group is named."""
    said = {"alertname": name, "namespace": "shop", **labels}
    starts_at = NOW - ago
    return Occurrence(
        fingerprint=" ".join(f"{label}={value}" for label, value in sorted(said.items())),
        name=name,
        labels=said,
        severity=severity,
        cluster=SITE.name,
        starts_at=starts_at,
        ends_at=None if lasted is None else starts_at + lasted,
        group=group or f"A{name} {starts_at:%m-%d %H:%M:%S}",
        episode=1,
        judged=None if judged is None else Judged(judged, "U0ALICE0001", NOW),
        oncall=oncall,
    )


def page(*occurrences: Occurrence, reaches: timedelta = 40 * DAY) -> OccurrencePage:
    return OccurrencePage(
        tuple(sorted(occurrences, key=lambda each: (each.starts_at, each.fingerprint))), NOW - reaches
    )


def am(
    name: str, severity: str = "warning", ago: timedelta = HOUR, *, silenced: str = "", inhibited: str = "", **labels: str
) -> AmAlert:  # fmt: skip
    said = {"alertname": name, "severity": severity, **labels}
    return AmAlert(
        fingerprint=" ".join(sorted(said.values())),
        labels=said,
        annotations={},
        starts_at=NOW - ago,
        state="suppressed" if silenced or inhibited else "active",
        silenced_by=(silenced,) if silenced else (),
        inhibited_by=(inhibited,) if inhibited else (),
    )


def rule(name: str, expr: str = "up == 0", minutes: float = 5, **changes: Any) -> RuleView:
    """A healthy alerting rule with a runbook."""
    given: dict[str, Any] = {
        "group": "own",
        "state": "inactive",
        "labels": {"severity": "warning"},
        "annotations": {"runbook_url": "https://wiki.example.com"},
        **changes,
    }
    return RuleView(
        name=name, kind=given.pop("kind", "alerting"), file="rules.yaml", expr=expr,
        health=given.pop("health", "ok"), wait=timedelta(minutes=minutes), **given,
    )  # fmt: skip


def curve(start: datetime, step: timedelta, values: Iterable[float]) -> Matrix:
    begun = start.timestamp()
    points = tuple((begun + n * step.total_seconds(), value) for n, value in enumerate(values))
    return Matrix((Series({}, points),))
