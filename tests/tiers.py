"""Says at the end of a run which tiers ran and how many tests passed in each (-ra says why one was skipped).

A pytest plugin that `make test` and `make cluster` load with `-p tests.tiers`. A tier is a folder of
tests/ or, across them, a marker for tests that need real servers. Counts only; judges nothing.
"""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

FOLDERS = ("pure", "edges", "stories", "drift", "standins")
# Markers, and what is said of one when no test of it ran.
MARKED = {
    "monitoring": "none of them is in this run",
    "cluster": "not run: needs a real Kubernetes control plane: `make cluster`",
    "image": "not run: installs from the package index: `make image`",
}


class Tiers:
    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        if report.when == "teardown" and not report.failed:
            return
        for tier in (
            Path(report.nodeid).parts[1],
            *(marker for marker in MARKED if marker in report.keywords),
        ):
            self.counts[tier][report.outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        terminalreporter.section("tiers")
        for tier in (*FOLDERS, *MARKED):
            if line := self._line(tier):
                terminalreporter.line(f"{tier:<11}{line}")

    def _line(self, tier: str) -> str:
        """What became of it; "" for a folder that nobody asked for."""
        count = self.counts[tier]
        if not count:
            return MARKED.get(tier, "")
        among = " (among those above)" if tier in MARKED else ""
        return ", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items())) + among


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the processes of pytest-xdist report to the first one
        config.pluginmanager.register(Tiers(), "tiers")
