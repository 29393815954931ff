"""SLOs and their red flags: availability, success rate, error budget and CPU of one service.

The long window says how the objective stands, the last five minutes say whether it burns right now. Each
red flag is raised once, by the five minutes where they are red and by the long window otherwise, so that
on-call is not called twice for the same thing.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from urllib.parse import urlsplit

from commands.finding import Finding, Light, Link, Suggestion
from commands.model import Gap, Inquiry, Section, Seen
from commands.phrase import span
from commands.queries import PARTIAL_MEND, Measured, error_budget, measured, query, shown
from commands.reads import Dashboards, DashboardView, Query, Retention
from commands.site import Availability, ClusterSite, CpuObjective, ErrorBudget, ServiceSite, SuccessRate
from commands.wording import buttons, one_line, unread

RECENT = timedelta(minutes=5)  # the rate window of the manual's alert rules

# --- thresholds -----------------------------------------------------------------------------------


def availability_light(percent: Decimal, objective: Availability) -> Light:
    if percent > Decimal(str(objective.target)):
        return Light.GREEN
    return Light.YELLOW if percent >= Decimal(str(objective.red_below)) else Light.RED


def success_light(percent: Decimal, objective: SuccessRate) -> Light:
    """Green from the target up, unlike availability: the manual says "99.9-100 %" here."""
    if percent >= Decimal(str(objective.target)):
        return Light.GREEN
    return Light.RED if 100 - percent > Decimal(str(objective.red_error_rate)) else Light.YELLOW


def error_light(percent: Decimal, objective: SuccessRate) -> Light:
    return success_light(100 - percent, objective)


def budget_light(percent: Decimal, limits: ErrorBudget) -> Light:
    return _rising(percent, limits.yellow_from, limits.red_above)


def cpu_light(percent: Decimal, limits: CpuObjective) -> Light:
    return _rising(percent, limits.green_below, limits.red_above)


def _rising(percent: Decimal, yellow_from: float, red_above: float) -> Light:
    if percent > Decimal(str(red_above)):
        return Light.RED
    return Light.YELLOW if percent >= Decimal(str(yellow_from)) else Light.GREEN


# --- the section ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """The queries of one answer."""

    availability: Query
    availability_now: Query
    success: Query
    budget: Query
    errors_now: Query
    cpu: Query

    @classmethod
    def of(cls, site: ClusterSite, service: ServiceSite) -> "_Asked":
        window = site.slo.window
        return cls(
            availability=query(site, "Q-avail", service=service, window=window),
            availability_now=query(site, "Q-avail", service=service, window=RECENT),
            success=query(site, "Q-success", service=service, window=window),
            budget=query(site, "Q-budget", service=service, window=window),
            errors_now=query(site, "Q-error", service=service, window=RECENT),
            cpu=query(site, "Q-slocpu", service=service, window=RECENT),
        )

    @property
    def all(self) -> tuple[Query, ...]:
        return (
            self.availability,
            self.availability_now,
            self.success,
            self.budget,
            self.errors_now,
            self.cpu,
        )


def inquiry(site: ClusterSite, service: ServiceSite) -> Inquiry:
    title = site.dashboards.slo
    asked = _Asked.of(site, service)
    boards_read, retention_read = Dashboards(title), Retention()
    seen = yield (*asked.all, retention_read, boards_read)
    boards = seen[boards_read]
    nearest: Sequence[DashboardView] | Gap = ()
    if not isinstance(boards, Gap) and not any(board.title == title for board in boards):
        every = Dashboards("")
        nearest = (yield (every,))[every]
    dashboard = replace(_dashboard(site, boards, nearest), again_after=timedelta(0))  # a link is no news
    covered = _covered(site, seen[retention_read])
    findings = [replace(f, link=dashboard.link) for f in _findings(site, service, asked, seen, covered)]
    note = _window_note(site, seen[retention_read])
    return Section("slo", f"SLO · {service.name}", True, (*findings, dashboard), note)


def _findings(
    site: ClusterSite, service: ServiceSite, asked: _Asked, seen: Seen, covered: timedelta
) -> tuple[Finding, ...]:
    def number(name: str, read: Query) -> Measured:
        return measured(site, name, seen[read])

    over, recent = span(covered), span(RECENT)
    up_now = _availability(
        "DH-1.10", site, service, number("Q-avail", asked.availability_now), f"last {recent}"
    )
    up = _availability("DH-1.5", site, service, number("Q-avail", asked.availability), over)
    failing_now = _errors(site, service, number("Q-error", asked.errors_now), f"last {recent}")
    success = _success(site, service, number("Q-success", asked.success), over)
    # What burns right now comes first: its buttons are the ones that survive when there are too many.
    return (
        up_now,
        failing_now,
        _slow(_unless_raised(up, up_now)),
        _slow(_unless_raised(success, failing_now)),
        _slow(_budget(site, service, number("Q-budget", asked.budget), covered)),
        _cpu(site, service, number("Q-slocpu", asked.cpu)),
    )


def _unless_raised(long: Finding, short: Finding) -> Finding:
    """The long window's finding without its alarm where the short window already raises it."""
    return replace(long, alarm="") if short.alarm else long


def _slow(finding: Finding) -> Finding:
    """A window of weeks stays red for days: it is news once a day."""
    return replace(finding, again_after=timedelta(days=1))


def _availability(key: str, site: ClusterSite, service: ServiceSite, found: Measured, over: str) -> Finding:
    objective = site.slo.availability
    marks = (objective.target, objective.red_below)

    def judged(percent: Decimal) -> Finding:
        value = shown(percent, marks, decimals=2)
        light = availability_light(percent, objective)
        alarm = f"Service outage likely: {service.name} was available {value} of {_the(over)}"
        return _flagged(
            Finding("", "", light, value, alarm=alarm),
            Suggestion("Declare Sev1", _declare(1, service, f"availability {value}, {over}")),
            Suggestion("Debug", f"debug layers {service.name}"),
        )

    line = _line(key, f"Availability, {over}", found, f"> {objective.target:g} %", judged)
    # Here what is missing counts as down, so that a partial answer proves not even an outage.
    return _doubted(line) if found.partial else line


def _success(site: ClusterSite, service: ServiceSite, found: Measured, over: str) -> Finding:
    objective = site.slo.success_rate
    marks = (objective.target, 100 - Decimal(str(objective.red_error_rate)))

    def judged(percent: Decimal) -> Finding:
        value = shown(percent, [float(mark) for mark in marks], decimals=2)
        failed = shown(100 - percent, (objective.red_error_rate,), decimals=2)
        return _failing(service, success_light(percent, objective), value, failed, over)

    return _line("DH-1.6", f"Success rate, {over}", found, f"≥ {objective.target:g} %", judged)


def _errors(site: ClusterSite, service: ServiceSite, found: Measured, over: str) -> Finding:
    objective = site.slo.success_rate
    tolerated = 100 - Decimal(str(objective.target))

    def judged(percent: Decimal) -> Finding:
        value = shown(percent, (float(tolerated), objective.red_error_rate), decimals=2)
        return _failing(service, error_light(percent, objective), value, value, over)

    return _line("DH-1.11", f"Error rate, {over}", found, f"≤ {tolerated.normalize():f} %", judged)


def _failing(service: ServiceSite, light: Light, value: str, failed: str, over: str) -> Finding:
    alarm = f"Application errors: {failed} of {service.name}'s requests failed in {_the(over)}"
    return _flagged(
        Finding("", "", light, value, alarm=alarm),
        Suggestion("Debug errors", f"debug 5xx {service.name}"),
        Suggestion("Declare incident", _declare(2, service, f"{failed} of requests fail, {over}")),
    )


def _budget(site: ClusterSite, service: ServiceSite, found: Measured, covered: timedelta) -> Finding:
    limits = site.slo.error_budget
    marks = (limits.yellow_from, limits.red_above, 100)

    def judged(percent: Decimal) -> Finding:
        used = shown(percent, marks)
        alarm = f"SLO violation risk: {used} of {service.name}'s error budget is consumed"
        return _flagged(
            Finding(
                "",
                "",
                budget_light(percent, limits),
                f"{used} consumed, {minutes_left(site, percent, covered)}",
                alarm=alarm,
            ),
            Suggestion("Budget trend", f"health trend --service {service.name}"),
            Suggestion("Debug errors", f"debug 5xx {service.name}"),
            Suggestion("Declare incident", _declare(2, service, f"{used} of the error budget consumed")),
        )

    label = f"Error budget, {span(covered)}"
    return _line("DH-1.7", label, found, f"< {limits.yellow_from:g} % consumed", judged)


def minutes_left(site: ClusterSite, consumed: Decimal, window: timedelta) -> str:
    """What is left of the window's budget as minutes of full outage: 43.2 for 30 d at 99.9 %.

    window: the one that `consumed` was measured over.
    """
    total = Decimal(str(window / timedelta(minutes=1))) * error_budget(site)
    left = total * (100 - consumed) / 100
    minutes = abs(left).quantize(Decimal("0.1"), rounding=ROUND_DOWN)
    whole = f"{total.quantize(Decimal('0.1'))} min ({span(window)})"
    return f"overspent by {minutes} min of {whole}" if left < 0 else f"{minutes} of {whole} left"


def _cpu(site: ClusterSite, service: ServiceSite, found: Measured) -> Finding:
    limits = site.slo.cpu

    def judged(percent: Decimal) -> Finding:
        value = shown(percent, (limits.green_below, limits.red_above))
        used = f"{service.namespace} uses {value} of the CPU it requested"
        return _flagged(
            Finding(
                "",
                "",
                cpu_light(percent, limits),
                f"{value} of the CPU requested",
                alarm=f"Resource exhaustion: {used}",
            ),
            Suggestion("Capacity", "capacity now"),
            Suggestion("Debug", f"debug layers {service.name}"),
            Suggestion("Declare incident", _declare(2, service, f"CPU at {value} of the CPU requested")),
        )

    return _line("DH-1.8", "CPU usage", found, f"< {limits.green_below:g} %", judged)


def _line(
    key: str, label: str, found: Measured, threshold: str, judged: Callable[[Decimal], Finding]
) -> Finding:
    """A finding from a number, or the words for why there is none.

    A partial answer can show that something is wrong, never that all is well.
    """
    if found.percent is None:
        line = Finding(key, label, Light.UNKNOWN, found.why, threshold, mend=found.mend)
    else:
        line = replace(judged(found.percent), key=key, label=label, threshold=threshold)
    if not found.partial:
        return line
    line = replace(line, evidence=(*line.evidence, f"partial answer: {one_line(found.partial)}"))
    return line if line.light is Light.RED else _doubted(line)


def _doubted(finding: Finding) -> Finding:
    mend = finding.mend or PARTIAL_MEND
    return replace(finding, light=Light.UNKNOWN, alarm="", suggestions=(), mend=mend)


def _flagged(finding: Finding, *offered: Suggestion) -> Finding:
    """A finding with its buttons, and its alarm only where it is red."""
    alarm = finding.alarm if finding.light is Light.RED else ""
    return replace(finding, alarm=alarm, suggestions=buttons(finding.light, *offered))


def _declare(severity: int, service: ServiceSite, title: str) -> str:
    return f"incident declare sev{severity} {service.name}: {title}"


def _the(over: str) -> str:
    return f"the {over}" if over.startswith("last") else f"the last {over}"


# --- window and completeness ----------------------------------------------------------------------


def _covered(site: ClusterSite, retention: timedelta | Gap | None) -> timedelta:
    """The window that Prometheus can really answer for."""
    return min(site.slo.window, retention) if isinstance(retention, timedelta) else site.slo.window


def _window_note(site: ClusterSite, retention: timedelta | Gap | None) -> str:
    window = span(site.slo.window)
    if isinstance(retention, Gap):
        return f"Prometheus, window {window} (how far back it goes is unknown: {one_line(retention.reason)})"
    if retention is None:
        return f"Prometheus, window {window} (it does not say how far back it goes)"
    if retention < site.slo.window:
        return f"Prometheus, window {span(retention)} of {window}: it keeps no more"
    return f"Prometheus, window {window}"


# --- the dashboard --------------------------------------------------------------------------------


def _dashboard(
    site: ClusterSite, boards: Sequence[DashboardView] | Gap, others: Sequence[DashboardView] | Gap
) -> Finding:
    """A deep link to the dashboard of exactly this title."""
    key, label, title = "DH-1.3", "Dashboard", site.dashboards.slo
    if isinstance(boards, Gap):
        return unread(key, label, boards)
    exact = next((board for board in boards if board.title == title), None)
    if exact is None:
        known = [*boards, *(() if isinstance(others, Gap) else others)]
        return Finding(
            key,
            label,
            Light.YELLOW,
            f"dashboard not found: {title}",
            evidence=_nearest(title, known),
            mend="Set dashboards.slo to its exact title.",
        )
    if not site.urls.grafana:
        return Finding(
            key,
            label,
            Light.UNKNOWN,
            f"{title}: found, but Grafana's address for a browser is not configured",
            mend="Set urls.grafana to Grafana's address as a browser opens it.",
        )
    return Finding(key, label, Light.GREEN, title, link=Link(title, _deep(site.urls.grafana, exact.url)))


def _nearest(title: str, known: Sequence[DashboardView]) -> tuple[str, ...]:
    titles = {board.title.casefold(): board.title for board in known}
    near = difflib.get_close_matches(title.casefold(), titles, n=3, cutoff=0.3)
    return tuple(f"nearest title: {titles[name]}" for name in near)


def _deep(grafana: str, path: str) -> str:
    """Grafana's own paths repeat its sub-path ("/grafana/d/…") when it is served below one."""
    below = urlsplit(grafana).path.rstrip("/")
    return grafana.rstrip("/") + (path.removeprefix(below) if path.startswith(f"{below}/") else path)
