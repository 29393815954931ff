"""Puts the read clients of every configured cluster together, warm for the life of the process.

One cluster's clients share nothing with another's, so what hangs or fails in one is not felt in the rest.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from bot.settings import Settings
from bot.state import State
from commands.errors import Unreachable
from commands.model import Read
from commands.reads import HeartbeatView, Now, WebhookHeartbeat
from commands.site import ClusterSite
from workers.aws import Aws
from workers.cluster import Cluster
from workers.reader import Reader, Source
from workers.signals import Signals


class Own:
    """Answers what only the bot itself knows of a cluster.

    beat: the name under which its webhooks are noted; with one cluster every webhook is its, with several
    those whose `cluster` label names it.
    """

    def __init__(self, state: State, beat: str) -> None:
        self._state = state
        self._beat = beat

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now, WebhookHeartbeat),)

    def read(self, read: Read, deadline: float) -> Any:
        if isinstance(read, Now):
            return datetime.now(UTC)
        try:
            return HeartbeatView(self._state.heard(self._beat), self._state.heard("bot-start"))
        except RedisError as error:
            raise Unreachable(f"the bot's own store does not answer: {error}", mend="see /readyz") from error


class Clients:
    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._open: list[Cluster | Signals] = []
        self._sources = {name: self._connect(site) for name, site in settings.site.clusters.items()}

    def reader(self, cluster: str) -> Reader:
        """A reader for one run in one cluster."""
        return Reader(self._sources[cluster])

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
        signals = Signals(site, cluster, self._settings.grafana_token.reveal())
        self._open += [cluster, signals]
        own = Own(self._state, f"webhook-{site.name}" if len(self._settings.site.clusters) > 1 else "webhook")
        return (cluster, signals, Aws(site), own)


def _described(site: ClusterSite) -> str:
    where = f"context {site.context}" if site.context else "the current context or the pod's own account"
    stack = site.monitoring
    urls = ", ".join(url for url in (stack.prometheus.url, stack.alertmanager.url, stack.grafana.url) if url)
    return f"cluster {site.name} by {where}, {urls} ({stack.access})"
