"""The shipped Redis settings are those that tests, benchmarks and sandbox run with."""

import shlex

from sandbox.redis_server import DURABLE
from tests.drift.tree import ROOT


def test_the_shipped_file_has_the_settings_that_were_tried() -> None:
    lines = (ROOT / "k8s" / "components" / "redis" / "redis.conf").read_text().splitlines()
    shipped = dict(shlex.split(line) for line in lines if line and not line.startswith("#"))
    assert shipped == dict(DURABLE)
