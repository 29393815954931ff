"""Fixtures shared by every tier: a real Redis, emptied before each test, and a Slack stand-in."""

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from bot.state import State, connect
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def state(redis_server: RedisServer) -> Iterator[State]:
    redis = connect(redis_server.url, patient=True)  # a slow disk is no failure of what is tried
    redis.flushall()
    yield State(redis)
    redis.close()


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def slack_client(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
