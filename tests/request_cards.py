"""Every kind of answer to a question there is, as a record: for the golden files, and for the pictures of the sandbox."""

from dataclasses import replace
from datetime import timedelta

from commands.finding import Light, Link, Suggestion
from commands.model import Flag, Record, Section
from commands.model import State as Standing
from tests import build


def judged() -> tuple[Section, ...]:
    red = build.finding(
        Light.RED, value="98.9 %", alarm="Service outage likely", evidence=("0 of 3 targets up",),
        suggestions=(Suggestion("Debug", "debug layers"),), link=Link("Dashboard", "https://grafana.example/d/1"),
    )  # fmt: skip
    silent = build.finding(
        Light.UNKNOWN,
        key="DH-1.6",
        label="Success rate",
        value="unknown: no answer in 5 s",
        mend="set `monitoring.prometheus.url`",
    )
    pods = build.finding(
        Light.YELLOW,
        key="DH-2.2",
        label="Pods",
        value="2 of 40 not well",
        evidence=("a", "b", "c", "d", "e", "f", "g"),
    )
    return (
        build.section("slo", red, silent, replace(silent, label="Error budget"), title="SLO"),
        build.section(
            "cluster", pods, build.finding(key="DH-2.1", label="Nodes", value="3 of 3 Ready"), title="Cluster"
        ),
    )


ANSWERED = build.request(
    state=Standing.ANSWERED, sections=judged(), finished=build.NOW + timedelta(seconds=4),
    flags=(Flag("DH-1.10", "Service outage likely"),), mention="<@U0ALICE0001>",
)  # fmt: skip

RECORDS: dict[str, Record] = {
    "request-reading": build.request(),
    "request-half": build.request(sections=(judged()[0], Section("cluster", "Cluster"))),
    "request-answered": ANSWERED,
    "request-late": replace(ANSWERED, late_since=build.NOW - timedelta(hours=2)),
    "request-failed": build.request(state=Standing.FAILED, reference="E2345678", finished=build.NOW),
    "whisper": build.whisper("`helth` is no command."),
}  # fmt: skip
