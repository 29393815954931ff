"""SIGTERM in the middle of a run, as a rollout sends it: the process ends by itself with 0, and the run is told."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from sandbox.house import Member, wait_until
from tests.stories.faults import World

NAMES = ("finished", "given-up", "bot", "stuck", "last")

# Kubernetes kills after 30 s.
GRACE = 30


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(NAMES) as world:
        yield world


@pytest.fixture(autouse=True)
def all_there(world: World) -> None:
    world.slack.clear_faults()
    for member in world.house.members:
        if not member.is_running():
            member.restart()


def terminate(*members: Member) -> list[psutil.Process]:
    processes = [psutil.Process(member.pid) for member in members]
    for process in processes:
        process.send_signal(signal.SIGTERM)
    return processes


def ends_well(*processes: psutil.Process) -> float:
    """Every process has ended by itself with 0; how long that took."""
    began = time.monotonic()
    for process in processes:
        assert process.wait(timeout=GRACE) == 0
    return time.monotonic() - began


def start_reading(world: World, name: str) -> Member:
    world.gates[name].close()
    world.ask(name)
    world.wait_card(name, "0 of 1 read")
    world.wait_reading(name)
    return world.worker_of(name)


def assert_told(world: World, name: str) -> None:
    world.wait_told(name, ("card", "section:app"))
    world.assert_told_once(name)


def test_a_worker_finishes_what_it_reads(world: World) -> None:
    worker = start_reading(world, "finished")
    stopping = terminate(worker)
    wait_until(lambda: "warm shut down requested" in worker.log(), seconds=GRACE, what="it has heard")
    assert worker.is_running()
    world.gates["finished"].open()
    print(f"\nworker ended {ends_well(*stopping):.1f} s after its source answered")
    assert_told(world, "finished")
    assert len(world.gates["finished"].entered) == 1


def test_a_worker_whose_source_hangs_ends_with_what_it_has(world: World) -> None:
    stopping = terminate(start_reading(world, "given-up"))
    print(f"\nworker with a hanging source ended after {ends_well(*stopping):.1f} s")
    assert_told(world, "given-up")
    assert dict(world.shown("given-up"))["section:app"].startswith("⚪")
    world.gates["given-up"].open()


def test_a_bot_ends_at_once_and_the_next_one_tells_the_answer(world: World) -> None:
    start_reading(world, "bot")
    print(f"\nbot ended after {ends_well(*terminate(world.house.bot)):.1f} s")
    world.gates["bot"].open()
    world.wait_audit("bot", "answered")
    assert [text for _, text in world.shown("bot")] == [
        "⏳ health app --service bot · sre-training-cluster: 0 of 1 read"
    ]
    world.house.bot.restart()
    assert_told(world, "bot")


def test_a_bot_whose_slack_hangs_ends_too(world: World) -> None:
    world.slack.fault("chat.postMessage", "latency", seconds=600)
    world.ask("stuck")
    world.wait_card("stuck", "health")
    print(f"\nbot in the middle of a call ended after {ends_well(*terminate(world.house.bot)):.1f} s")
    world.house.bot.restart()
    assert_told(world, "stuck")


def test_the_whole_house_ends_and_leaves_no_process(world: World) -> None:
    """The last test of the file."""
    start_reading(world, "last")
    before = psutil.Process(os.getpid()).children(recursive=True)
    stopping = terminate(*world.house.members)
    world.gates["last"].open()
    print(f"\nthe house ended after {ends_well(*stopping):.1f} s")
    left = {process.pid for process in before if process.is_running()} & {each.pid for each in stopping}
    assert not left
    for member in world.house.members:
        assert not any(word in member.log() for word in ("Traceback", "exc_info")), member.log()
    for member in world.house.members:
        member.restart()
    assert_told(world, "last")
