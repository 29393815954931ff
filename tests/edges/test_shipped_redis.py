"""The shipped Redis, started as its pod starts it: the very arguments over the very file, and the very probes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.exceptions import RedisError

from bot.state import connect
from sandbox.house import wait_until
from sandbox.process import Child, free_ports
from sandbox.redis_server import find_program

pytestmark = pytest.mark.skipif(not shutil.which("redis-cli"), reason="not installed: redis-cli")

FOLDER = Path(__file__).parents[2] / "k8s" / "components" / "redis"
PASSWORD = "0123456789abcdef"

CONTAINER: dict[str, Any] = next(
    each["spec"]["template"]["spec"]["containers"][0]
    for each in yaml.safe_load_all((FOLDER / "redis.yaml").read_text())
    if each["kind"] == "StatefulSet"
)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    data = tmp_path_factory.mktemp("data")
    inside = {
        "/etc/redis/redis.conf": str(FOLDER / "redis.conf"),
        "/data": str(data),
        "$(REDISCLI_AUTH)": PASSWORD,
    }
    args = [inside.get(each, each) for each in CONTAINER["args"]]
    (port,) = free_ports(1)
    child = Child([find_program(), *args, "--port", str(port)], log=data / "log")
    child.start()
    try:
        wait_until(lambda: probed(port, "readinessProbe"), what="it is ready")
        yield port
    finally:
        child.stop()


def probed(port: int, kind: str) -> bool:
    """As the kubelet asks: by the exit code."""
    command = CONTAINER[kind]["exec"]["command"]
    argv = [command[0], "-p", str(port), *command[1:]]
    env = {"REDISCLI_AUTH": PASSWORD, "PATH": os.environ["PATH"]}
    return subprocess.run(argv, env=env, capture_output=True).returncode == 0


def test_it_keeps_everything_and_refuses_who_has_no_password(shipped: int) -> None:
    with connect(f"redis://:{PASSWORD}@127.0.0.1:{shipped}/0", patient=True) as redis:
        told: Any = redis.config_get()
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
    assert {name: told[name] for name in wanted} == wanted
    assert int(told["maxmemory"]) > 0
    with Redis(port=shipped) as stranger, pytest.raises(RedisError, match="uthenticat"):
        stranger.ping()


@pytest.mark.parametrize("kind", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_its_probes_are_answered(shipped: int, kind: str) -> None:
    assert probed(shipped, kind)
