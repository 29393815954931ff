"""A Prometheus that remembers: thirty days of the shop's traffic and machines, written before it starts.

Without a past, windows of thirty days are empty for the first minute and meaningless for weeks. Owns the
made-up past (the simulation's own traffic, with one bad afternoon; what machines and the backend's
containers used) and the flags that keep it. Needs
promtool; without it Prometheus starts with nothing behind it. Called by the sandbox.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sandbox.monitoring import Prometheus
from sandbox.shop import Shop, rules
from sandbox.shop.inventory import BACKEND, BACKEND_REVISIONS, MACHINES
from sandbox.shop.simulation import CPU_PER_REQUEST, REQUESTS_PER_SECOND, Conditions

Json = dict[str, Any]
Labels = Mapping[str, str]
Row = tuple[str, Labels, float]

DAYS = 30
# Prometheus looks back five minutes for a sample, so four leave no gap.
STEP = 240
# Nine days ago, half of all requests failed for twenty minutes: a third of the month's budget in all.
BAD_FROM, BAD_UNTIL, BAD_SHARE = 9 * 86_400 + 1_200, 9 * 86_400, 0.5
IMPORT_SECONDS = 30
HOURLY, OFTEN = 1200, 150  # seconds between two samples
LATELY = 600  # seconds
FILLING = 6 * 3600  # seconds for which a disk and a volume have been filling
MODES = {"idle": 0.86, "iowait": 0.01, "user": 0.09, "system": 0.04, "steal": 0.0}  # of a core
PER_POD = REQUESTS_PER_SECOND * CPU_PER_REQUEST / BACKEND.replicas


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
            # How soon it scrapes what it found; by itself five seconds after that.
            "--scrape.discovery-reload-interval=500ms",
        ]


def _remember(shop: Shop, folder: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        return
    past = folder / "past.txt"
    with past.open("w") as file:  # line by line: all at once it would be the most this process ever holds
        file.writelines(openmetrics(shop))
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
    yield from _machines(shop, now)
    yield from _containers(shop, now)
    yield "# EOF\n"


def _machines(shop: Shop, now: int) -> Iterator[str]:
    """What the average of a month is made of; whole hours are among the moments."""
    moments = range((now - DAYS * 86_400) // HOURLY * HOURLY, now, HOURLY)
    rows = _rows(shop, "kubernetes-nodes")
    # Of the last minutes often, too: then their rate is known at the first look of Prometheus, not after two.
    busy = (*(each for each in moments if each < now - LATELY), *range(now - LATELY, now + 1, OFTEN))
    yield from _family(rows, "node_cpu_seconds_total", busy, lambda labels: MODES[labels["mode"]])
    for name in ("node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes", "node_uname_info"):
        yield from _family(rows, name, moments)
    lately = range(now - FILLING, now, STEP)
    disk, volume = [row for row in rows if _is_filling_disk(row[1])], _rows(shop, "kubelet")
    yield from _filling(disk, "node_filesystem_avail_bytes", lately, now)
    yield from _family(disk, "node_filesystem_size_bytes", lately)
    yield from _filling(volume, "kubelet_volume_stats_available_bytes", lately, now)
    yield from _family(volume, "kubelet_volume_stats_capacity_bytes", lately)


def _containers(shop: Shop, now: int) -> Iterator[str]:
    """Of the backend, since its pods were made; two samples within the five minutes that a rate looks at."""
    moments = range(now - int(BACKEND_REVISIONS[-1].age.total_seconds()), now, OFTEN)
    rows = [row for row in _rows(shop, "kubernetes-cadvisor") if row[1].get("container") == BACKEND.name]
    yield from _family(rows, "container_cpu_usage_seconds_total", moments, lambda _: BACKEND.cpu + PER_POD)
    yield from _family(rows, "container_memory_working_set_bytes", moments)


def _filling(rows: list[Row], name: str, moments: range, now: int) -> Iterator[str]:
    """What has been getting less for six hours, at a pace that takes ten more."""
    yield f"# TYPE {name} gauge\n"
    for found, labels, value in rows:
        if found == name:
            for moment in moments:
                more = value * (now - moment) / FILLING * 0.6
                yield f"{name}{_written(labels)} {value + more:.6g} {moment}\n"


def _is_filling_disk(labels: Labels) -> bool:
    instance, mount = labels.get("instance", ""), labels.get("mountpoint", "/")
    return instance.startswith(f"{MACHINES[0].address}:") and mount != "/"


def _rows(shop: Shop, job: str) -> list[Row]:
    """Every series of a job as it is scraped now."""
    rows: list[Row] = []
    for target in shop.exporters.targets(job):
        labels = {"job": job, **target["labels"]}
        page = shop.exporters.answer(labels.pop("__metrics_path__"))
        for family in text_string_to_metric_families(page[1] if page else ""):
            rows += [(each.name, {**labels, **each.labels}, each.value) for each in family.samples]
    return rows


def _family(
    rows: list[Row], name: str, moments: Sequence[int], rate: Callable[[Labels], float] | None = None
) -> Iterator[str]:
    """A gauge stays what it is, a counter grows at its rate."""
    yield f"# TYPE {name.removesuffix('_total')} {'counter' if rate else 'gauge'}\n"
    for found, labels, value in rows:
        if found == name:
            series = f"{name}{_written(labels)}"
            for moment in moments:
                number = rate(labels) * (moment - moments[0]) if rate else value
                yield f"{series} {number:.6g} {moment}\n"


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


def _written(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
