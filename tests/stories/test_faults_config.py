"""A mistake in the configuration: both programs refuse to start and say where it is, in one line each.

Exit code 2, `file:line:column: key: what is wrong`, the nearest right key where there is one; no traceback,
and never a secret. One loader serves both programs, so most mistakes are tried with one of them.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.house import PATIENCE

ROOT = Path(__file__).parents[2]
BOT, WORKERS = "bot", "workers"
BOTH = (BOT, WORKERS)

# Every secret that is given below holds this word, so that one search finds any of them in the output.
SECRET = "hush0123456789abcdef"
GOOD = {
    "SLACK_BOT_TOKEN": f"xoxb-{SECRET}",
    "SLACK_SIGNING_SECRET": SECRET,
    "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1/0",
    "ALERTMANAGER_WEBHOOK_TOKEN": SECRET,
}


@dataclass(frozen=True)
class Mistake:
    """`says`: words of the output, {file} being the configuration; `programs`: who must refuse to start."""

    says: tuple[str, ...]
    site: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = (BOT,)


MISTAKES = {
    "an unknown key": Mistake(
        ("{file}:3:3: slo.windw", "is not a key here; did you mean `slo.window`?"),
        "timezone: UTC\nslo:\n  windw: 30d\n",
        programs=BOTH,
    ),
    "a key in the wrong place": Mistake(
        ("{file}:1:1: nodegroups", "is not a key here; did you mean `cluster.nodegroups`?"),
        "nodegroups: [a]\n",
    ),
    "a bad duration": Mistake(("{file}:2:11: slo.window", "must be a duration such as"), "slo:\n  window: thirty days\n"),
    "a number out of its range": Mistake(
        ("{file}:2:26: slo.availability.target", "100"), "slo:\n  availability: {target: 999}\n"
    ),
    "a word that is none of the choices": Mistake(
        ("{file}:2:11: monitoring.access", "direct", "proxy"), "monitoring:\n  access: tunnel\n"
    ),
    "bad YAML": Mistake(("{file}:3:8: is not YAML",), "slo:\n  window: [30d\ncluster: {}\n", programs=BOTH),
    "a tab": Mistake(("{file}:2:1",), "slo:\n\twindow: 30d\n"),
    "a zone that does not exist": Mistake(("{file}:1:11: timezone", "Europe/Berlin"), "timezone: Europe/Berlln\n"),
    "a secret in the file": Mistake(
        ("{file}:1:1: grafana_token", "a secret does not belong into this file"), f"grafana_token: {SECRET}\n"
    ),
    "a secret that is no YAML": Mistake(("{file}:1:18: is not YAML",), f"grafana_token: ab: {SECRET}\n"),
    "one and many clusters": Mistake(
        ("{file}:1:1: cluster", "give `cluster` or `clusters`, not both"),
        "cluster: {name: a}\nclusters: {b: {}}\n",
    ),
    "a file that is not there": Mistake(
        ("there is no such file; SRE_BOT_CONFIG names it",), environment={"SRE_BOT_CONFIG": "/nowhere/sre.yaml"}
    ),
    "no bot token": Mistake(
        ("SLACK_BOT_TOKEN", "is not set"), environment={"SLACK_BOT_TOKEN": ""}
    ),
    "a user's token": Mistake(
        ("SLACK_BOT_TOKEN", "is a user token (xoxp-…)"), environment={"SLACK_BOT_TOKEN": f"xoxp-{SECRET}"}, programs=BOTH
    ),
    "neither way for Slack to reach the bot": Mistake(
        ("SLACK_APP_TOKEN, SLACK_SIGNING_SECRET", "neither is set"),
        environment={"SLACK_SIGNING_SECRET": ""},
    ),
    "the bot token where the app token belongs": Mistake(
        ("SLACK_APP_TOKEN", "put that into SLACK_BOT_TOKEN"),
        environment={"SLACK_APP_TOKEN": f"xoxb-{SECRET}"},
    ),
    "an address that is no Redis": Mistake(
        ("REDIS_URL", "redis://redis:6379/0"), environment={"REDIS_URL": f"http://:{SECRET}@redis"}, programs=(WORKERS,)
    ),
    "several at once": Mistake(
        ("{file}:1:1: slos", "did you mean `slo`?", "PORT", "between 1 and 65535", "LOG_LEVEL"),
        "slos: {}\n",
        {"PORT": "http", "LOG_LEVEL": "LOUD"},
        programs=BOTH,
    ),
}  # fmt: skip


def given(file: Path, environment: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SRE_BOT_CONFIG": str(file),
        **GOOD,
        **environment,
    }


def outcome(program: str, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and everything printed."""
    argv = [sys.executable, "-m", program]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    return ended.returncode, ended.stdout + ended.stderr


# A program that has imported everything, and starts once in each environment that comes in; a start is a second of it.
STARTS = """
import json, os, sys
from {program} import __main__ as program

for line in sys.stdin:
    read, write = os.pipe()
    if not os.fork():
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.environ.clear()
        os.environ.update(json.loads(line))
        sys.exit(program.main([]))
    os.close(write)
    printed = os.fdopen(read).read()
    print(json.dumps([os.waitstatus_to_exitcode(os.wait()[1]), printed]), flush=True)
"""


def outcomes_of(program: str, environments: list[dict[str, str]]) -> list[tuple[int, str]]:
    """The first as it is deployed, the others from one that is warm."""
    ended = subprocess.run(
        [sys.executable, "-c", STARTS.format(program=program)], env={"PYTHONPATH": str(ROOT)}, text=True, check=True,
        input="".join(f"{json.dumps(each)}\n" for each in environments[1:]), stdout=subprocess.PIPE, timeout=3 * PATIENCE,
    )  # fmt: skip
    return [outcome(program, environments[0]), *map(tuple, map(json.loads, ended.stdout.splitlines()))]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, str]]:
    """All programs with all mistakes."""
    folder = tmp_path_factory.mktemp("mistakes")
    found = {}
    for program in BOTH:
        names = [name for name, mistake in MISTAKES.items() if program in mistake.programs]
        environments = []
        for name in names:
            file = folder / f"{name.replace(' ', '-')}.yaml"
            file.write_text(MISTAKES[name].site)
            environments.append(given(file, MISTAKES[name].environment))
        ends = outcomes_of(program, environments)
        found |= {(name, program): end for name, end in zip(names, ends, strict=True)}
    return found


@pytest.mark.parametrize(
    ("name", "program"),
    [(name, program) for name in MISTAKES for program in MISTAKES[name].programs],
)
def test_the_mistake_is_named_and_nothing_starts(
    outcomes: dict[tuple[str, str], tuple[int, str]], name: str, program: str
) -> None:
    code, printed = outcomes[name, program]
    assert code == 2, printed
    for words in MISTAKES[name].says:
        assert words.format(file=f"{name.replace(' ', '-')}.yaml") in printed, printed
    assert "Traceback" not in printed
    assert SECRET not in printed
