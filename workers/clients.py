"""Puts the clients of every configured cluster together, warm for the life of the process.

One cluster's clients share nothing with another's, so what hangs or fails in one is not felt in the rest.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.casebook import Casebook
from bot.changerecords import ChangeRecords
from bot.records import Records
from bot.settings import Settings
from bot.state import State
from bot.taskrecords import TaskRecords
from commands.model import Read
from commands.reads import EvidenceKept, HeartbeatView, Now, WebhookHeartbeat
from commands.site import ClusterSite
from workers import ownstore
from workers.aws import Aws, Bucket
from workers.awswrites import AwsWrites
from workers.casebook import CasebookSource
from workers.changesource import ChangeSource
from workers.cluster import Cluster
from workers.deeds import DeedsSource
from workers.effects import Effects, ProxiedWrites, Rehearsals
from workers.network import Network
from workers.reader import Reader, Source
from workers.records import RecordsSource
from workers.runbooks import Runbooks
from workers.signals import Signals
from workers.signing import Signer
from workers.silencing import Silencing
from workers.tasks import TasksSource
from workers.trail import TrailSource
from workers.watching import Watcher
from workers.withheld import Withheld


class Own:
    """Answers what only the bot itself knows of a cluster.

    beat: the name under which its webhooks are noted, and its Watchdog by the same one; with one cluster every
    webhook is its, with several those whose `cluster` label names it.
    """

    def __init__(self, state: State, beat: str) -> None:
        self._state = state
        self._beat = beat

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now, WebhookHeartbeat, EvidenceKept),)

    def read(self, read: Read, deadline: float) -> Any:
        if isinstance(read, Now):
            return datetime.now(UTC)
        with ownstore.asked():
            if isinstance(read, EvidenceKept):
                return frozenset(uid for uid in read.uids if self._state.marked(f"evidence:{uid}"))
            watchdog = self._state.heard(self._beat.replace("webhook", "watchdog", 1))
            return HeartbeatView(self._state.heard(self._beat), self._state.heard("bot-start"), watchdog)


class Clients:
    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._open: list[Cluster | Signals | Network | Silencing] = []
        self._effects: dict[str, Effects] = {}
        self._watcher = Watcher()
        self._sources = {name: self._connect(site) for name, site in settings.site.clusters.items()}

    def reader(self, cluster: str) -> Reader:
        """A reader for one run in one cluster."""
        return Reader(self._sources[cluster], watch=self._watcher)

    def bucket(self, cluster: str) -> Bucket | None:
        """Where files of this cluster are kept; None when no bucket is configured."""
        site = self._settings.site.clusters[cluster]
        return Bucket(site) if site.backup.bucket else None

    def effects(self, cluster: str) -> Effects:
        """What may be done in one cluster; over the connection that its reads use."""
        return self._effects[cluster]

    def described(self) -> str:
        """What this process reads from, one phrase per cluster."""
        clusters = self._settings.site.clusters.values()
        return f"Redis {self._settings.redis_shown}; " + "; ".join(_described(site) for site in clusters)

    def close(self) -> None:
        for client in self._open:
            client.close()

    def _connect(self, site: ClusterSite) -> tuple[Source, ...]:
        kubeconfig = Path(self._settings.kubeconfig) if self._settings.kubeconfig else None
        cluster = Cluster(site, kubeconfig)
        signer = Signer("aps", site.monitoring.prometheus.region or site.region)
        signals = Signals(site, cluster, self._settings.grafana_token.reveal(), signer.headers)
        network = Network(site, cluster)
        self._open += [cluster, signals, network]
        silencing = Silencing(site, cluster, ProxiedWrites(cluster.api), self._state.called)
        self._open.append(silencing)
        containing = AwsWrites(site.region) if site.eks_name else None
        self._effects[site.name] = Effects(cluster.api, silencing, containing)
        own = Own(self._state, f"webhook-{site.name}" if len(self._settings.site.clusters) > 1 else "webhook")
        withheld = Withheld(self._state, Records(self._state, self._settings.site)).among
        trail = TrailSource(
            self._state.trail, self.bucket(site.name), called=self._state.called, withheld=withheld
        )
        return (
            cluster,
            Rehearsals(cluster.api, silencing, containing),
            signals,
            network,
            Runbooks(site),
            Aws(site),
            own,
            trail,
            CasebookSource(Casebook(self._state, self._settings.site), called=self._state.called),
            RecordsSource(Records(self._state, self._settings.site), self._settings.site.timezone),
            TasksSource(TaskRecords(self._state, self._settings.site)),
            DeedsSource(
                self._state.trail, ChangeRecords(self._state, self._settings.site), self._settings.site
            ),
            ChangeSource(ChangeRecords(self._state, self._settings.site)),
        )


def _described(site: ClusterSite) -> str:
    where = f"context {site.context}" if site.context else "the current context or the pod's own account"
    stack = site.monitoring
    urls = ", ".join(url for url in (stack.prometheus.url, stack.alertmanager.url, stack.grafana.url) if url)
    return f"cluster {site.name} by {where}, {urls} ({stack.access})"
