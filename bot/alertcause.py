"""Pure: when the cause of an alert group is looked for, and when once more because what fires is another matter by now.

A diagnosis that is asked for anew is the same request, so that it is told in the same messages of the thread. Called
by bot/intake.py, which hears of the news, and by workers/triage.py, at whose end there may have been some.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from commands.model import Alert, AlertGroup, Request, Severity, State

# From one diagnosis of a group to its next: what comes and goes is read no more often, and the newest state counts.
PAUSE = timedelta(minutes=1)


def is_worth_triage(before: AlertGroup | None, group: AlertGroup) -> bool:
    """A new episode is, what has become critical, and what may have another cause; not the many of a storm, nor a
    cluster nobody knows."""
    if not group.firing or not group.cluster or group.storm:
        return False
    if before is None or before.episode != group.episode:
        return True
    return became_critical(before, group) or is_other(group, before.updated)


def became_critical(before: AlertGroup, group: AlertGroup) -> bool:
    return group.severity is Severity.CRITICAL and before.severity is not Severity.CRITICAL


def is_other(group: AlertGroup, since: datetime) -> bool:
    """Whether what fires may have another cause than what fired then: something began (again), or what it was about
    is over. That some of it is over changes nothing."""
    if not group.firing:
        return False
    news = [alert for alert in group.alerts if alert.heard and alert.heard > since]
    began = any(alert.status == "firing" for alert in news)
    return began or any(_order(alert) < _order(group.lead) for alert in news)


def keeps(before: AlertGroup, group: AlertGroup) -> bool:
    """Whether the cause that is known stands until the next is: it is still about the same alert."""
    return bool(before.firing) and _order(before.lead) == _order(group.lead)


def _order(alert: Alert) -> tuple[datetime, str]:
    """As the alert is chosen that a diagnosis is about (AlertGroup.lead)."""
    return alert.starts_at, alert.fingerprint


def anew(request: Request, now: datetime) -> Request:
    """The request once more; what was found stays on its record until it is read again."""
    sections = tuple(replace(section, done=False) for section in request.sections)
    return replace(
        request, state=State.READING, sections=sections, created=now, finished=None, has_news=False, flags=(),
        mention="", reference="", again=True,
    )  # fmt: skip


def wait(request: Request, now: datetime) -> timedelta:
    """How long until it may be asked anew."""
    return max(request.created + PAUSE - now, timedelta(0))
