"""The two kinds of API servers over which the matrix of changes is walked (matrix.py)."""

from collections.abc import Iterator

import pytest
from matrix import Runs, control_plane, running, stand_in

from sandbox.redis_server import RedisServer


@pytest.fixture(scope="module")
def on_stand_in(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("matrix")
    with stand_in() as world, running(request, redis_server.url, folder, world) as runs:
        yield runs


@pytest.fixture(scope="module")
def on_control_plane(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("matrix")
    with control_plane() as world, running(request, redis_server.url, folder, world) as runs:
        yield runs
