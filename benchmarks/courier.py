"""Who is slow when 200 cards must reach Slack: Slack's clock or our sender; and what a burst of changes costs.

The stand-in, in a process of its own, keeps Slack's real rates; then the same without limits and pauses,
which shows the sender's own ceiling. Last, cards that change ten times: the sender's calls against one
call for each change.
"""

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slack_sdk import WebClient

from benchmarks.common import alerts_body, main, ratio, table
from benchmarks.slackside import SlackProcess
from bot import alertbody, alerts
from bot.courier import Courier, Pace
from bot.state import State, connect
from bot.wire import CALLS
from commands.model import AlertGroup
from sandbox.redis_server import RedisServer

COURIERS = 4  # as many threads as bot/__main__.py starts
CHANNELS = 10
UPDATES = 10
GROUPS = 200


def run(is_quick: bool) -> list[str]:
    logging.getLogger("bot.courier").setLevel(logging.CRITICAL)  # a limit that is met is counted, not told
    few, many, edited = (3, 20, 2) if is_quick else (15, GROUPS, 5)
    rows, said = [], []
    for has_limits, count, channels in (
        (True, few, 1),
        (True, many, CHANNELS),
        (False, many, 1),
        (False, many, CHANNELS),
    ):
        with _sender(channels, has_limits=has_limits) as sender:
            taken = sender.deliver(count)
            arrived, limited = sender.arrived(), sender.calls()["limited"]
        name = f"{'Slack’s rates' if has_limits else 'no limits'}, {channels} channel{'s' * (channels > 1)}"
        # The first card of each channel goes out at once; each later one waits its second.
        least = count / channels - 1 if has_limits else 0.0
        all_of_them = (
            taken / (count / channels - 1) * (GROUPS / channels - 1) if has_limits else taken / count * GROUPS
        )
        rows.append(
            (name, f"{arrived} of {count}", f"{taken:.2f}", f"{least:.0f}", ratio(taken, least),
             f"{count / taken:.1f}", str(limited), f"{all_of_them:.1f}")
        )  # fmt: skip
        against = f", {ratio(taken, least)} of Slack's own time" if least else ""
        said.append(f"{name}: {all_of_them:.1f} s for {GROUPS}{against}")
    header = ("", "in Slack", "s", "Slack's s", "ratio", "cards/s", "429s", f"s for {GROUPS}")
    table("Cards of alert groups, all due at once", header, rows)
    return [f"courier: {'; '.join(said)}", _bursts(edited)]


class _sender(ExitStack):
    """Redis, a Slack, and the bot's couriers between them; without limits they do not pause either."""

    def __init__(self, channels: int, *, has_limits: bool) -> None:
        super().__init__()
        self._channels = channels
        self._has_limits = has_limits

    def __enter__(self) -> "_sender":
        super().__enter__()
        server = self.enter_context(RedisServer())
        self._slack = self.enter_context(SlackProcess(has_limits=self._has_limits))
        self.state = State(connect(server.url, patient=True))
        client = WebClient(self._slack.bot_token, base_url=self._slack.api_url, timeout=10, retry_handlers=[])
        self._names = [_channel(client, number) for number in range(self._channels)]
        self._before = self._slack.messages()
        self._counted = _calls()
        pace = Pace() if self._has_limits else Pace(post=timedelta(0), updates=60_000)
        stop = threading.Event()
        one = Courier(self.state, client, str, pace)
        for _ in range(COURIERS):
            thread = threading.Thread(target=one.run, args=(stop,))
            thread.start()
            self.callback(thread.join)
        self.callback(stop.set)
        return self

    def deliver(self, count: int) -> float:
        """Seconds until nothing waits any more; the cards are all marked before the first is sent."""
        now = datetime.now(UTC)
        bodies = [alertbody.parse(alerts_body(f"group-{number}", 5)) for number in range(count)]
        groups = [
            alerts.merge(None, body, alerts.Address(self._names[number % self._channels]), now)
            for number, body in enumerate(bodies)
        ]
        started = time.perf_counter()
        for group in groups:
            assert group is not None
            self.state.change().put(group, was="").show(group, priority=0).commit()
        self.settle()
        return time.perf_counter() - started

    def settle(self) -> None:
        while self.state.depths()["outbox"]:
            time.sleep(0.005)

    def arrived(self) -> int:
        after = self._slack.messages()
        return sum(after[name.strip("#")] - self._before[name.strip("#")] for name in self._names)

    def calls(self) -> Counter[str]:
        return _calls() - self._counted


def _channel(client: WebClient, number: int) -> str:
    name = f"storm-{number}"
    client.conversations_create(name=name)
    return f"#{name}"


def _calls() -> Counter[str]:
    """Calls to Slack by method, and how many of them met a limit."""
    found: Counter[str] = Counter()
    for sample in next(iter(CALLS.collect())).samples:
        if sample.name.endswith("_total"):
            found[sample.labels["method"]] += int(sample.value)
            found["limited"] += int(sample.value) if "limited" in sample.labels["outcome"] else 0
    return found


# --- a burst of changes ---


def _bursts(cards: int) -> str:
    """Each card changes UPDATES times, a change every 20 ms: what the sender calls, and what it would cost
    to call for each change, which Slack's rates would make last a minute and are off for that reason."""
    rows = []
    per_card: dict[str, float] = {}
    for name, burst, has_limits in (
        ("the sender", _marked, True),
        ("one call for each change", _called, False),
    ):
        with _sender(CHANNELS, has_limits=has_limits) as sender:
            started = time.perf_counter()
            burst(sender, cards)
            sender.settle()
            taken = time.perf_counter() - started
            calls = sender.calls()
        posts, edits = calls["chat.postMessage"], calls["chat.update"]
        per_card[name] = (posts + edits) / cards
        rows.append(
            (name, str(cards), str(posts), str(edits), f"{per_card[name]:.1f}", f"{taken:.2f}",
             ratio(per_card[name], per_card["the sender"]))
        )  # fmt: skip
    header = ("", "cards", "posts", "edits", "calls a card", "s", "to ours")
    table(f"Cards that change {UPDATES} times within {UPDATES * 20} ms", header, rows)
    ours, naive = per_card.values()
    return f"courier: {ours:.1f} calls for a card that changes {UPDATES} times, {naive:.1f} when each change is a call"


def _marked(sender: "_sender", cards: int) -> None:
    _change(sender, cards, lambda: None)


def _called(sender: "_sender", cards: int) -> None:
    _change(sender, cards, sender.settle)


def _change(sender: "_sender", cards: int, after_each: Callable[[], None]) -> None:
    now = datetime.now(UTC)
    groups: list[AlertGroup] = []
    for number in range(cards):
        body = alertbody.parse(alerts_body(f"edited-{number}", 5))
        group = alerts.merge(None, body, alerts.Address(f"#storm-{number}"), now)
        assert group is not None
        groups.append(group)
    for update in range(UPDATES + 1):
        for group in groups:
            # What a card shows changes with each step; a line in the thread would be a message by itself.
            shown = replace(group, truncated=update)
            was = str(update) if update else ""
            sender.state.change().put(shown, was=was).show(shown, priority=0).commit()
        time.sleep(0.02)
        after_each()


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
