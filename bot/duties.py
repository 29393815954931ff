"""Pure: what is due for a group, for the dead-man's switch and for what Alertmanager forgot, at a moment.

Each looks at the record as it stands and says what it should be instead, or None where nothing is due; what
was done is written on the record, so that it is due once, however late. Called by workers/rounds.py and
workers/lookout.py, which store it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.ledger import Line
from commands.model import Alert, AlertGroup, Notice, Severity, Silenced
from commands.phrase import counted, span
from commands.site import Site

# The bot may be away for less than this without Alertmanager giving a notification up.
AWAY = timedelta(minutes=2)

# An alert that Alertmanager does not have may be one that it has not got yet.
UNHEARD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Due:
    """What the group should be; facts: what the audit says of it."""

    group: AlertGroup
    facts: Mapping[str, str]


# --- reminders ------------------------------------------------------------------------------------


def due(group: AlertGroup, told: datetime, now: datetime, site: Site) -> Due | None:
    """What is due for a group that fires, or has a silence. told: when it was told (again) that it fires."""
    moved, acts = group, []
    for silence in group.care.silences:
        if not silence.ended and silence.until <= now:
            moved = _silence_over(moved, silence, now)
            acts.append("silence ended")
    if group.care.snoozed_by and group.care.snoozed and group.care.snoozed <= now:
        moved = _snooze_over(moved, now)
        acts.append("snooze ended")
    if is_forgotten(group, told, now, site):
        moved = _reminded(moved, now, site)
        acts.append("reminded")
    return Due(moved, {"act": ", ".join(acts)}) if acts else None


def _silence_over(group: AlertGroup, over: Silenced, now: datetime) -> AlertGroup:
    silences = tuple(replace(each, ended=each.ended or each.id == over.id) for each in group.care.silences)
    moved = replace(group, care=replace(group.care, silences=silences))
    state = "still firing" if group.firing else "quiet now"
    return moved.say(f"🔔 your silence has ended: {state}", now, mention=over.by)


def _snooze_over(group: AlertGroup, now: datetime) -> AlertGroup:
    moved = replace(group, care=replace(group.care, snoozed_by=""))
    if not group.firing or group.care.acked:
        return moved
    return moved.say("⏰ the snooze is over, still firing", now, mention=group.care.snoozed_by)


def is_forgotten(group: AlertGroup, told: datetime, now: datetime, site: Site) -> bool:
    """Whether something critical fires that nobody took notice of for `alerts.ack_within`."""
    care = group.care
    if group.severity is not Severity.CRITICAL or not group.firing or care.acked or care.reminded:
        return False
    since = max(told, care.snoozed) if care.snoozed else told
    return now - since >= ack_within(group, site)


def ack_within(group: AlertGroup, site: Site) -> timedelta:
    cluster = site.clusters.get(group.cluster)
    return (cluster or site).alerts.ack_within


def _reminded(group: AlertGroup, now: datetime, site: Site) -> AlertGroup:
    moved = replace(group, care=replace(group.care, reminded=now))
    second = site.second_oncall(now)
    waited = span(ack_within(group, site))
    nobody = "" if second else "; nobody is next in `roles.oncall.rota`, so nobody else is called"
    return moved.say(f"⏰ nobody has acknowledged this for {waited}{nobody}", now, mention=second)


# --- the dead-man's switch ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ear:
    """What the bot heard of a cluster's Watchdog. beat: the last one. since, until: from when and until when the bot
    was there to hear one, without a break that Alertmanager would notice. None: never."""

    beat: datetime | None
    since: datetime | None
    until: datetime | None


def beat_of(site: Site, cluster: str) -> str:
    """Under which name a cluster's Watchdog is noted: of the only one, every Watchdog is."""
    return f"watchdog-{cluster}" if len(site.clusters) > 1 else "watchdog"


def missing(cluster: str) -> str:
    """The mark that a cluster's Watchdog is missed."""
    return f"watchdog-missing:{cluster}"


def is_silent(ear: Ear, now: datetime, after: timedelta) -> bool:
    """Whether a Watchdog that was heard once is missed. Time in which nobody listened does not count, and while
    nobody listens nothing is known."""
    if ear.beat is None or ear.since is None or ear.until is None or now - ear.until > AWAY:
        return False
    return now - max(ear.beat, ear.since) >= after


def is_break(until: datetime | None, now: datetime) -> bool:
    """Whether the bot, which listened until then, was away for so long that it begins to listen anew."""
    return until is None or now - until > AWAY


def missed(id: str, cluster: str, beat: datetime, now: datetime, site: Site, channel: str) -> Notice:
    """What the second channel is told."""
    text = (
        f"🔇 {cluster}: no Watchdog for {span(now - beat)} (last heard {beat:%Y-%m-%d %H:%M} UTC). Prometheus, "
        "Alertmanager or the way to the bot is broken: alerts of this cluster may not arrive."
    )
    return Notice(id, channel, text, now, mention=site.oncall(now))


def heard_again(notice: Notice, cluster: str, silent: timedelta, now: datetime) -> Notice:
    """The same message, once the Watchdog is back, and a line under it."""
    text = f"🔊 {cluster}: the Watchdog is heard again. It was silent for {span(silent)}."
    line = Line(str(len(notice.lines) + 1), f"🔊 was silent for {span(silent)}", now)
    return replace(notice, text=text, lines=(*notice.lines, line))


# --- what Alertmanager forgot ---------------------------------------------------------------------


def absent(group: AlertGroup, known: frozenset[str], now: datetime) -> frozenset[str]:
    """Fingerprints of the group that fire here and that Alertmanager does not have; () of one heard of lately."""
    if now - max(group.heard or group.updated, group.updated) <= UNHEARD:
        return frozenset()
    return frozenset(alert.fingerprint for alert in group.firing) - known


def without(group: AlertGroup, gone: frozenset[str], now: datetime) -> AlertGroup:
    """The group with these taken as resolved: their end was told while nobody listened, or was cut off."""
    alerts = tuple(_ended(each, now) if each.fingerprint in gone else each for each in group.alerts)
    moved = replace(group, alerts=alerts, updated=now)
    left = f"; {counted(len(moved.firing), 'other')} still firing" if moved.firing else ""
    what = counted(len(gone), "alert")
    return moved.say(f"✅ Alertmanager no longer has it, so it counts as resolved: {what}{left}", now)


def _ended(alert: Alert, now: datetime) -> Alert:
    return replace(alert, status="resolved", ends_at=now) if alert.status == "firing" else alert
