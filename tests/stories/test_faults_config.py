"""A mistake in the configuration: both programs refuse to start and say where it is, in one line each.

Exit code 2, `file:line:column: key: what is wrong`, the nearest right key where there is one; no traceback,
and never a secret. One loader serves both programs, so most mistakes are tried with one of them.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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


def outcome(program: str, file: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and everything printed."""
    given = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SRE_BOT_CONFIG": str(file), **GOOD, **environment
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", program], env=given, capture_output=True, text=True, timeout=60
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, str]]:
    """All programs with all mistakes; two at a time, because a start is a second of computing."""
    folder = tmp_path_factory.mktemp("mistakes")
    with ThreadPoolExecutor(2) as pool:
        ends = {}
        for name, mistake in MISTAKES.items():
            file = folder / f"{name.replace(' ', '-')}.yaml"
            file.write_text(mistake.site)
            for program in mistake.programs:
                ends[name, program] = pool.submit(outcome, program, file, mistake.environment)
        return {key: end.result() for key, end in ends.items()}


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
