"""Walks many cases of changes side by side over one API server: each waits more than it computes.

A case is a function of a Road whose name is the sentence that holds. Test modules declare theirs with a Matrix and
have two tests over it, one for each kind of server; every case that was chosen starts at the first of them.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from gate import Gate
from road import Road, World
from slack_sdk import WebClient

from bot.state import State, connect
from sandbox.controlplane import ControlPlane
from sandbox.kube import KubeStandIn
from sandbox.slack import SlackStandIn
from sandbox.testkubelet import TestKubelet

Case = Callable[[Road], None]

AT_ONCE = 10
SECONDS = 110.0


class Matrix:
    """The cases of one module. real_only: those that the stand-in does not claim to support, with the reason."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.everywhere: list[Case] = []
        self.real: list[Case] = []

    def case(self, case: Case) -> Case:
        self.everywhere.append(case)
        self.real.append(case)
        return case

    def real_only(self, why: str) -> Callable[[Case], Case]:
        def declared(case: Case) -> Case:
            self.real.append(case)
            return case

        return declared


def sentence(case: Case) -> str:
    return case.__name__.replace("_", " ")


class Runs:
    """Cases under way; `result` waits for one and raises what it raised."""

    def __init__(self, matrix: Matrix, world: World, state: State, slack: Any, folder: Path) -> None:
        self.world, self._matrix = world, matrix
        self._state, self._slack, self._folder = state, slack, folder
        self._runs: dict[Case, Future[None]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "case")

    def begin(self, cases: list[Case]) -> None:
        self._runs = {case: self._pool.submit(self._run, case) for case in cases}

    def result(self, case: Case) -> None:
        self._runs[case].result(SECONDS)

    def wait(self) -> None:
        """Until none is under way, however it ended."""
        self._pool.shutdown()

    def alone(self, case: Case) -> None:
        """One that disturbs every other: after all of them."""
        self.wait()
        self._run(case)

    def _run(self, case: Case) -> None:
        number = self._matrix.real.index(case) if case in self._matrix.real else 99
        with Gate(self.world.url, self.world.ca) as gate:
            name = f"{self._matrix.name}{number}"
            road = Road(self.world, self._state, self._slack, name, self._folder, gate)
            try:
                case(road)
            finally:
                road.close()


@contextmanager
def running(request: pytest.FixtureRequest, redis: str, folder: Path, world: World) -> Iterator[Runs]:
    """Runs over that world of what this session chose of the module's cases."""
    state = State(connect(redis, patient=True))
    state.redis.flushall()
    with SlackStandIn() as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
        runs = Runs(request.module.MATRIX, world, state, client, folder)
        runs.begin(list(_chosen(request)))
        try:
            yield runs
        finally:
            runs.wait()
    state.redis.close()


def _chosen(request: pytest.FixtureRequest) -> Iterator[Case]:
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            case: Any = item.callspec.params["case"]
            if request.fixturename in item.fixturenames:
                yield case


@contextmanager
def stand_in() -> Iterator[World]:
    with KubeStandIn(tick_every=0.05) as kube:
        yield World(kube)


@contextmanager
def control_plane() -> Iterator[World]:
    with ExitStack() as open:
        plane = open.enter_context(ControlPlane())
        yield World(plane, open.enter_context(TestKubelet(plane)))
