"""The monitoring stack: is it up, does it see what it should, and do its alerts reach us?

The one place where silence is a verdict: a Prometheus that does not answer in time is red here, because
whether it answers is the question. Everything that only needed its data stays unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap, Inquiry, Section, Seen
from commands.phrase import counted, span
from commands.queries import partial, query
from commands.reads import (
    AlertmanagerStatus,
    AlertmanagerView,
    GrafanaHealth,
    GrafanaView,
    HeartbeatView,
    Http,
    Now,
    Probe,
    Query,
    Targets,
    TargetView,
    WebhookHeartbeat,
)
from commands.site import ClusterSite
from commands.wording import Fact, buttons, one_line, took, unread, worst_first

BEAT = timedelta(minutes=10)  # the always-firing Watchdog is sent again well within this
_BEAT_MEND = "Check Alertmanager's webhook receiver and that a Watchdog alert is always firing."
_WATCHDOG_MEND = (
    "Route an alert named Watchdog that always fires to the bot's receiver (kube-prometheus has one)."
)

_PROMETHEUS = (Probe("prometheus", "/-/healthy"), Probe("prometheus", "/-/ready"))
_ALERTMANAGER = (Probe("alertmanager", "/-/healthy"), Probe("alertmanager", "/-/ready"))


def inquiry(site: ClusterSite) -> Inquiry:
    asked = (*_PROMETHEUS, *_ALERTMANAGER, Targets(), GrafanaHealth(), AlertmanagerStatus())
    seen = yield (*asked, WebhookHeartbeat(), Now())
    targets = seen[Targets()]
    if isinstance(targets, Gap) and not _nobody_answers(seen):
        jobs = {job: query(site, "Q-targets", job=job) for job in site.monitoring.prometheus.expected_jobs}
        judged = _targets_unlisted(targets, jobs, (yield tuple(jobs.values())) if jobs else Seen({}))
    else:
        judged = _targets(site, targets)
    findings = (
        _prometheus(seen),
        judged,
        _grafana(seen[GrafanaHealth()]),
        _alertmanager(seen),
        heartbeat(site, seen[WebhookHeartbeat()], seen[Now()]),
    )
    return Section("monitoring", "Monitoring", True, findings)


def heartbeat_inquiry(site: ClusterSite) -> Inquiry:
    """Only whether alerts reach us, from our own store: cheap enough for every five minutes."""
    seen = yield (WebhookHeartbeat(), Now())
    found = heartbeat(site, seen[WebhookHeartbeat()], seen[Now()])
    return Section("heartbeat", "Alert delivery", True, (found,))


# --- is it up? ------------------------------------------------------------------------------------


def _prometheus(seen: Seen) -> Finding:
    key, label = "DH-3.2", "Prometheus"
    healthy, ready = (seen[probe] for probe in _PROMETHEUS)
    for answer in (healthy, ready):
        if isinstance(answer, Gap):
            finding = unread(key, label, answer, "expected HTTP 200")
            return _down(finding, f"no answer: {one_line(answer.reason)}") if answer.silent else finding
    return _answered(key, label, healthy, ready, "replaying WAL")


def _alertmanager(seen: Seen) -> Finding:
    key, label = "DH-3.7", "Alertmanager"
    healthy, ready = (seen[probe] for probe in _ALERTMANAGER)
    for answer in (healthy, ready):
        if isinstance(answer, Gap):
            return unread(key, label, answer, "expected HTTP 200")
    found = _answered(key, label, healthy, ready, "not ready yet")
    if found.light is not Light.GREEN:
        return found
    light, said, mend = _cluster(seen[AlertmanagerStatus()])
    return Finding(key, label, light, f"{said} · {found.value}", found.threshold, mend=mend)


def _cluster(status: AlertmanagerView | Gap) -> tuple[Light, str, str]:
    if isinstance(status, Gap):
        return Light.UNKNOWN, f"up, its cluster is unknown: {one_line(status.reason)}", status.mend
    if status.cluster == "settling":
        return Light.YELLOW, f"{status.version}, cluster is settling, {counted(status.peers, 'peer')}", ""
    # "disabled" is a single Alertmanager without clustering, which is how the manual runs it.
    clustered = "single" if status.cluster == "disabled" else f"cluster {status.cluster}"
    light = Light.GREEN if status.cluster in ("ready", "disabled") else Light.YELLOW
    return light, f"{status.version}, {clustered}, {counted(status.peers, 'peer')}", ""


def _answered(key: str, label: str, healthy: Http, ready: Http, starting: str) -> Finding:
    """Judged by status codes, for the wording has changed between versions; but it never was a web page."""
    refused = next((answer.status for answer in (healthy, ready) if answer.status in (401, 403)), 0)
    if refused:
        return unread(
            key, label, Gap(f"HTTP {refused}", f"Let the bot read {label}'s /-/healthy and /-/ready.")
        )
    if healthy.status != 200:
        return Finding(
            key, label, Light.RED, f"/-/healthy answers HTTP {healthy.status}", "expected HTTP 200"
        )
    if any(answer.status == 200 and _is_web_page(answer) for answer in (healthy, ready)):
        gap = Gap(
            f"a web page answers instead of {label}",
            f"Check monitoring.{label.lower()}.url: a proxy or a login page may stand there.",
        )
        return unread(key, label, gap, "expected HTTP 200")
    if ready.status == 503:
        return Finding(
            key, label, Light.YELLOW, f"up, but {starting} (/-/ready: HTTP 503)", "expected HTTP 200"
        )
    if ready.status != 200:
        return Finding(key, label, Light.RED, f"/-/ready answers HTTP {ready.status}", "expected HTTP 200")
    return Finding(
        key,
        label,
        Light.GREEN,
        f"healthy and ready in {took(healthy.took + ready.took)}",
        "expected HTTP 200",
    )


def _is_web_page(answer: Http) -> bool:
    return answer.body.lstrip("\ufeff \t\r\n").startswith("<")


def _down(finding: Finding, value: str) -> Finding:
    return Finding(finding.key, finding.label, Light.RED, value, finding.threshold, mend=finding.mend)


def _nobody_answers(seen: Seen) -> bool:
    return all(isinstance(seen[probe], Gap) for probe in _PROMETHEUS)


def _grafana(view: GrafanaView | Gap) -> Finding:
    key, label, threshold = "DH-3.5", "Grafana", "expected database ok"
    if isinstance(view, Gap):
        return unread(key, label, view, threshold)
    light = Light.GREEN if view.database == "ok" else Light.RED
    commit = f" ({view.commit[:10]})" if view.commit else ""
    return Finding(key, label, light, f"{view.version}{commit}, database {view.database}", threshold)


# --- does it see what it should? ------------------------------------------------------------------


def _targets(site: ClusterSite, targets: Sequence[TargetView] | Gap) -> Finding:
    key, label, threshold = "DH-3.3", "Scrape targets", "expected all up"
    if isinstance(targets, Gap):
        return unread(key, label, targets, threshold)
    missing = _missing(site, {target.job for target in targets})
    facts = [*missing, *map(_target, _not_up(targets))]
    if not targets:
        facts.append((Light.RED, "Prometheus has no target at all"))
    up = sum(target.health == "up" for target in targets)
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    value = f"{up} of {len(targets)} up"
    value += f", {counted(len(missing), 'expected job')} missing" if missing else ""
    return Finding(key, label, light, value, threshold, worst_first(facts))


def _missing(site: ClusterSite, jobs: set[str]) -> list[Fact]:
    """Jobs that vanished altogether: a removed target is not down, it is simply not there."""
    expected = site.monitoring.prometheus.expected_jobs
    return [(Light.RED, f"job {job}: no target at all") for job in expected if job not in jobs]


def _not_up(targets: Sequence[TargetView]) -> list[TargetView]:
    return [target for target in targets if target.health != "up"]


def _target(target: TargetView) -> Fact:
    where = f"{target.job} {target.instance}"
    if target.health == "down":
        return Light.RED, f"{where}: down, {one_line(target.last_error) or 'no error given'}"
    return Light.YELLOW, f"{where}: not scraped yet"


def _targets_unlisted(gap: Gap, jobs: Mapping[str, Query], answers: Seen) -> Finding:
    """The list was not readable; an expected job without any series is red all the same.

    A partial answer proves no absence: the job may be in the part that is missing.
    """
    finding = unread("DH-3.3", "Scrape targets", gap, "expected all up")
    facts = []
    for job, read in jobs.items():
        answer = answers[read]
        if not isinstance(answer, Gap) and answer.samples and not partial(answer):
            facts.append((Light.RED, f"job {job}: no target at all"))
    if not facts:
        return finding
    value = f"{counted(len(facts), 'expected job')} missing; the list of targets is {finding.value}"
    return Finding(
        finding.key, finding.label, Light.RED, value, finding.threshold, worst_first(facts), mend=finding.mend
    )


# --- do alerts reach us? --------------------------------------------------------------------------


def heartbeat(site: ClusterSite, view: HeartbeatView | Gap, now: datetime | Gap) -> Finding:
    """The end-to-end beat: Prometheus → Alertmanager → webhook, by when the last one arrived.

    A bot that has not listened for as long as it waits has missed nothing yet: unknown, and nobody is called.
    """
    key, label, threshold = "DH-3.7", "Alert delivery", f"a webhook within {span(BEAT)}"
    if isinstance(view, Gap):
        return unread(key, label, view, threshold)
    if isinstance(now, Gap):
        return unread(key, label, now, threshold)
    last = view.last
    if last is None and not site.monitoring.alertmanager.url:
        gap = Gap("no Alertmanager is configured", "Set monitoring.alertmanager.url.")
        return unread(key, label, gap, threshold)
    if last is not None and now - last <= BEAT:
        return _beating(
            Finding(key, label, Light.GREEN, f"last webhook {span(now - last)} ago", threshold), view
        )
    waiting = _waiting(view, now)
    if waiting:
        before = () if last is None else (f"last webhook {span(now - last)} ago, before the bot's start",)
        early = Finding(key, label, Light.UNKNOWN, waiting, threshold, before, mend=_BEAT_MEND)
        return replace(early, again_after=timedelta(0))  # it settles by itself, one way or the other
    heard = "no webhook has ever arrived" if last is None else f"last webhook {span(now - last)} ago"
    return Finding(
        key,
        label,
        Light.RED,
        heard,
        threshold,
        alarm=f"Alerts do not reach the bot: {heard}",
        suggestions=buttons(Light.RED, Suggestion("Alert routes", "alert routes")),
        mend=_BEAT_MEND,
    )


def _beating(found: Finding, view: HeartbeatView) -> Finding:
    """Alerts reach us; whether their silence would be noticed depends on a Watchdog."""
    if view.watchdog is not None:
        return found
    unguarded = f"{found.value}; no Watchdog was ever heard, so nobody would be told when alerts stop"
    return replace(found, light=Light.YELLOW, value=unguarded, mend=_WATCHDOG_MEND)


def _waiting(view: HeartbeatView, now: datetime) -> str:
    """Why it is too early to miss a webhook; "" when it is not."""
    if view.listening_since is None:
        return "" if view.last else "no webhook yet, and the bot has noted no start"
    listening = now - view.listening_since
    return f"no webhook yet, listening for {span(listening)}" if listening < BEAT else ""
