"""To whom the bot shows its token when it fetches a file: to Slack, and to nobody whom Slack names."""

from datetime import timedelta

import pytest
from rude_server import Asked, RudeServer, page
from slack_sdk import WebClient

from bot.files import is_slacks
from bot.state import State
from bot.wire import Wire

SLACK, HERE = "https://slack.com/api/", "http://127.0.0.1:8900/api/"


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://files.slack.com/files-pri/T1-F1/graph.png", SLACK),
        ("https://sre.enterprise.slack.com/files/graph.png", SLACK),
        ("https://files.slack-gov.com/files-pri/T1-F1/graph.png", "https://slack-gov.com/api/"),
        ("https://files.slack.com/files-pri/T1-F1/graph.png", "http://proxy.internal/api/"),
        ("http://127.0.0.1:8901/files-pri/F1/graph.png", HERE),
    ],
)
def test_a_file_of_slacks_is_fetched(url: str, api: str) -> None:
    assert is_slacks(url, api)


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://docs.google.com/document/d/1", SLACK),
        ("https://files.slack.com.evil.example/graph.png", SLACK),
        ("https://evilslack.com/graph.png", SLACK),
        ("https://files.slack.com@evil.example/graph.png", SLACK),
        ("https://evil.example/?files.slack.com", SLACK),
        ("http://files.slack.com/files-pri/T1-F1/graph.png", SLACK),
        ("http://169.254.169.254/latest/meta-data", SLACK),
        ("http://localhost:8901/files-pri/F1/graph.png", HERE),
        ("file:///etc/passwd", SLACK),
        ("https://[broken/graph.png", SLACK),
        ("", SLACK),
    ],
)
def test_nobody_elses_file_is_fetched(url: str, api: str) -> None:
    assert not is_slacks(url, api)


def test_the_page_to_log_in_is_not_taken_for_the_file(state: State) -> None:
    def strict(asked: Asked) -> bytes:
        if asked.target == "/login":
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
        return b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"

    with RudeServer(strict) as slack:
        wire = Wire(state, WebClient("xoxb-secret", base_url=f"{slack.url}/api/"), timedelta(minutes=1))
        with pytest.raises(OSError, match="a page to log in"):
            wire.download(f"{slack.url}/graph.png", 1000)
        assert [("authorization" in asked.headers) for asked in slack.asked] == [True, False]


def test_who_has_a_file_that_is_only_linked_is_asked_nothing_and_sees_no_token(state: State) -> None:
    with RudeServer(lambda asked: page(200, {})) as other:
        wire = Wire(state, WebClient("xoxb-secret", base_url=HERE), timedelta(minutes=1))
        with pytest.raises(OSError, match="does not lie with Slack"):
            wire.download(f"http://localhost:{other.port}/graph.png", 1000)
        assert other.asked == []
