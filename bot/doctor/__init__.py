"""`python -m bot doctor`: does everything the configuration names answer, and may the bot do what it needs?

One line per check (✓ good, ✗ broken, ! to be looked at, ? not known or not set) and under each miss the line that
mends it. The probes run side by side, each with five seconds, and none can hide another. Nothing is changed anywhere:
not in Slack, not in Redis, not in the cluster. What is needed is declared as data in bot/scopes.py and commands/needs.py.
The exit code: 0 nothing broken, 1 something broken, 2 the settings do not load, or a wrong argument.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import orjson
from redis.exceptions import RedisError

from bot import settings as loading
from bot.doctor import aws, channels, cluster, configuration, house, monitoring, people, slack, store
from bot.doctor.check import BROKEN, GOOD, OPEN, PATIENCE, STATES, WARNING, Check, Probe, run_all
from bot.secret import Redactor
from bot.settings import BadSettings, Settings
from bot.state import State, connect
from commands.version import VERSION

_LONGEST = 1000

__all__ = ["BROKEN", "GOOD", "OPEN", "WARNING", "Check", "examine", "main", "probes"]


def main(arguments: Sequence[str], environ: Mapping[str, str], patience: float = PATIENCE) -> int:
    """Print every check."""
    given = _parser().parse_args(arguments)
    # Retries and refusals are what is examined here; the libraries' own lines about them would be noise.
    for library in ("urllib3", "botocore", "slack_sdk", "kubernetes"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        settings = (loading.load_worker if _is_a_workers(environ) else loading.load)(environ)
    except BadSettings as bad:
        return _tell_settings(bad, is_json=given.json)
    checks = [_redacted(check, settings.redactor()) for check in examine(settings, environ, patience)]
    print(as_json(checks) if given.json else _as_text(checks))
    return _exit_code(checks)


def _is_a_workers(environ: Mapping[str, str]) -> bool:
    """A worker has a store and nothing of Slack, which is then a line like any other."""
    slack = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")
    return bool(environ.get("REDIS_URL")) and not any(environ.get(name) for name in slack)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="doctor", description="Check a setup, and name the line that mends each miss. Changes nothing."
    )
    parser.add_argument("--json", action="store_true", help="for programs; docs/install.md has the shape")
    return parser


def examine(
    settings: Settings, environ: Mapping[str, str], patience: float = PATIENCE, only: str = ""
) -> list[Check]:
    """Every check (of the probes whose name begins so), in the order of the probes, not of the answers."""
    return run_all(
        (each for each in probes(settings, environ, patience) if each[0].startswith(only)), patience
    )


def probes(settings: Settings, environ: Mapping[str, str], patience: float) -> Iterator[tuple[str, Probe]]:
    yield "configuration", partial(configuration.probe, settings)
    yield "Slack", partial(slack.probe, settings, patience, partial(_home, settings))
    if settings.socket_mode:
        yield "Slack Socket Mode", partial(slack.app_token, settings, patience)
    yield "Slack channels", partial(channels.probe, settings, patience)
    yield "Slack people", partial(people.probe, settings, patience)
    yield "Redis", partial(store.probe, settings, patience)
    yield "house", partial(house.probe, settings, patience)
    for site in settings.site.clusters.values():
        if not cluster.has_account(site, settings, environ):
            yield f"Kubernetes {site.name}", partial(cluster.not_from_here, site)
            continue
        kube = cluster.Kube(site, settings, environ, patience)
        yield f"Kubernetes {site.name}", partial(cluster.probe, kube)
        for name in ("prometheus", "alertmanager", "grafana"):
            probe = partial(monitoring.probe, kube, name, settings, patience)
            yield f"{name.capitalize()} {site.name}", probe
        if site.eks_name:
            yield f"AWS {site.name}", partial(aws.probe, site, patience)


def _home(settings: Settings) -> str:
    """The workspace that the store remembers; "" where it remembers none, or does not answer."""
    try:
        return State(connect(settings.redis_url.reveal(), patient=False)).recall("team")
    except RedisError:
        return ""


# --- Told -----------------------------------------------------------------------------------------


def _redacted(check: Check, redact: Redactor) -> Check:
    """Without secrets; and each text one short line, so that no answer can draw a line of the doctor's own."""
    about, found, mend, probe = (
        _plain(redact(text)) for text in (check.about, check.found, check.mend, check.probe)
    )
    return Check(about, check.state, found, mend, probe)


def _plain(text: str) -> str:
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _exit_code(checks: Sequence[Check]) -> int:
    return 1 if any(check.state == BROKEN for check in checks) else 0


def _count(checks: Sequence[Check]) -> dict[str, int]:
    return {name: sum(check.state == state for check in checks) for state, name in STATES.items()}


def _as_text(checks: Sequence[Check]) -> str:
    groups = [
        "\n".join([name, *(f"  {line}" for line in _lines(name, list(group)))])
        for name, group in groupby(checks, key=lambda check: check.probe)
    ]
    number = _count(checks)
    summary = (
        f"{len(checks)} checks: {number['broken']} broken, {number['warning']} to be looked at, "
        f"{number['open']} not known or not set"
    )
    return "\n\n".join([*groups, summary])


def _lines(name: str, checks: Sequence[Check]) -> Iterator[str]:
    """What is found stands in one column, and so does what mends it."""
    labels = [check.about.removeprefix(name).strip() for check in checks]
    width = max(map(len, labels))
    for label, check in zip(labels, checks, strict=True):
        gap = f"{label or 'address':<{max(width, 7)}}  " if width else ""
        yield f"{check.state} {gap}{check.found}"
        if check.mend:
            yield f"  {' ' * len(gap)}→ {check.mend}"


def as_json(checks: Sequence[Check]) -> str:
    """The shape that docs/install.md promises: keys are added, and none is taken away or given another meaning."""
    told = [
        {
            "probe": check.probe,
            "about": check.about,
            "state": STATES[check.state],
            "found": check.found,
            "mend": check.mend,
        }
        for check in checks
    ]
    return _dumped(
        {"version": VERSION, "exit": _exit_code(checks), "summary": _count(checks), "checks": told}
    )


def _dumped(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _tell_settings(bad: BadSettings, *, is_json: bool) -> int:
    print(bad, file=sys.stderr)
    if is_json:
        checks = [Check("settings", BROKEN, str(problem), "", "settings") for problem in bad.problems]
        print(_dumped(orjson.loads(as_json(checks)) | {"exit": 2}))
    return 2
