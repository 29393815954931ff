"""The doctor as a whole: what it prints, for people and for programs, and that no probe hides another."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pytest
from doctor_house import SITE, TIMED, House, aws_environ, furnished, monitored
from rude_server import HANG, RudeServer, page

from bot import doctor
from bot.doctor import BROKEN, GOOD, OPEN, WARNING, Check, examine, probes
from bot.doctor.check import run_all
from bot.presence import Presence
from bot.sitefile import parse
from bot.state import State, connect
from commands.site import Site
from sandbox.redis_server import RedisServer


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> Iterator[House]:
    state = State(connect(redis_server.url, patient=True))
    state.redis.flushall()
    with furnished(tmp_path, redis_server) as furnished_one:
        for name, value in aws_environ(furnished_one.aws.url).items():
            monkeypatch.setenv(name, value)
        for part in ("bot", "worker"):
            Presence(state, part).announce()
        yield furnished_one


def test_a_house_in_order_has_one_open_line_which_no_bot_can_close(house: House) -> None:
    checks = house.checks()
    odd = {check.about for check in checks if check.state != GOOD} - TIMED
    assert odd == {"Slack events"}
    assert {check.probe for check in checks} == {
        "configuration", "Slack", "Slack Socket Mode", "Slack channels", "Slack people", "Redis", "house",
        "Kubernetes shop", "Prometheus shop", "Alertmanager shop", "Grafana shop", "AWS shop",
    }  # fmt: skip


def test_it_is_printed_in_groups_and_columns(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.slack.workspace.channel("#incidents").is_archived = True
    assert doctor.main([], house.environ, 60) == 1
    printed = capsys.readouterr().out
    assert (
        "Slack\n  ✓ token    the token is @sre_bot of Emulated SRE (T0EMULATED1)\n  ✓ scopes   all" in printed
    )
    assert (
        "\n  ✗ #incidents       is archived (`channels.incidents`)\n"
        "                     → unarchive it, or change `channels.incidents`\n"
    ) in printed
    assert re.search(
        r"\n\n[0-9]+ checks: 1 broken, [0-9]+ to be looked at, 1 not known or not set\n$", printed
    )
    assert "***" not in printed  # nothing harmless is masked


def test_a_program_reads_the_same(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--json"], house.environ, 60) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert set(told) == {"version", "exit", "summary", "checks"}
    assert told["exit"] == 0
    counted = {state: sum(check["state"] == state for check in told["checks"]) for state in told["summary"]}
    assert told["summary"] == counted
    assert list(counted) == ["good", "broken", "warning", "open"]
    assert (counted["broken"], counted["open"]) == (0, 1)
    assert told["checks"][1] == {
        "probe": "Slack",
        "about": "Slack token",
        "state": "good",
        "found": "the token is @sre_bot of Emulated SRE (T0EMULATED1)",
        "mend": "",
    }


def test_settings_that_do_not_load_are_two(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {**house.environ, "SLACK_BOT_TOKEN": "xapp" + "-1-A-pasted"}
    assert doctor.main(["--json"], environ) == 2
    out, err = capsys.readouterr()
    told = orjson.loads(out)
    assert told["exit"] == 2
    assert told["checks"][0]["found"].startswith("SLACK_BOT_TOKEN: is an app-level token")
    assert "SLACK_BOT_TOKEN: is an app-level token" in err


def test_a_worker_has_nothing_of_slack(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {name: value for name, value in house.environ.items() if not name.startswith("SLACK_")}
    assert doctor.main([], environ, 60) == 0
    printed = capsys.readouterr().out
    assert "  ? token    no SLACK_BOT_TOKEN here: Slack is not looked at\n" in printed
    assert "all 18 actions that reads need are allowed" in printed


def test_a_pod_of_the_bot_has_no_account_in_the_cluster(house: House) -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    checks = examine(replace(house.settings, kubeconfig=""), inside, 60, only="Kubernetes")
    assert [(check.about, check.state) for check in checks] == [("Kubernetes shop", OPEN)]
    assert "kubectl exec -n sre-bot deploy/sre-bot-workers -- sre-bot doctor" in checks[0].mend
    every = {name for name, _ in probes(replace(house.settings, kubeconfig=""), inside, 60)}
    assert not {name for name in every if name.startswith(("AWS", "Prometheus"))}


def test_an_argument_that_it_does_not_know_is_two() -> None:
    with pytest.raises(SystemExit, match="2"):
        doctor.main(["--yaml"], {})


def test_nothing_printed_holds_a_secret(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        **house.environ,
        "SLACK_API_URL": "http://127.0.0.1:1/",
        "REDIS_URL": "redis://:pass-word-1@127.0.0.1:1",
    }
    assert doctor.main([], environ, 60) == 1
    printed = "".join(capsys.readouterr())
    for secret in (*(each.reveal() for each in house.settings.secrets), "pass-word-1"):
        assert secret not in printed


# --- One beside the other -------------------------------------------------------------------------


MONITORS = ("Prometheus shop", "Alertmanager shop", "Grafana shop")


def test_one_hanging_source_hides_no_other(house: House) -> None:
    with RudeServer(lambda asked: HANG) as silent:
        settings = house.with_site(monitoring=silent.url)
        # Their limit alone is short: on a busy machine the sound sources need more than a test would wait.
        hasty, calm = (dict(probes(settings, {}, patience)) for patience in (0.3, 60))
        checks = run_all([(name, (hasty if name in MONITORS else calm)[name]) for name in calm], 60)
    broken = {check.about for check in checks if check.state == BROKEN}
    assert broken == set(MONITORS)
    assert {"Slack token", "Redis", "Kubernetes shop", "AWS shop identity"} <= {
        check.about for check in checks
    }


def test_an_answer_draws_no_line_of_the_doctors_own(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lie = "2.53.1\n  ✓ token    all is well\x1b[2K\u202e" + "x" * 5000

    def liar(asked: Any) -> bytes:
        is_version = asked.target == "/api/v1/status/buildinfo"
        return page(200, {"data": {"version": lie}}) if is_version else monitored(asked)

    with RudeServer(liar) as lying:
        site = tmp_path / "lying.yaml"
        site.write_text(SITE % {"monitoring": lying.url})
        doctor.main([], {**house.environ, "SRE_BOT_CONFIG": str(site)}, 30.0)
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "all is well" in line]
    assert "version" in line and len(line) < 1200 and "\x1b" not in out and "\u202e" not in out


def test_an_api_server_that_drips_its_answers_keeps_it_no_longer_than_its_limits(
    house: House, tmp_path: Path
) -> None:
    def dripping(asked: Any) -> Any:
        if asked.target == "/version":
            return page(200, {"gitVersion": "v1.33.1"})
        return slow.drip(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n{")

    with RudeServer(dripping) as slow:
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        kubeconfig = tmp_path / "dripping"
        kubeconfig.write_bytes(
            orjson.dumps(
                {
                    "current-context": "c",
                    "contexts": [context],
                    "clusters": [{"name": "c", "cluster": {"server": slow.url}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        ran = subprocess.run(
            [sys.executable, "-m", "bot", "doctor"],
            env={**os.environ, **house.environ, "KUBECONFIG": str(kubeconfig)},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert slow.asked
    assert ran.returncode == 1 and "did not answer in time" in ran.stdout


def test_a_slack_that_drips_its_answers_keeps_it_no_longer_either(house: House) -> None:
    def dripping(asked: Any) -> Any:
        if asked.target.endswith("auth.test"):
            return page(200, {"ok": True, "team_id": "T0SRE000001", "team": "sre", "bot_id": "B1"})
        return slow.drip(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"ok": true')

    with RudeServer(dripping) as slow:
        ran = subprocess.run(
            [sys.executable, "-m", "bot", "doctor"],
            env={**os.environ, **house.environ, "SLACK_API_URL": f"{slow.url}/api/"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert any(asked.target.endswith("users.info") for asked in slow.asked)
    assert ran.returncode == 1 and "did not answer in time" in ran.stdout


def test_a_probe_that_outlasts_every_limit_is_a_line_and_keeps_what_it_found() -> None:
    found, over = Event(), Event()

    def hangs() -> Iterator[Check]:
        yield Check("stuck", GOOD, "began")
        found.set()
        over.wait()

    def well() -> Iterator[Check]:
        found.wait()
        yield Check("well", GOOD, "is")

    try:
        checks = run_all([("well", well), ("stuck", hangs)], 1.0)
    finally:
        over.set()
    assert [(check.about, check.state, check.found) for check in checks] == [
        ("well", GOOD, "is"),
        ("stuck", GOOD, "began"),
        ("stuck", BROKEN, "did not answer in time"),
    ]
    assert [check.probe for check in checks] == ["well", "stuck", "stuck"]


def test_a_probe_that_fails_is_a_line() -> None:
    def fails() -> Iterator[Check]:
        yield Check("first", GOOD, "is")
        raise KeyError("a bug")

    assert run_all([("clumsy", fails)], 30.0) == [
        Check("first", GOOD, "is"),
        Check("clumsy", OPEN, "could not be checked: KeyError: 'a bug'"),
    ]


# --- The configuration ----------------------------------------------------------------------------


def test_what_is_left_open_in_the_configuration_is_said(house: House) -> None:
    settings = replace(house.settings, site=Site(), alertmanager_tokens=())
    found = [check for check in house.of("configuration", settings) if check.state == OPEN]
    assert [check.found.split(",")[0] for check in found] == [
        "the alert webhook refuses every call",
        "nobody is oncall",
        "nobody may submit a change",
        "nobody may approve a change",
    ]


@pytest.mark.parametrize(
    ("text", "state", "found", "mend"),
    [
        (
            "access: [{roles: approvers, may: [submit, approve], verbs: '*'}]",
            BROKEN,
            "nobody may approve a change: `access` names approvers, which nobody is",
            "add Slack ids to `roles`: approvers",
        ),
        (
            "roles: {approvers: U0ALICE0001}\naccess: [{roles: approvers, may: [submit, approve], verbs: '*'}]",
            BROKEN,
            "U0ALICE0001 alone may submit and approve changes, and nobody may approve their own",
            "add a second person, or a user group (S…), to a role that `access` lets approve",
        ),
        (
            "channels: {incidents: ''}",
            BROKEN,
            "`alerts.watchdog.channel` is incidents, and `channels.incidents` is empty: what goes there is told nowhere",
            'set `channels.incidents: "#…"`',
        ),
        (
            "alerts: {routes: [{match: 'team=\"db\"', mention: db-owner}]}",
            WARNING,
            "`alerts.routes.[0].mention` is db-owner, which nobody is: nobody is called",
            "add `roles: {db-owner: [U…]}`, or change `alerts.routes.[0].mention`",
        ),
    ],
)  # fmt: skip
def test_what_loads_and_cannot_work(house: House, text: str, state: str, found: str, mend: str) -> None:
    checks = house.of("configuration", replace(house.settings, site=parse(text)))
    assert Check("configuration", state, found, mend) in checks
