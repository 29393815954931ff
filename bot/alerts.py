"""Pure: what Alertmanager says of a group (bot/alertbody.py), and what that makes of the group known so far.

Every text of a thread about alerts that come and go is written here. Never sends, stores or routes; called by
bot/intake.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.alertbody import Notification
from commands.alertroutes import gravest, severity_of
from commands.model import Alert, AlertGroup, Care, Severity
from commands.phrase import span
from commands.site import Alerts

# A copy this soon after the first is a twin's: no repeat, and after "resolved" a firing copy that came late.
LATE_COPY = timedelta(minutes=1)

_RESOLVED = 50  # resolved alerts kept beside the firing ones: a group that never rests would grow for ever
_GRAVEST = tuple(Severity)

# What comes and goes calls people no more often than that, as long as it gets no graver.
CALLS = timedelta(minutes=10)

# Alerts of one group that fire and are kept, and as many again where they are critical. The record is written within
# the front's short patience with the store, and read every few seconds: what could not be stored would be sent for
# ever and never shown.
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Address:
    """Where a group is told and whom it calls; before: the message of its last episode, as "channel ts"."""

    channel: str
    mention: str = ""
    owner: str = ""
    route: str = ""
    cluster: str = ""
    before: str = ""


def merge(
    old: AlertGroup | None, heard: Notification, to: Address, now: datetime, rules: Alerts | None = None
) -> AlertGroup | None:
    """The group after this notification, or None when it says nothing new (a twin's or a late copy)."""
    rules = rules or Alerts()
    heard = _within(old, heard, rules)
    if old is None:
        return _opened(heard, to, now, rules, episode=1) if heard.alerts else None
    heard = _aligned(old, heard)
    changed = _news(old, heard, now)
    if not changed:
        return _repeated(old, heard, now)
    if not old.firing and now - old.updated > rules.flap_within:
        if all(alert.status == "resolved" for alert in changed):
            return None  # the end of something whose beginning was never shown: nothing to close
        return _opened(heard, to, now, rules, episode=old.episode + 1, care=_still_silent(old.care, now))
    return _changed(old, heard, changed, to, now, rules)


def _within(old: AlertGroup | None, heard: Notification, rules: Alerts) -> Notification:
    """As much of a body as a record holds; the rest is counted. What is known comes first, so that the same are kept,
    then what fires and is grave, so that nothing is called over while anything fires."""
    known = {alert.fingerprint for alert in old.alerts} if old else set()
    ours = [alert for alert in heard.alerts if alert.fingerprint in known]
    ended = {alert.fingerprint for alert in ours if alert.status == "resolved"}
    held = sum(alert.fingerprint not in ended for alert in old.firing) if old else 0
    others = sorted(
        (each for each in heard.alerts if each.fingerprint not in known),
        key=lambda each: _urgency(each, rules),
    )
    critical = sum(_urgency(each, rules) == (False, 0) for each in others)
    room = max(0, MOST - held, min(critical, 2 * MOST - held))
    if len(others) <= room:
        return heard
    return replace(heard, alerts=(*ours, *others[:room]), truncated=heard.truncated + len(others) - room)


def _urgency(alert: Alert, rules: Alerts) -> tuple[bool, int]:
    return alert.status != "firing", _GRAVEST.index(severity_of(rules, alert.labels))


def _aligned(old: AlertGroup, heard: Notification) -> Notification:
    """With the starts that are known. Alertmanager moves a start back when another Prometheus saw the alert earlier,
    and some senders do not say it again: what overlaps the alert that fires here is that one, and its end is its end."""
    known = {alert.fingerprint: alert for alert in old.firing}
    return replace(heard, alerts=tuple(_as_known(known.get(each.fingerprint), each) for each in heard.alerts))


def _as_known(known: Alert | None, alert: Alert) -> Alert:
    if known is None or alert.starts_at >= known.starts_at:
        return alert
    is_earlier = alert.ends_at is not None and alert.ends_at <= known.starts_at
    return alert if is_earlier else replace(alert, starts_at=known.starts_at)


def _opened(
    heard: Notification, to: Address, now: datetime, rules: Alerts, *, episode: int, care: Care | None = None
) -> AlertGroup:
    since = [alert.starts_at for alert in heard.firing or heard.alerts if alert.starts_at.timestamp() > 0]
    return AlertGroup(
        id=heard.id,
        group_labels=heard.group_labels,
        receiver=heard.receiver,
        channel=to.channel,
        alerts=tuple(replace(alert, heard=now) for alert in heard.alerts),
        episode=episode,
        opened=min(since, default=now),
        updated=now,
        external_url=heard.external_url,
        truncated=heard.truncated,
        cluster=to.cluster,
        severity=gravest(rules, [alert.labels for alert in heard.firing or heard.alerts]),
        heard=now,
        mention=to.mention,
        owner=to.owner,
        route=to.route,
        before=to.before,
        care=care or Care(),
    )


def _still_silent(care: Care, now: datetime) -> Care:
    """A new episode is a new matter, but for the silences that are in force."""
    return Care(silences=tuple(each for each in care.silences if not each.ended and each.until > now))


def _changed(
    old: AlertGroup, heard: Notification, changed: list[Alert], to: Address, now: datetime, rules: Alerts
) -> AlertGroup:
    group = _refreshed(old, heard, now)
    known = {alert.fingerprint: alert for alert in group.alerts}
    known |= {alert.fingerprint: replace(alert, heard=now) for alert in changed}
    fires = any(alert.status == "firing" for alert in changed)
    group = replace(
        group,
        alerts=_kept(known.values()),
        updated=now,
        repeats=0,
        flaps=old.flaps + (fires and not old.firing),
    )
    group = _graver(group, old, to, rules)
    calls = group.mention if fires and _calls_again(old, group, now) else ""
    return group.say(_line_text(old, group, changed), now, mention=calls)


def _refreshed(old: AlertGroup, heard: Notification, now: datetime) -> AlertGroup:
    """What every body brings along: the latest annotations of what is known, and how many it left out."""
    said = {alert.fingerprint: alert for alert in heard.alerts}
    alerts = [_newest(alert, said.get(alert.fingerprint)) for alert in old.alerts]
    url = heard.external_url or old.external_url
    return replace(old, alerts=tuple(alerts), heard=now, truncated=heard.truncated, external_url=url)


def _newest(known: Alert, said: Alert | None) -> Alert:
    if said is None or (said.status, said.starts_at) != (known.status, known.starts_at):
        return known
    return replace(said, heard=known.heard, ends_at=known.ends_at or said.ends_at)


def _repeated(old: AlertGroup, heard: Notification, now: datetime) -> AlertGroup | None:
    """Alertmanager says that it still fires; its twin says so within moments, and that is the same word."""
    firing = {(alert.fingerprint, alert.starts_at) for alert in old.firing}
    is_repeat = any((alert.fingerprint, alert.starts_at) in firing for alert in heard.firing)
    if not is_repeat or now - (old.heard or old.updated) <= LATE_COPY:
        return None
    return replace(_refreshed(old, heard, now), repeats=old.repeats + 1)


def _graver(group: AlertGroup, old: AlertGroup, to: Address, rules: Alerts) -> AlertGroup:
    """How grave what fires now is; what became graver calls whom its route calls by now."""
    if not group.firing:
        return group
    severity = gravest(rules, [alert.labels for alert in group.firing])
    if _GRAVEST.index(severity) < _GRAVEST.index(old.severity) and to.mention:
        return replace(group, severity=severity, mention=to.mention, route=to.route)
    return replace(group, severity=severity)


def _calls_again(old: AlertGroup, new: AlertGroup, now: datetime) -> bool:
    """An edit of the card calls nobody: its line does, when it got graver or fires again unacknowledged, but what
    flaps does not call every minute."""
    got_graver = _GRAVEST.index(new.severity) < _GRAVEST.index(old.severity)
    called = max((line.at for line in old.lines if line.mention), default=old.opened)
    return got_graver or (not old.firing and old.care.acked is None and now - called >= CALLS)


def _news(old: AlertGroup, heard: Notification, now: datetime) -> list[Alert]:
    known = {alert.fingerprint: alert for alert in old.alerts}
    return [alert for alert in heard.alerts if _is_news(known.get(alert.fingerprint), alert, old, now)]


def _is_news(known: Alert | None, alert: Alert, old: AlertGroup, now: datetime) -> bool:
    """Whether this is later than what is known: a new start, the end of the known one, or its return.

    Alertmanager resolves an alert that Prometheus stopped sending, and fires it again with the same start
    when Prometheus is back, or with an earlier one where a clock was set right. A twin's late copy of the firing
    looks the same, but comes within moments.
    """
    if known is None or alert.starts_at > known.starts_at:
        return True
    if alert.status == known.status:
        return False
    if alert.status == "resolved":
        return alert.starts_at == known.starts_at
    return now - (known.heard or old.updated) > LATE_COPY


def _kept(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """All that fire, and those that ended last."""
    alerts = list(alerts)
    ended = sorted((a for a in alerts if a.status == "resolved"), key=lambda a: a.ends_at or a.starts_at)
    forgotten = {alert.fingerprint for alert in ended[:-_RESOLVED]}
    return tuple(alert for alert in alerts if alert.fingerprint not in forgotten)


# --- lines of the thread ---


def _line_text(old: AlertGroup, new: AlertGroup, changed: list[Alert]) -> str:
    fired = [alert for alert in changed if alert.status == "firing"]
    ended = [alert for alert in changed if alert.status == "resolved"]
    said = []
    if fired:
        again = f"fires again (flapping {new.flaps})" if not old.firing else "also firing"
        said.append(f"🔥 {again}: {_named(fired, new)}")
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
