"""What Alertmanager says enters here: parsed, merged into the group's record, durable before it is answered.

One transaction stores the group together with everything that follows from it: the mark that its card is stale
and the audit line. It asks Redis and nobody else. Called by bot/web.py alone.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from bot import alerts
from bot.state import JOB_TIMEOUT, KEEP, TRIAGE, Conflict, State, new_id
from commands.catalog import Catalog
from commands.errors import Unreachable
from commands.model import SCHEDULER, AlertGroup, Place, Request, Section, Severity
from commands.site import Site

_TRIES = 25


class Intake:
    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._now = now

    def take(self, body: bytes) -> None:
        """Store what Alertmanager says; returns when it is durable.

        Raises UsageError when the body is not one, Unreachable when too many others write the same group.
        """
        heard = alerts.parse(body)
        if heard.is_firing or not heard.is_watchdog:  # a resolved Watchdog is the opposite of a beat
            self._beat(heard)
        if heard.is_watchdog:
            return
        for _ in range(_TRIES):
            try:
                self._merge(heard)
                return
            except Conflict:
                continue
        raise Unreachable("the group is being written by others")

    def _beat(self, heard: alerts.Notification) -> None:
        """Alerts reach us; with several clusters, from those that the `cluster` label names."""
        self._state.beat("webhook")
        for name in {alert.labels.get("cluster", "") for alert in heard.alerts} & set(self._site.clusters):
            self._state.beat(f"webhook-{name}")

    def _merge(self, heard: alerts.Notification) -> None:
        stored = self._state.alert_group(heard.id)
        group = alerts.merge(
            stored.record if stored else None, heard, self._site.channel("alerts"), self._now()
        )
        if group is None:
            return
        change = self._state.change()
        if is_worth_triage(stored.record if stored else None, group):
            triage = self._triage(group)
            group = replace(group, triage=triage.id)
            change.put(triage, was="").work(triage, timeout=JOB_TIMEOUT, first=heard.is_critical)
        change.put(group, was=stored.version if stored else "", keep=None if group.firing else KEEP)
        change.audit("alert", id=group.id, firing=str(len(group.firing)), resolved=str(len(group.resolved)))
        change.show(group, priority=0 if heard.is_critical else 1).commit()

    def _triage(self, group: AlertGroup) -> Request:
        """The diagnosis that the group gets by itself, told in the thread of its card."""
        parsed = self._catalog.parse(f"alert triage {group.id}")
        parts = parsed.command.parts(parsed.args, self._site.cluster_for("", group.cluster))
        return Request(
            id=new_id(TRIAGE),
            text=f"alert triage {group.id}",
            args=parsed.args,
            actor=SCHEDULER,
            place=Place(group.channel, under=f"alert:{group.id} {group.episode}:card"),
            cluster=group.cluster,
            created=self._now(),
            sections=tuple(Section(key, part.title) for key, part in parts.items()),
        )


def is_worth_triage(before: AlertGroup | None, group: AlertGroup) -> bool:
    """A new episode is, and one that has become critical; not the many of a storm, nor a cluster nobody knows."""
    if not group.firing or not group.cluster or group.storm:
        return False
    is_new = before is None or before.episode != group.episode
    return is_new or (
        group.severity is Severity.CRITICAL and before is not None and before.severity is not group.severity
    )
