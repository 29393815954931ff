"""The Slack stand-in in a process of its own, so that what it costs is not taken for what the bot costs.

`SlackProcess` is what a House asks of its Slack: the address, the token and the secret.
"""

import json
import shutil
import sys
import tempfile
import urllib.request
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.process import Child


class SlackProcess:
    """Started with `with`; it keeps Slack's rate limits unless told otherwise."""

    def __init__(self, *, has_limits: bool = True) -> None:
        self._limits = "slack" if has_limits else "off"
        self.request_url = ""  # a House sets it; here nobody acts as a person

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="sre-bot-slack-"))
        argv = [sys.executable, "-m", "sandbox.slack", "--port", "0", "--rate-limits", self._limits]
        self._child = Child(argv, log=self._folder / "slack.log")
        self._child.start()
        self._child.wait_ready(lambda: self._child.tail().endswith("}\n"), seconds=20)
        told = json.loads(self._child.tail())
        self.url: str = told["url"]
        self.api_url: str = told["api_url"]
        self.bot_token: str = told["bot_token"]
        self.app_token: str = told["app_token"]
        self.signing_secret: str = told["signing_secret"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def messages(self) -> Counter[str]:
        """How many messages each channel has, by the channel's name."""
        with urllib.request.urlopen(f"{self.url}/_standin/state", timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
        return Counter({channel.get("name", ""): _count(channel) for channel in state["channels"]})


def _count(channel: dict[str, Any]) -> int:
    return sum(1 + len(message.get("replies", ())) for message in channel["messages"])
