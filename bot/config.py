"""`sre-bot config`: checks a policy file, shows the configuration in force, lists the keys there are.

For who writes the file, before a process is started with it. Asks nobody over the network: the doctor does.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, is_dataclass
from datetime import timedelta
from typing import Any

from bot import settings
from bot.siteschema import schema


def main(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.do == "keys":
        print("\n".join(_keys(given.below)))
        return 0
    found = dict(os.environ if environ is None else environ)
    if given.file:
        found["SRE_BOT_CONFIG"] = given.file
    try:
        loaded = settings.load_worker(found)
    except settings.BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    name = loaded.config or "no file (SRE_BOT_CONFIG is not set), every default"
    clusters = ", ".join(loaded.site.clusters)
    print(settings.effective(loaded) if given.do == "show" else f"{name}: good; clusters: {clusters}")
    return 0


def _keys(below: str) -> Iterator[str]:
    """Those that take a value, `key: default`; "" for all."""
    everything = dict(schema())
    for path, default in everything.items():
        is_leaf = not any(other.startswith((f"{path}.", f"{path}[]")) for other in everything)
        if is_leaf and path != "clusters" and path.startswith(below):
            yield f"{path}: {_written(default)}"


def _written(default: Any) -> str:
    """As the file would have it; "needed" where there is no default."""
    if default is MISSING:
        return "needed"
    if isinstance(default, timedelta):
        return settings.duration_text(default)
    if is_dataclass(default) or default is None:
        return "–"
    if isinstance(default, Mapping):
        default = dict(default)
    return json.dumps(default, ensure_ascii=False, default=str)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sre-bot config", description="The policy file, sre-bot.yaml.")
    do = parser.add_subparsers(dest="do", metavar="check|show|keys", required=True)
    for name, help in (
        ("check", "name everything that is wrong with it, by line; exit code 2 if anything is"),
        ("show", "what is in force with it: every default filled in, secrets as set or absent"),
    ):
        one = do.add_parser(name, help=help, description=help)
        one.add_argument("file", nargs="?", default="", help="the file; else the one SRE_BOT_CONFIG names")
    keys = do.add_parser("keys", help="every key with its default")
    keys.add_argument("below", nargs="?", default="", metavar="PREFIX", help="only those, such as slo.")
    return parser
