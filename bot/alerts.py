"""Pure: an Alertmanager webhook body → what it says, and what that makes of the group known so far.

Takes version "4" of every Alertmanager seen (with and without notification_reason and routeLabels).
Never sends, stores or routes; called by desk only.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from commands.errors import UsageError
from commands.model import Alert, AlertGroup, AlertStatus, Line
from commands.phrase import span

# A group that fires again within this continues its old thread; later it gets a new card.
SAME_EPISODE = timedelta(minutes=30)

# Prometheus' dead-man's switch fires always: it is heard, not shown.
WATCHDOG = "Watchdog"

# A firing copy this soon after "resolved" is a twin's that came late.
LATE_COPY = timedelta(minutes=1)

_LINES = 300  # thread lines kept on the record; older ones are in Slack, unless it was away for all of them
_RESOLVED = 50  # resolved alerts kept beside the firing ones: a group that never rests would grow for ever


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook body. id: the group's identity, the same for twins of an Alertmanager cluster."""

    id: str
    receiver: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    external_url: str
    truncated: int

    @property
    def is_watchdog(self) -> bool:
        return bool(self.alerts) and all(alert.name == WATCHDOG for alert in self.alerts)

    @property
    def is_firing(self) -> bool:
        return any(alert.status == "firing" for alert in self.alerts)

    @property
    def is_critical(self) -> bool:
        return any(alert.labels.get("severity") == "critical" for alert in self.alerts)


def parse(body: bytes) -> Notification:
    """What the body says; raises UsageError with the reason when it is not an Alertmanager v4 body."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("alerts"), list):
        raise UsageError("not an Alertmanager webhook body: it has no list `alerts`")
    if str(data.get("version", "4")) not in ("4", "1"):
        raise UsageError(f"webhook version {data['version']!r} is not known; this bot reads version 4")
    if not all(isinstance(alert, dict) for alert in data["alerts"]):
        raise UsageError("an element of `alerts` is not an object")
    labels = _strings(data.get("groupLabels"))
    receiver = str(data.get("receiver") or "")
    return Notification(
        id=_identity(labels, receiver),
        receiver=receiver,
        group_labels=labels,
        alerts=tuple(_alert(alert) for alert in data["alerts"]),
        external_url=str(data.get("externalURL") or ""),
        truncated=_count(data.get("truncatedAlerts")),
    )


def merge(old: AlertGroup | None, heard: Notification, channel: str, now: datetime) -> AlertGroup | None:
    """The group after this notification, or None when it says nothing new (a repeat, a twin, a late copy)."""
    if old is None:
        return _opened(heard, channel, now, episode=1) if heard.alerts else None
    known = {alert.fingerprint: alert for alert in old.alerts}
    settled = now - old.updated > LATE_COPY
    changed = [alert for alert in heard.alerts if _is_news(known.get(alert.fingerprint), alert, settled)]
    if not changed:
        return None
    if not old.firing and now - old.updated > SAME_EPISODE:
        if all(alert.status == "resolved" for alert in changed):
            return None  # the end of something whose beginning was never shown: nothing to close
        return _opened(heard, channel, now, episode=old.episode + 1)
    known |= {alert.fingerprint: alert for alert in changed}
    group = replace(old, alerts=_kept(known.values()), updated=now, truncated=heard.truncated)
    group = replace(group, external_url=heard.external_url or old.external_url)
    return _with_line(group, _line_text(old, group, changed), now)


def _opened(heard: Notification, channel: str, now: datetime, *, episode: int) -> AlertGroup:
    since = [alert.starts_at for alert in heard.alerts if alert.starts_at.timestamp() > 0]
    return AlertGroup(
        id=heard.id,
        group_labels=heard.group_labels,
        receiver=heard.receiver,
        channel=channel,
        alerts=heard.alerts,
        episode=episode,
        opened=min(since, default=now),
        updated=now,
        external_url=heard.external_url,
        truncated=heard.truncated,
    )


def _identity(group_labels: Mapping[str, str], receiver: str) -> str:
    """The group's identity: its labels, not groupKey, which changes when the route tree is edited.

    A group by nothing has no labels; then the receiver tells it from others.
    """
    told = sorted(group_labels.items()) or [("receiver", receiver)]
    return "A" + hashlib.sha256(orjson.dumps(told)).hexdigest()[:16]


def _is_news(known: Alert | None, alert: Alert, settled: bool) -> bool:
    """Whether this is later than what is known: a new start, the end of the known one, or its return.

    Alertmanager resolves an alert that Prometheus stopped sending, and fires it again with the same start
    when Prometheus is back. A twin's late copy of the firing looks the same, but comes within moments.
    """
    if known is None or alert.starts_at > known.starts_at:
        return True
    if alert.starts_at < known.starts_at or alert.status == known.status:
        return False
    return alert.status == "resolved" or settled


def _kept(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """All that fire, and those that ended last."""
    alerts = list(alerts)
    ended = sorted((a for a in alerts if a.status == "resolved"), key=lambda a: a.ends_at or a.starts_at)
    forgotten = {alert.fingerprint for alert in ended[:-_RESOLVED]}
    return tuple(alert for alert in alerts if alert.fingerprint not in forgotten)


def _line_text(old: AlertGroup, new: AlertGroup, changed: list[Alert]) -> str:
    from_quiet = not old.firing
    fired = [alert for alert in changed if alert.status == "firing"]
    ended = [alert for alert in changed if alert.status == "resolved"]
    said = []
    if fired:
        said.append(f"🔥 {'fires again' if from_quiet else 'also firing'}: {_named(fired, new)}")
    if ended and new.firing:
        said.append(f"✅ resolved after {_longest(ended)}: {_named(ended, new)}")
    elif ended:
        everything = f"all {len(new.alerts)} resolved" if len(new.alerts) > 1 else "resolved"
        said.append(f"✅ {everything} after {_longest(ended)}")
    return "\n".join(said)


def _named(alerts: list[Alert], group: AlertGroup) -> str:
    """What tells these alerts apart, three by name and the rest as a count."""
    shown = [_labels(_own(alert, group)) or alert.name for alert in alerts[:3]]
    more = f" and {len(alerts) - 3} more" if len(alerts) > 3 else ""
    return "; ".join(text[:200] for text in shown) + more


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items()))


def _own(alert: Alert, group: AlertGroup) -> dict[str, str]:
    """Labels that at least one other alert of the group does not share."""
    return {k: v for k, v in alert.labels.items() if any(other.labels.get(k) != v for other in group.alerts)}


def _longest(alerts: list[Alert]) -> str:
    return span(
        max((alert.ends_at - alert.starts_at for alert in alerts if alert.ends_at), default=timedelta(0))
    )


def _with_line(group: AlertGroup, text: str, now: datetime) -> AlertGroup:
    number = int(group.lines[-1].key) + 1 if group.lines else 1
    lines = (*group.lines, Line(str(number), text, now))
    return replace(group, lines=lines[-_LINES:], omitted=group.omitted + len(lines[:-_LINES]))


def _alert(data: Mapping[str, Any]) -> Alert:
    labels = _strings(data.get("labels"))
    status: AlertStatus = "resolved" if data.get("status") == "resolved" else "firing"
    starts_at = _time(data.get("startsAt")) or datetime.fromtimestamp(0, UTC)
    return Alert(
        fingerprint=str(data.get("fingerprint") or "") or _fingerprint(labels),
        status=status,
        labels=labels,
        annotations=_strings(data.get("annotations")),
        starts_at=starts_at,
        ends_at=_time(data.get("endsAt")) if status == "resolved" else None,
        generator_url=str(data.get("generatorURL") or ""),
    )


def _fingerprint(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(orjson.dumps(sorted(labels.items()))).hexdigest()[:16]


def _strings(data: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


def _count(data: Any) -> int:
    return data if isinstance(data, int) and data > 0 else 0


def _time(data: Any) -> datetime | None:
    """RFC 3339 as Go writes it (up to nine digits, trailing zeros cut) → aware UTC; None for "not yet".

    Alertmanager writes year 1 and some senders 1970 for a time that has not come.
    """
    if not isinstance(data, str) or data.startswith(("0001-", "1970-01-01")):
        return None
    try:
        at = datetime.fromisoformat(data)  # 3.11 reads Go's fractions of any length, cut to microseconds
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no date at all, or one at the end of time
        return None
