"""Traces where nobody asked for any, and where what they need is not installed."""

import subprocess
import sys

from bot import logs, tracing

NOT_INSTALLED = """
import sys
sys.modules["opentelemetry"] = None  # as if the extra were not there
from bot import tracing
from bot.doctor.configuration import probe
from bot.settings import Settings
from sys import argv
tracing.configure(argv[1], "bot")
with tracing.span("work", request="R1", after="00-1-2-3"):
    print(tracing.headers())
for check in probe(Settings(otlp_endpoint=argv[1])):
    print(check)
"""


def without_the_extra(endpoint: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", NOT_INSTALLED, endpoint], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_extra_all_goes_on_and_the_doctor_says_what_to_install() -> None:
    told = without_the_extra("http://collector:4318")
    assert "{'X-Request-Id': 'R1'}" in told
    assert tracing.MISSING in told
    assert 'pip install "sre-bot[otel]"' in told


def test_without_an_address_nothing_is_missing() -> None:
    assert tracing.MISSING not in without_the_extra("")
    assert tracing.missing("") == ""


def test_where_nothing_is_traced_a_step_binds_its_request_and_carries_no_trace() -> None:
    with tracing.span("work", request="R1"):
        assert logs.request() == "R1"
        assert tracing.headers() == {"X-Request-Id": "R1"}
    assert tracing.headers() == {}
    assert tracing.carried() == ""
