"""Log lines: JSON, with the request they belong to, and no secret however it got there."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from bot import logs
from bot.secret import Redactor, Secret

TOKEN = "not-shaped-like-anything"  # masked only because it was loaded


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    found = Lines()
    logs.configure(Redactor([Secret(TOKEN)]), "DEBUG", found.stream)
    yield found
    logging.captureWarnings(False)
    logging.raiseExceptions = True
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def test_a_line_is_json_with_its_request(lines: Lines) -> None:
    with logs.bound("r-42"):
        logging.getLogger("bot.desk").info("accepted %s", "node list")
    logging.getLogger("bot.desk").warning("done")
    first, second = lines.read()
    assert (first["level"], first["logger"], first["msg"]) == ("info", "bot.desk", "accepted node list")
    assert first["request"] == "r-42" and "request" not in second
    assert first["ts"].endswith("+00:00")


def test_no_secret_reaches_the_log(lines: Lines) -> None:
    log = logging.getLogger("any.library")
    log.error("in the text %s", TOKEN)
    log.error("in a value", extra={"token": TOKEN})
    log.error("arguments %d do not fit", TOKEN)
    log.error("a mapping %(a)s", {"a": {"authorization": "Bearer abc.def.ghi"}})
    try:
        raise ValueError(f"refused {TOKEN}")
    except ValueError:
        log.exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {TOKEN}", UserWarning, stacklevel=1)
    with logs.bound(TOKEN):
        log.error("bound", stack_info=True)
    text = lines.stream.getvalue()
    assert len(lines.read()) == 7
    assert TOKEN not in text and "abc.def.ghi" not in text
    assert "refused ***" in text and "ValueError" in text


def test_uncaught_exceptions_go_through_the_redactor_too(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(f"with {TOKEN}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    assert [line["logger"] for line in lines.read()] == ["uncaught", "uncaught"]
    assert TOKEN not in lines.stream.getvalue() + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "name", ["slack_bolt.RequestVerification", "slack_sdk.web.client", "httpx", "urllib3.connectionpool"]
)
def test_loggers_that_print_requests_are_quiet_whatever_their_level(lines: Lines, name: str) -> None:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.DEBUG)  # as Bolt does with the level of the root
    logger.info("signature and body")
    logger.warning("worth a line")
    logger.setLevel(before)
    assert [line["msg"] for line in lines.read()] == ["worth a line"]


def test_one_line_per_record_even_when_the_text_has_several(lines: Lines) -> None:
    logging.getLogger("a").info("two\nlines")
    assert lines.stream.getvalue().count("\n") == 1
