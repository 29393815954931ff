"""What planning a drain costs in a large cluster, beside kubectl: wall time and memory.

Fills a real control plane (KUBEBUILDER_ASSETS) with nodes, pods and budgets as `benchmarks.health_cluster` does,
and plans `node drain` for one node after the other, each time in turn with two others: `kubectl drain
--dry-run=server`, which looks at that node's pods alone, and `kubectl get` of what the plan is made of. Run as
`python -m benchmarks.drain_plan`; `--kubeconfig` measures a cluster that is there already, and needs NODE.
The client runs in a process of its own, so that its peak memory is its own; imports are in the memory only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import machine
from benchmarks.health_cluster import by_kubectl, cluster, heartbeat, seeding

MOST_SECONDS = 2.0
MOST_MEMORY_MB = 120
# A workload in five is guarded, as the manual wants of what must not go down.
GUARDED_EACH = 5

DRY_RUN, LISTS = "kubectl drain --dry-run=server", "kubectl get of the same"
KINDS = "nodes,pods,poddisruptionbudgets,replicasets,daemonsets,endpointslices,persistentvolumes,csinodes"


def main() -> int:
    options = _options()
    if options.measure:
        return _measure(Path(options.kubeconfig))
    print(machine())
    with cluster(options) as (kubectl, kubeconfig):
        if not options.kubeconfig:
            _guard(kubectl, kubeconfig, options.pods // 20)
        return _compare(options, kubectl, kubeconfig)


def _options() -> argparse.Namespace:
    parser = seeding(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--node", default="node-007")
    return parser.parse_args()


def _guard(kubectl: str, kubeconfig: Path, workloads: int) -> None:
    budgets = [
        {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": f"svc-{number:04}", "namespace": f"team-{number % 20:02}"},
            "spec": {
                "minAvailable": 18,
                "selector": {"matchLabels": {"app.kubernetes.io/name": f"svc-{number:04}"}},
            },
        }
        for number in range(0, workloads, GUARDED_EACH)
    ]  # fmt: skip
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": budgets})
    by_kubectl(kubectl, kubeconfig, ("create", "-f", "-"), stdin=listed)


def _compare(options: argparse.Namespace, kubectl: str, kubeconfig: Path) -> int:
    taken: dict[str, list[float]] = {"our plan": [], DRY_RUN: [], LISTS: []}
    plans: list[dict[str, float]] = []
    with _client(kubeconfig) as client:
        for number in range(options.rounds):
            if not options.idle:
                heartbeat(kubectl, kubeconfig, number)
            plans.append(_asked(client, options.node))
            taken["our plan"].append(plans[-1]["seconds"])
            drain = ("drain", options.node, "--dry-run=server", "--ignore-daemonsets", "--force")
            taken[DRY_RUN].append(_timed(kubectl, kubeconfig, (*drain, "--delete-emptydir-data")))
            taken[LISTS].append(_timed(kubectl, kubeconfig, ("get", KINDS, "-A", "-o", "json")))
    return _report(taken, plans)


def _timed(kubectl: str, kubeconfig: Path, words: tuple[str, ...]) -> float:
    started = time.monotonic()
    by_kubectl(kubectl, kubeconfig, words)
    return time.monotonic() - started


@contextmanager
def _client(kubeconfig: Path) -> "Iterator[subprocess.Popen[str]]":
    argv = [sys.executable, "-m", "benchmarks.drain_plan", "--measure", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        yield client
        assert client.stdin is not None
        client.stdin.close()


def _asked(client: "subprocess.Popen[str]", node: str) -> dict[str, float]:
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(f"{node}\n")
    client.stdin.flush()
    measured: dict[str, float] = json.loads(client.stdout.readline())
    return measured


def _report(taken: dict[str, list[float]], plans: list[dict[str, float]]) -> int:
    print(f"{'':32}{'median s':>10}{'first s':>10}{'worst s':>10}{'ratio':>8}")
    median = {name: statistics.median(each) for name, each in taken.items()}
    for name, each in taken.items():
        ratio = f"{median['our plan'] / median[name]:.2f}"
        print(f"{name:32}{median[name]:10.2f}{each[0]:10.2f}{max(each):10.2f}{ratio:>8}")
    seconds, memory = median["our plan"], max(each["peak_mb"] for each in plans)
    grown = memory - plans[0]["before_mb"]
    busy = statistics.median(each["processor"] for each in plans)
    print(f"plan {seconds:.2f} s (at most {MOST_SECONDS:g}), {busy:.2f} s of them on the processor")
    print(f"memory {memory:.0f} MB at its peak (at most {MOST_MEMORY_MB}), {grown:.0f} of them for the plans")
    print(f"{plans[0]['steps']:.0f} steps, {plans[0]['findings']:.0f} findings")
    return 0 if seconds <= MOST_SECONDS and memory <= MOST_MEMORY_MB else 1


# The measured process: makes a plan for each node it reads on its standard input.


def _measure(kubeconfig: Path) -> int:
    from datetime import UTC, datetime
    from typing import Any

    from commands.catalog import Catalog
    from commands.change import Who
    from commands.model import Args, Read
    from commands.reads import Now
    from commands.site import ClusterSite, Monitoring, Prometheus
    from workers.cluster import Cluster
    from workers.reader import Reader
    from workers.walk import walk

    class Clock:
        def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
            return ((Now,),)

        def read(self, read: Read, deadline: float) -> Any:
            return datetime.now(UTC)

    site = ClusterSite(monitoring=Monitoring(prometheus=Prometheus(url="")))
    sources = (Cluster(site, kubeconfig), Clock())
    catalog = Catalog.load()
    before = _memory("VmRSS")
    for line in sys.stdin:
        args = Args("node", "drain", line.strip())
        change = catalog.find(args).change
        assert change is not None
        who = Who("RBENCH", "U0ALICE0001", "", datetime.now(UTC))
        started, processor = time.monotonic(), time.process_time()
        plan = walk(change.plan(args, site, who), Reader(sources), time.monotonic() + 40)
        seconds, processor = time.monotonic() - started, time.process_time() - processor
        if any(finding.key == "drain.unread" for finding in plan.findings) or not plan.steps:
            raise SystemExit(f"no plan: {plan.findings}")
        print(
            json.dumps(
                {
                    "seconds": seconds, "processor": processor, "before_mb": before, "peak_mb": _memory("VmHWM"),
                    "steps": len(plan.steps), "findings": len(plan.findings),
                }
            ), flush=True,
        )  # fmt: skip
    return 0


def _memory(which: str) -> float:
    """Of this process in MB. Not getrusage: its peak begins with that of the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


if __name__ == "__main__":
    sys.exit(main())
