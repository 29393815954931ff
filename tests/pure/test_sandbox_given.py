"""What the sandbox takes for real is only what it was told to take; and how far its time may be moved."""

import argparse
from pathlib import Path

import pytest

from sandbox import given, hours

# What a machine of somebody who works with a production cluster may well have.
AMBIENT = {
    "KUBECONFIG": "~/.kube/config",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_SIGNING_SECRET": "s",
}


def taken(*arguments: str, **environment: str) -> given.Given:
    parser = argparse.ArgumentParser()
    given.add_options(parser)
    return given.taken(parser.parse_args(arguments), environment)


def test_nothing_of_what_the_environment_has_for_other_tools_is_taken_by_itself() -> None:
    assert taken(**AMBIENT) == given.Given()


def test_each_real_part_is_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{}")
    assert taken("--kubeconfig", str(file), **AMBIENT) == given.Given(kubeconfig=file)
    slack = taken("--real-slack", **AMBIENT)
    assert (slack.slack_bot_token, slack.slack_app_token, slack.has_slack) == ("xoxb-1", "xapp-1", True)
    assert taken("--aws-profile", "mine", **AMBIENT).aws == {"AWS_PROFILE": "mine"}
    assert taken("--real-aws", **AMBIENT).aws == {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIA",
    }
    urls = {"PROMETHEUS_URL": "http://p", "ALERTMANAGER_URL": "http://a", "REDIS_URL": "redis://r"}
    assert taken(**urls) == given.Given(redis="redis://r", prometheus="http://p", alertmanager="http://a")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--real-slack",), "SLACK_BOT_TOKEN and SLACK_APP_TOKEN not set"),
        (("--kubeconfig", "/nowhere/config"), "there is no file /nowhere/config"),
        (("--config", "/nowhere/sre-bot.yaml"), "there is no file /nowhere/sre-bot.yaml"),
    ],
)
def test_what_is_asked_for_and_not_there_is_said(arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(given.Incomplete, match=why):
        taken(*arguments)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("1d", 86_400), ("2h", 7200)]
)
def test_a_length_of_time_is_read_and_written(text: str, seconds: int) -> None:
    assert hours.parsed(text) == seconds
    assert hours.parsed(hours.written(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "15", "-15m", "m", "0s", "15 m", "1w"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        hours.parsed(text)


def test_time_goes_ahead_for_every_reader_of_the_file_and_never_too_far(tmp_path: Path) -> None:
    clock = hours.Clock(tmp_path / "clock")
    other = hours.Clock(tmp_path / "clock")
    clock.skip(900)
    clock.skip(60)
    assert other.ahead() == 960 and other.time() >= clock.time() - 1
    with pytest.raises(ValueError, match="at most 30 days"):
        clock.skip(hours.MOST)
    assert other.ahead() == 960
    other.put_back()
    assert clock.ahead() == 0
    clock.close()
    other.close()
