"""What Alertmanager says enters here: parsed, merged into the group's record, durable before it is answered.

One transaction stores the group together with everything that follows from it: the mark that its card is stale
and the audit line. It asks Redis and nobody else. Called by bot/web.py alone.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from bot import alertbody, alertcause, alerts, tracing
from bot.alertbody import Notification
from bot.casebook import Casebook, priority
from bot.changerecords import ChangeRecords
from bot.outbox import Outbox
from bot.state import JOB_TIMEOUT, KEEP, TRIAGE, Change, Conflict, State, Stored, Taken, card_of, new_id
from commands import alertroutes
from commands.catalog import Catalog
from commands.errors import Unreachable
from commands.model import SCHEDULER, AlertGroup, Notice, Place, Request, Section
from commands.site import Channels, Sections, Site

log = logging.getLogger(__name__)

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
        self._casebook = Casebook(state, site)
        self._changes = ChangeRecords(state, site, now)
        self._now = now

    def take(self, body: bytes) -> None:
        """Store what Alertmanager says; returns when it is durable.

        Raises UsageError when the body is not one, Unreachable when too many others write the same group.
        """
        heard = alertbody.parse(body)
        for each in alertbody.by_cluster(heard, self._site.alerts.cluster_label):
            self._hear(each)

    def too_large(self, size: int, most: int) -> None:
        """Say that Alertmanager sends what is not taken: it would do so for ever, and nobody would know."""
        text = (
            f"Alertmanager sends {size / 1_000_000:.0f} MB at once, and no more than {most / 1_000_000:.0f} MB are "
            "taken: that group is not shown. Set `max_alerts` in its webhook_config, or group by more labels."
        )
        self._tell(text, {"alerts-too-large": timedelta(hours=1)})

    def _hear(self, heard: Notification) -> None:
        cluster = self._cluster(heard)
        shown = heard.without_watchdog()
        self._beat(heard, shown, cluster)
        if shown.alerts:
            # Two Alertmanagers may group by the same labels and name no cluster: their addresses part them.
            is_parted = not heard.cluster and len(self._site.clusters) > 1
            self._store(replace(shown, cluster=cluster) if is_parted else shown, cluster)
        if heard.cluster and not cluster:
            self._tell_unknown(heard.cluster)

    def _cluster(self, heard: Notification) -> str:
        """By its name in the configuration; "" where nobody can tell."""
        if heard.cluster:
            return alertroutes.cluster_named(self._site.clusters, heard.cluster)
        return alertroutes.cluster_behind(self._site.clusters, heard.external_url)

    def _beat(self, heard: Notification, shown: Notification, cluster: str) -> None:
        """Alerts reach us, from this cluster; a Watchdog that is resolved is the opposite of a beat."""
        beats = ["webhook"] if shown.alerts or heard.watchdog_fires else []
        beats += ["watchdog"] if heard.watchdog_fires else []
        for beat in beats:
            self._state.beat(beat)
            if cluster:
                self._state.beat(f"{beat}-{cluster}")

    def _store(self, heard: Notification, cluster: str) -> None:
        with tracing.span("take alerts", request=heard.id):
            for _ in range(_TRIES):
                try:
                    self._merge(heard, cluster)
                    return
                except Conflict:
                    continue
        raise Unreachable("the group is being written by others")

    def _merge(self, heard: Notification, cluster: str) -> None:
        stored = self._state.alert_group(heard.id)
        old = stored.record if stored else None
        site = self._site.clusters.get(cluster, self._site)
        to, expected = self._address(heard, cluster, site, old), self._expected(heard, cluster)
        to = replace(to, mention="") if expected else to
        group = alerts.merge(old, heard, to, self._now(), site.alerts)
        if group is None:
            return
        if expected and (old is None or old.episode != group.episode):
            group = group.say(f"🏷️ expected while {expected} is done: nobody is called", self._now())
        group = self._casebook.placed(old, group, self._now())
        change = self._state.change()
        if alertcause.is_worth_triage(old, group):
            group = self._look(change, old, group)
        self._casebook.put(change, stored, group, self._now())
        if group.repeats == 0:
            counts = {"firing": str(len(group.firing)), "resolved": str(len(group.resolved))}
            change.audit("alert", id=group.id, cluster=cluster, **counts)
        change.commit()
        if group.repeats == 0:
            line = "%s heard: %s firing, %s resolved%s"
            triaged = f", diagnosed by {group.triage}" if group.triage else ""
            log.info(line, group.id, counts["firing"], counts["resolved"], triaged)

    def _expected(self, heard: Notification, cluster: str) -> str:
        """The running change whose request says that it causes all of what fires, "" for none."""
        names = {alert.name for alert in heard.firing}
        for change in self._changes.open_records() if names else ():
            if (
                change.is_active
                and change.payload.cluster == cluster
                and names <= set(change.payload.expected)
            ):
                return change.id
        return ""

    # --- where to ---

    def _address(
        self, heard: Notification, cluster: str, site: Sections, old: AlertGroup | None
    ) -> alerts.Address:
        notes = alertroutes.noted(self._state.recall(f"notes-{cluster}"))
        routed = alertroutes.route(site, [alert.labels for alert in heard.firing or heard.alerts], notes)
        return alerts.Address(
            channel=self._channel(routed.channel),
            mention=self._member(routed.mention),
            owner=self._member(routed.owner) or routed.owner,
            route=routed.why,
            cluster=cluster,
            before=self._before(old) if old is not None and not old.firing else "",
        )

    def _channel(self, place: str) -> str:
        """The courier goes to `channels.alerts` where Slack knows no such channel (any more)."""
        is_key = any(each.name == place for each in fields(Channels))
        return (self._site.channel(place) if is_key else place) or self._site.channel("alerts")

    def _member(self, who: str) -> str:
        """The Slack id that is meant: of a role held by several, the first group of users, else the first of all."""
        if who == "oncall":
            return self._site.oncall(self._now())
        members = self._site.role_members(who)
        return next((member for member in members if member.startswith("S")), next(iter(members), ""))

    def _before(self, old: AlertGroup) -> str:
        """The message of the last episode, where Slack has it, as "channel ts"."""
        sent = Outbox(self._state).sent(card_of(old)).get(f"{old.episode}:card")
        return f"{sent.channel} {sent.ts}" if sent and sent.ts else ""

    # --- what the house itself has to say ---

    def _tell_unknown(self, cluster: str) -> None:
        known = ", ".join(f"`{name}`" for name in self._site.clusters)
        text = (
            f"Alerts come from a cluster `{cluster[:100]}`, which the configuration does not name (it has {known}). They "
            "are shown and not diagnosed. Name it under `clusters`, or set `alerts.cluster_label`."
        )
        # Where a label names hundreds that nobody knows, the next one is told of when its alert is heard again.
        self._tell(
            text, {f"unknown-cluster:{cluster}": timedelta(days=1), "unknown-cluster": timedelta(minutes=10)}
        )

    def _tell(self, text: str, pauses: Mapping[str, timedelta]) -> None:
        """Into the channel of alerts, unless one of these was said so lately."""
        notice = Notice(new_id("N"), self._site.channel("alerts"), text, self._now())
        change = self._state.change().put(notice, was="", keep=KEEP).show(notice, priority=2)
        for mark, pause in pauses.items():
            change.once(mark, notice.id, pause)
        try:
            change.commit()
        except Taken:
            return

    # --- the diagnosis ---

    def _look(self, change: Change, old: AlertGroup | None, group: AlertGroup) -> AlertGroup:
        """The group while its cause is looked for: once more in the same replies, where they tell of one already."""
        known = self._state.request(group.triage) if group.triage else None
        is_first = priority(group) == 0
        if old is None or known is None:
            triage = self._triage(group)
            change.put(triage, was="").work(triage, timeout=JOB_TIMEOUT, first=is_first)
            return replace(group, triage=triage.id, cause=None, looking=True)
        if not known.record.is_open:
            self._look_again(change, known, is_first=is_first)
        elif alertcause.became_critical(old, group):  # what is open looks at the newest state anyway
            change.work(known.record, timeout=JOB_TIMEOUT, first=True)
        return group if alertcause.keeps(old, group) else replace(group, cause=None, looking=True)

    def _look_again(self, change: Change, known: Stored[Request], *, is_first: bool) -> None:
        now = self._now()
        triage, pause = alertcause.anew(known.record, now), alertcause.wait(known.record, now)
        change.put(triage, was=known.version)
        if pause:
            change.wake(triage, pause)
        else:
            change.work(triage, timeout=JOB_TIMEOUT, first=is_first)

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
            trace=tracing.carried(),
        )
