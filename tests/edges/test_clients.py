"""Several clusters side by side: what one of them does to its reads is not felt in the other's."""

import time
from dataclasses import replace
from pathlib import Path

import orjson
import yaml

from bot.intake import Intake
from bot.settings import Settings
from bot.state import State
from commands.catalog import Catalog
from commands.model import Gap
from commands.reads import HeartbeatView, Nodes, Now, Pods, WebhookHeartbeat
from commands.site import Alertmanager, ClusterSite, Grafana, Monitoring, Prometheus, Site
from sandbox.kube import Hang, KubeStandIn, build
from workers.clients import Clients


def two_clusters(state: State, good: KubeStandIn, bad: KubeStandIn, folder: Path) -> Clients:
    nothing = Monitoring(Prometheus(url=""), Grafana(url=""), Alertmanager(url=""))
    sites = {name: ClusterSite(name=name, context=name, monitoring=nothing) for name in ("good", "bad")}
    files = []
    for name, kube in (("good", good), ("bad", bad)):
        file = kube.kubeconfig(folder / name)
        file.write_text(file.read_text().replace(_context(file), name))
        files.append(str(file))
    site = replace(Site(), clusters=sites, default_cluster="good")
    return Clients(Settings(site=site, kubeconfig=":".join(files)), state)


def _context(file: Path) -> str:
    """The name that this kubeconfig gives its cluster, user and context."""
    return str(yaml.safe_load(file.read_text())["current-context"])


def test_a_cluster_that_hangs_leaves_the_others_answer_alone(state: State, tmp_path: Path) -> None:
    with KubeStandIn() as good, KubeStandIn() as bad:
        good.apply(build.node("node-1"))
        hang = bad.fail(Hang(20))
        clients = two_clusters(state, good, bad, tmp_path)
        try:
            started = time.monotonic()
            stuck = clients.reader("bad").see((Nodes(), Pods()), started + 1)
            answered = clients.reader("good").see((Nodes(), Pods()), time.monotonic() + 30)
        finally:
            bad.faults.remove(hang)
            clients.close()
    assert all(isinstance(stuck[read], Gap) for read in stuck)
    assert [node.name for node in answered[Nodes()]] == ["node-1"]


def test_the_webhooks_of_one_cluster_are_no_beat_of_another(state: State, tmp_path: Path) -> None:
    with KubeStandIn() as one, KubeStandIn() as other:
        clients = two_clusters(state, one, other, tmp_path)
        site = replace(Site(), clusters={name: ClusterSite(name=name) for name in ("good", "bad")})
        body = {"alerts": [{"status": "firing", "labels": {"alertname": "Watchdog", "cluster": "good"}}]}
        Intake(state, Catalog.load(), site).take(orjson.dumps(body))
        seen = {name: clients.reader(name).see((Now(), WebhookHeartbeat())) for name in ("good", "bad")}
        clients.close()
    good, bad = (seen[name][WebhookHeartbeat()] for name in ("good", "bad"))
    assert isinstance(good, HeartbeatView) and good.last is not None
    assert isinstance(bad, HeartbeatView) and bad.last is None


def test_what_a_process_reads_from_is_said_without_a_secret(state: State, tmp_path: Path) -> None:
    with KubeStandIn() as one, KubeStandIn() as other:
        clients = two_clusters(state, one, other, tmp_path)
        said = clients.described()
        clients.close()
    assert "cluster good by context good" in said and "cluster bad by context bad" in said
    assert one.token not in said
