"""Whom the stand-in's server lets in: programs and its own page, and no page of another site."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from sandbox.slack import SlackStandIn


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as running:
        yield running


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "null"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
    {"host": "["},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/_standin/post"), ("GET", "/_standin/state?user=alice")]
)
def test_a_page_of_another_site_does_nothing_and_reads_nothing(
    slack: SlackStandIn, method: str, path: str, headers: dict[str, str]
) -> None:
    body = {"user": "alice", "channel": "#general", "text": "approve RTEST0001"}
    before = len(slack.messages("#general"))
    answer = httpx.request(method, f"{slack.url}{path}", json=body, headers=headers)
    assert (
        answer.status_code == 403 and "Nothing was done" in answer.text and "U0ALICE0001" not in answer.text
    )
    assert len(slack.messages("#general")) == before


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_page_and_programs_are_let_in(slack: SlackStandIn, name: str) -> None:
    body = {"user": "alice", "channel": "#general", "text": "hello"}
    host = f"{name}:{slack.port}"
    for headers in ({"host": host}, {"host": host, "origin": f"http://{host}"}):
        assert httpx.post(f"{slack.url}/_standin/post", json=body, headers=headers).status_code == 200


def test_what_happens_is_told_live_to_no_page_of_another_site(slack: SlackStandIn) -> None:
    url = f"{slack.url.replace('http', 'ws')}/_standin/live"
    with connect(url), connect(url, origin=Origin(slack.url)):
        pass
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, origin=Origin("https://evil.example"))
