"""`make sandbox` as a person meets it: one command, a page to type into, and nothing left behind.

The sandbox runs as a process of its own, on a free port and in a folder of its own; what is asserted came
over HTTP, as the page gets it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from sandbox import monitoring
from sandbox.house import PATIENCE, wait_until
from sandbox.process import Child, free_ports
from tests.stories.sandboxed import shown

Json = dict[str, Any]
T = TypeVar("T")

START_SECONDS = 120  # only bounds a failure
SECTIONS = ("SLO", "Cluster", "Monitoring", "Application")


class Running:
    """A started sandbox, seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        dot = str(folder / "dot")
        self.argv = [sys.executable, "-m", "sandbox", "--port", str(self.port), "--folder", dot]
        # A Redis of the machine would not be the sandbox's own.
        self.env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        self.child = Child(self.argv, log=folder / "sandbox.log", env=self.env)
        self.child.start()
        self.child.wait_ready(lambda: "Ctrl-C stops everything" in self.child.tail(), seconds=START_SECONDS)

    def processes(self, name: str = "") -> list[psutil.Process]:
        found = psutil.Process(self.child.pid).children(recursive=True)
        return [each for each in found if name in _name(each)]

    def post(self, path: str, **body: Any) -> Json:
        answer = httpx.post(f"{self.url}/{path}", json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()
        return result

    def messages(self, channel: str) -> list[Json]:
        state = httpx.get(f"{self.url}/_standin/state", params={"user": "alice"}, timeout=PATIENCE).json()
        (found,) = [each for each in state["channels"] if each["name"] == channel]
        listed: list[Json] = found["messages"]
        return listed

    def wait_for(self, look: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Look again at every notice of the live feed, until there is something to see."""
        deadline = time.monotonic() + seconds
        with connect(self.url.replace("http", "ws") + "/_standin/live") as feed:
            while not (seen := look()):
                feed.recv(timeout=max(0.01, deadline - time.monotonic()))
            return seen


def _name(process: psutil.Process) -> str:
    """Of one that has ended meanwhile: none."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.child.stop()


def answer_to(sandbox: Running, text: str, sections: tuple[str, ...]) -> Json:
    """The card in #sre-daily with all its sections, once alice has typed this."""
    before = {message["ts"] for message in sandbox.messages("sre-daily")}
    delivery = sandbox.post("_standin/command", user="alice", channel="#sre-daily", text=text)["result"]
    assert delivery["ok"] and "On it" in delivery["body"]["text"]

    def complete() -> Json | None:
        for message in sandbox.messages("sre-daily"):
            replies = [shown(reply) for reply in message["replies"]]
            told = all(any(section in reply for reply in replies) for section in sections)
            if message["ts"] not in before and "green" in shown(message) and told:
                return message
        return None

    found = sandbox.wait_for(complete)
    assert found is not None
    return found


def test_health_is_answered_with_a_card_and_four_sections(sandbox: Running) -> None:
    card = answer_to(sandbox, "health", SECTIONS)
    assert "health · sre-training-cluster" in shown(card)
    cluster = next(shown(reply) for reply in card["replies"] if "Cluster" in shown(reply))
    assert "3 of 3 Ready" in cluster and "ACTIVE" in cluster
    application = next(shown(reply) for reply in card["replies"] if "Application" in shown(reply))
    assert "3/3 ready" in application and "3/3 answer 200" in application


def test_an_alert_made_by_hand_is_a_card_that_is_resolved_in_place(sandbox: Running) -> None:
    assert sandbox.post("_sandbox/alert", alert="HighErrorRate")["status"] == 200

    def card() -> Json | None:
        cards = sandbox.messages("sre-alerts")
        return next((each for each in cards if "HighErrorRate" in shown(each)), None)

    fired = sandbox.wait_for(card)
    assert fired is not None and "firing" in shown(fired)
    assert sandbox.post("_sandbox/alert", alert="HighErrorRate", resolve=True)["status"] == 200
    resolved = sandbox.wait_for(lambda: (now := card()) and "✅" in shown(now) and now)
    assert resolved and resolved["ts"] == fired["ts"]


def test_a_killed_bot_is_back_and_answers(sandbox: Running) -> None:
    (bot,) = sandbox.processes("sre-bot bot")
    bot.send_signal(signal.SIGKILL)
    bot.wait(PATIENCE)

    log = sandbox.folder / "dot" / "bot.log"
    wait_until(lambda: log.read_text().count("bot listens") == 2, what="a second life of the bot")
    asked = sandbox.post("_standin/command", user="alice", channel="#sre-daily", text="help")["result"]
    assert asked["ok"] and "RESPOND" in str(asked["body"])
    assert [each.pid for each in sandbox.processes("sre-bot bot")] != [bot.pid]


def test_a_second_sandbox_says_where_the_first_one_runs(sandbox: Running) -> None:
    second = subprocess.run(sandbox.argv, env=sandbox.env, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1
    assert f"runs already: {sandbox.url}" in second.stderr


@pytest.mark.monitoring
def test_a_broken_pod_raises_its_alert_and_the_card_says_so(sandbox: Running) -> None:
    if absent := monitoring.lacking():
        pytest.skip(f"not on PATH: {', '.join(absent)}")
    sandbox.post("_sandbox/break", fault="crash-loop")
    crash = "KubePodCrashLooping"
    assert sandbox.wait_for(lambda: [m for m in sandbox.messages("sre-alerts") if crash in shown(m)])
    card = answer_to(sandbox, "health cluster", ("Cluster",))
    said = "".join(shown(reply) for reply in card["replies"])
    # Between two crashes the pod runs, as kubectl has it; its last restart gives it away.
    assert "CrashLoopBackOff" in said or "restarted" in said
    sandbox.post("_sandbox/mend", fault="crash-loop")


def test_sigterm_leaves_no_process(sandbox: Running) -> None:
    """The last test of the file: it ends the sandbox that the others use."""
    started = sandbox.processes()
    assert len(sandbox.processes("sre-bot bot")) == 1 and len(sandbox.processes("sre-bot workers")) == 1
    sandbox.child.stop(grace=PATIENCE)
    assert "Stopped." in sandbox.child.tail()
    assert psutil.wait_procs(started, timeout=PATIENCE)[1] == []
