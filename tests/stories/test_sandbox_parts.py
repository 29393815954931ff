"""Real parts in the place of the sandbox's own: used as they are, never emptied, never broken."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sandbox import envtest, monitoring
from sandbox.assembly import MARK, Refused, Sandbox
from sandbox.controlplane import ControlPlane
from sandbox.given import Given
from sandbox.house import wait_until
from sandbox.monitoring import Prometheus
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer

Json = dict[str, Any]

SECONDS = 60  # only bounds a failure


def opened(folder: Path, given: Given) -> Sandbox:
    return Sandbox(folder / "dot", port=free_ports(1)[0], given=given)


def part(sandbox: Sandbox, name: str) -> Json:
    found: Json = next(each for each in sandbox.about()["parts"] if each["name"] == name)
    return found


def lever(sandbox: Sandbox, name: str) -> Json:
    found: Json = next(each for each in sandbox.stage.state()["faults"] if each["name"] == name)
    return found


def answer(sandbox: Sandbox, text: str, *words: str) -> str:
    """What the bot says to alice, once it says all of this."""
    sandbox.slack.command("alice", "#sre-daily", text)

    def said() -> list[str]:
        texts = [str(each) for each in sandbox.slack.messages("sre-daily")]
        return [each for each in texts if all(word in each for word in words)]

    return wait_until(said, what=f"{words} to {text}", seconds=SECONDS)[-1]


def test_a_redis_that_somebody_else_uses_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    with RedisServer() as server, Redis.from_url(server.url) as redis:
        redis.set("sre:request:R1", "production's")
        with (
            pytest.raises(Refused, match="1 keys that no sandbox wrote"),
            opened(tmp_path, Given(redis=server.url)),
        ):
            pass
        assert redis.keys() == [b"sre:request:R1"]


@pytest.mark.monitoring
def test_a_redis_and_a_prometheus_that_are_given_are_used_and_never_broken(tmp_path: Path) -> None:
    if absent := monitoring.lacking():
        pytest.skip(f"not on PATH: {', '.join(absent)}")
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},  # by itself the first is within a minute
        "scrape_configs": [{"job_name": "mine", "static_configs": [{"targets": ["127.0.0.1:9"]}]}],
    }
    with RedisServer() as server, Prometheus(config) as prometheus, Redis.from_url(server.url) as redis:
        given = Given(redis=f"redis://default:hunter2@127.0.0.1:{server.port}/0", prometheus=prometheus.url)
        wait_until(lambda: prometheus.query('up{job="mine"}'), what="the first scrape", seconds=SECONDS)
        with opened(tmp_path, given) as sandbox:
            assert redis.exists(MARK)
            assert part(sandbox, "Redis")["note"] == f"redis://***@127.0.0.1:{server.port}/0 (yours)"
            assert part(sandbox, "Prometheus") == {
                "name": "Prometheus",
                "real": True,
                "note": f"{prometheus.url} (yours)",
                "replace": "",
            }
            for fault in ("prometheus-down", "redis-restart"):
                assert "is yours" in lever(sandbox, fault)["off"]
                with pytest.raises(LookupError, match="is yours"):
                    sandbox.stage.break_(fault)
            pid = prometheus.pid
            answer(sandbox, "health monitoring", "Scrape targets", "mine")
            sandbox.reset()
            assert prometheus.pid == pid and redis.exists(MARK)
        assert redis.dbsize() == 0, "what is written there next is not a sandbox's to empty"


@pytest.fixture
def cluster() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.mark.cluster
@pytest.mark.skipif(
    "KUBEBUILDER_ASSETS" not in os.environ, reason="KUBEBUILDER_ASSETS is unset: see `make envtest`"
)
def test_a_cluster_that_is_given_is_read_and_nothing_is_broken_in_it(
    tmp_path: Path, cluster: ControlPlane
) -> None:
    assert envtest.present()
    cluster.add_node("mine-1")
    before = _writers(cluster)
    with opened(tmp_path, Given(kubeconfig=cluster.kubeconfig)) as sandbox:
        assert part(sandbox, "Kubernetes")["real"]
        assert "mine-1" in answer(sandbox, "node list", "mine-1")
        state = sandbox.stage.state()
        assert state["backend"] is None
        in_cluster = [each for each in state["faults"] if each["group"] in ("pods", "nodes", "services")]
        assert in_cluster and all("the cluster is yours" in each["off"] for each in in_cluster)
        with pytest.raises(LookupError, match="the cluster is yours"):
            sandbox.stage.break_("node-not-ready")
        with pytest.raises(LookupError, match="the cluster is yours"):
            sandbox.skip(60)
        sandbox.stage.break_("slack-429")
        sandbox.reset()
    assert _writers(cluster) == before


def _writers(cluster: ControlPlane) -> set[str]:
    """Who ever wrote to a node, but for the cluster's own controllers."""
    listed = cluster.request("GET", "/api/v1/nodes")["items"]
    fields = [field["manager"] for each in listed for field in each["metadata"]["managedFields"]]
    return set(fields) - {"kube-controller-manager"}
