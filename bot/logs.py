"""Logging: one JSON object per line on stderr, and no secret in any of them.

Every line of every library passes the same formatter, tracebacks included, so redaction cannot be
forgotten at a call. The request a line belongs to is bound once per edge (`with bound("r-…"):`) and
travels in a context variable. Nothing here decides what is worth a line.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from bot.secret import Redactor

_request: ContextVar[str] = ContextVar("request", default="")

# These log each request, with addresses or bodies, at INFO or DEBUG. slack_bolt.RequestVerification logs
# the signature and the whole body of a request that it refuses.
_QUIET = ("slack_bolt", "slack_sdk", "httpx", "httpcore", "urllib3", "botocore", "kubernetes.client.rest")


@contextmanager
def bound(request: str) -> Iterator[None]:
    """Every line logged inside carries this request id."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def request() -> str:
    """The request that is bound here, "" for none."""
    return _request.get()


class JsonLines(logging.Formatter):
    """A record as one line of JSON, each text in it redacted."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": self._redact(_message(record)),
        }
        request = _request.get()
        if request:
            line["request"] = self._redact(request)
        if record.exc_info and record.exc_info[0]:
            line["error"] = self._redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._redact(self.formatStack(record.stack_info))
        return json.dumps(line, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    """The message; a mismatch of text and arguments must not reach logging's own, unredacted report."""
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg} {record.args!r} (the arguments do not fit the text)"


def _is_wanted(record: logging.LogRecord) -> bool:
    """A filter and not the loggers' levels: Bolt sets its loggers back to the root's level."""
    is_quiet = any(record.name == name or record.name.startswith(f"{name}.") for name in _QUIET)
    return not is_quiet or record.levelno >= logging.WARNING


def configure(redactor: Redactor, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger, warning and uncaught exception of this process through the redactor."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(redactor))
    handler.addFilter(_is_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    # A formatter's own failure would print the record's arguments as they are.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("%s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
