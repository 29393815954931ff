"""`python -m sandbox`: the whole house on this machine, with a shop to look after and a page to type into.

One at a time in a folder; stops everything it started at Ctrl-C or SIGTERM. What it writes is in ./.sandbox,
and nothing of it is needed again: the workspace is a new one at each start. What there is, and how it hangs
together, is in assembly.py.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import functools
import json
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from commands.catalog import BadCatalog, Catalog
from sandbox import given
from sandbox.assembly import Refused, Sandbox
from sandbox.process import ChildFailed

Json = dict[str, Any]

FOLDER = Path(".sandbox")


# --- one at a time --------------------------------------------------------------------------------


class AlreadyRuns(Exception):
    """The message says where."""


class _Lock:
    """Held for the life of the process, however it ends; says who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> IO[str]:
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyRuns(f"A sandbox runs already: {file.read().strip() or 'it is starting'}") from error
        file.truncate(0)
        return file

    def tell(self, file: IO[str], text: str) -> None:
        file.truncate(0)
        file.write(text)
        file.flush()


# --- the command ----------------------------------------------------------------------------------


class _Stopped(BaseException):
    """SIGINT or SIGTERM: unwinds from wherever the start is."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    lock = _Lock(options.folder / "lock")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with lock.take() as held:
            _serve(options, functools.partial(lock.tell, held))
    except (AlreadyRuns, Refused, given.Incomplete) as error:
        print(error, file=sys.stderr)
        return 1
    except ChildFailed:
        slip = _slip_in_a_command()
        if not slip:
            raise
        print(slip, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(f"Port {options.port} is taken: choose another with --port.", file=sys.stderr)
        return 1
    except _Stopped:
        print("Stopped.", flush=True)
    return 0


def _slip_in_a_command() -> str:
    """What whoever writes a command is most likely to have done, in lines and without the traceback."""
    try:
        Catalog.load()
    except BadCatalog as error:
        return str(error)
    return ""


def _serve(options: argparse.Namespace, tell: Callable[[str], None]) -> None:
    print("Starting the sandbox …", flush=True)
    with Sandbox(options.folder, port=options.port, given=given.taken(options)) as sandbox:
        tell(f"{sandbox.slack.url} (process {os.getpid()})")
        print(_greeting(sandbox), flush=True)
        if options.browser:
            webbrowser.open(sandbox.slack.url)
        try:
            threading.Event().wait()
        finally:
            print("Stopping …", flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    """Once: a second Ctrl-C must not interrupt the stopping, which kills what does not listen anyway."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise _Stopped


def _greeting(sandbox: Sandbox) -> str:
    parts: list[Json] = sandbox.about()["parts"]
    url = sandbox.slack.url
    groups = {
        "real": [part for part in parts if part["real"]],
        "stand-ins": [part for part in parts if not part["real"] and not part.get("missing")],
        "missing": [part for part in parts if part.get("missing")],
    }
    lines = [f"\n  {url}\n"]
    for title, group in groups.items():
        lines += [f"  {title}:"] if group else []
        lines += [f"    {part['name']:<13} {part['note']}" for part in group]
    post = f"curl -s {url}/_sandbox"
    fault, alert, health = (
        json.dumps(body)
        for body in (
            {"fault": "crash-loop"},
            {"alert": "HighErrorRate"},
            {"user": "alice", "channel": "#sre-daily", "text": "health"},
        )
    )
    if sandbox.given.has_slack:
        return "\n".join([*lines, "\n  Type /sre health in your workspace.", _end(sandbox)])
    lines += [
        "\n  To try:",
        f"    1. /sre health in #sre-daily    or: curl -s {url}/_standin/command -d '{health}'",
    ]
    if not sandbox.given.kubeconfig:
        lines.append(
            f"    2. break a pod, ask again       or: {post}/break -d '{fault}'   ({post}/mend -d '{fault}')"
        )
    if sandbox.alertmanager and sandbox.prometheus:
        lines.append(f"    3. kill -9 {sandbox.house.bot.pid} (the bot) while it answers: nothing is lost")
    else:
        lines.append(f"    3. raise an alert by hand: {post}/alert -d '{alert}'")
    return "\n".join([*lines, _end(sandbox)])


def _end(sandbox: Sandbox) -> str:
    return f"\n  Logs and configuration: {sandbox.folder}/. Ctrl-C stops everything.\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="The SRE Bot and its whole world, here."
    )
    parser.add_argument("--port", type=int, default=8900, help="of the page (default 8900)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it writes (default .sandbox)")
    parser.add_argument(
        "--browser", action=argparse.BooleanOptionalAction, default=False, help="open the page"
    )
    given.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
