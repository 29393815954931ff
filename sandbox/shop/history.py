"""A Prometheus that remembers: thirty days of the shop's traffic, written before it starts.

Without a past, windows of thirty days are empty for the first minute and meaningless for weeks. Owns the
made-up past (the simulation's own traffic, with one bad afternoon) and the flags that keep it. Needs
promtool; without it Prometheus starts with nothing behind it. Called by the sandbox.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox.monitoring import Prometheus
from sandbox.shop import Shop, rules
from sandbox.shop.simulation import Conditions

Json = dict[str, Any]

DAYS = 30
# Prometheus looks back five minutes for a sample, so four leave no gap.
STEP = 240
# Nine days ago, half of all requests failed for twenty minutes: a third of the month's budget in all.
BAD_FROM, BAD_UNTIL, BAD_SHARE = 9 * 86_400 + 1_200, 9 * 86_400, 0.5
IMPORT_SECONDS = 30


class ShopPrometheus(Prometheus):
    """Scrapes the shop; its alerts go to `alertmanager_url`, if there is one."""

    def __init__(self, shop: Shop, alertmanager_url: str = "") -> None:
        config = rules.prometheus_config(shop.exporters.url, alertmanager_url)
        super().__init__(config, files={"rules.yml": rules.rule_file()})
        self._shop = shop

    def _flags(self, port: int) -> list[str]:
        _remember(self._shop, self.folder)
        return [
            *super()._flags(port),
            f"--storage.tsdb.retention.time={DAYS + 1}d",
            # It learns of its Alertmanager only after some seconds, and what it sent before is lost.
            "--rules.alert.resend-delay=5s",
        ]


def _remember(shop: Shop, folder: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        return
    past = folder / "past.txt"
    past.write_text("".join(openmetrics(shop)))
    # One block: at the default of two hours each, a month takes half a minute.
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "-q"]
    command += [f"--max-block-duration={(DAYS + 2) * 24}h", str(past), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True, timeout=IMPORT_SECONDS)
    past.unlink()


def openmetrics(shop: Shop) -> Iterator[str]:
    """What a scrape every four minutes would have seen of the backend as it is now."""
    now = int(shop.now().timestamp()) // 60 * 60
    moments = range(now - DAYS * 86_400, now, STEP)
    targets = [{"job": "backend", **target["labels"]} for target in shop.exporters.targets("backend")]
    for target in targets:
        target.pop("__metrics_path__")
    yield "# TYPE up gauge\n"
    for target in targets:
        yield from (f"up{_written(target)} 1 {moment}\n" for moment in moments)
    counts = _requests(shop.simulation.rate, moments, now)
    yield "# TYPE http_requests counter\n"
    for target in targets:
        for status, numbers in counts.items():
            series = f"http_requests_total{_written({**target, 'status': status})}"
            for moment, number in zip(moments, numbers, strict=True):
                yield f"{series} {int(number / len(targets))} {moment}\n"
    yield "# EOF\n"


def _requests(rate: Callable[[float], float], moments: range, now: int) -> dict[str, list[float]]:
    """The counters of all pods together, by status."""
    good, bad = 0.0, 0.0
    counts: dict[str, list[float]] = {"200": [], "500": []}
    for moment in moments:
        requests = rate(moment) * STEP
        is_bad = BAD_UNTIL <= now - moment < BAD_FROM
        failed = requests * (BAD_SHARE if is_bad else Conditions().error_share)
        good, bad = good + requests - failed, bad + failed
        counts["200"].append(good)
        counts["500"].append(bad)
    return counts


def _written(labels: Json) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
