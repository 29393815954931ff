"""What one look at a large cluster costs, beside kubectl: wall time, memory, and the same words.

Fills a real control plane (KUBEBUILDER_ASSETS) with nodes and pods, some of them sick, and compares
`Nodes` + `Pods` (which hold the failed ones) with the three kubectl commands of the manual, each time in
turn. Run as `python -m benchmarks.health_cluster`; `--kubeconfig` measures a cluster that is there already.
The client runs in a process of its own, so that its peak memory is its own; its imports are not timed, as
the bot's workers have them loaded, but their memory counts.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MANUAL = (
    ("get", "nodes"),
    ("get", "pods", "-A"),
    ("get", "pods", "-A", "--field-selector", "status.phase=Failed"),
)
MOST_OF_KUBECTL = 0.15
MOST_MEMORY_MB = 120


def main() -> int:
    options = _options()
    if options.measure:
        return _measure(Path(options.kubeconfig))
    with cluster(options) as (kubectl, kubeconfig):
        return _compare(kubectl, kubeconfig, options.rounds, is_idle=options.idle)


def _options() -> argparse.Namespace:
    return seeding(argparse.ArgumentParser(description=__doc__)).parse_args()


def seeding(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """With what `cluster` and the measured process want to know."""
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--sick-each", type=int, default=5, help="pods of every kind of sickness")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", action="store_true", help="no writes between the rounds")
    parser.add_argument("--kubeconfig", default="", help="of a cluster that is there already")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser


@contextmanager
def cluster(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    if options.kubeconfig:
        yield "kubectl", Path(options.kubeconfig)
        return
    from sandbox.controlplane import QUIET_CONTROLLERS, ControlPlane

    with ControlPlane(controllers=QUIET_CONTROLLERS, scheduler=False) as plane:
        seeded = plane.seed(nodes=options.nodes, pods=options.pods, sick_each=options.sick_each)
        print(f"seeded {seeded.nodes} nodes, {seeded.pods} pods in {seeded.seconds:.0f} s")
        yield str(plane.assets / "kubectl"), plane.kubeconfig


def _compare(kubectl: str, kubeconfig: Path, rounds: int, *, is_idle: bool) -> int:
    client = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.health_cluster", "--measure", "--kubeconfig", str(kubeconfig)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    ours: list[dict[str, float]] = []
    theirs: list[float] = []
    table = ""
    for number in range(rounds):
        if not is_idle:
            heartbeat(kubectl, kubeconfig, number)
        ours.append(_turn(client))
        started = time.monotonic()
        _, table, _ = (by_kubectl(kubectl, kubeconfig, words) for words in MANUAL)
        theirs.append(time.monotonic() - started)
    words = json.loads(_ask(client, "words"))
    client.communicate()
    return _report(ours, theirs, words, table)


def by_kubectl(kubectl: str, kubeconfig: Path, words: Sequence[str], stdin: str | None = None) -> str:
    argv = [kubectl, f"--kubeconfig={kubeconfig}", *words]
    return subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True).stdout


def heartbeat(kubectl: str, kubeconfig: Path, number: int) -> None:
    """A write to some pod, as kubelets make all the time. After one, the API server has a snapshot of its
    cache for the later pages of a list; when nobody wrote for a minute or two it reads them from etcd."""
    namespace, name = by_kubectl(kubectl, kubeconfig, MANUAL[1]).splitlines()[1].split()[:2]
    by_kubectl(
        kubectl, kubeconfig, ("annotate", "-n", namespace, "pod", name, f"beat={number}", "--overwrite")
    )


def _ask(client: "subprocess.Popen[str]", what: str) -> str:
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(f"{what}\n")
    client.stdin.flush()
    return client.stdout.readline()


def _turn(client: "subprocess.Popen[str]") -> dict[str, float]:
    measured: dict[str, float] = json.loads(_ask(client, "look"))
    return measured


def _report(
    ours: list[dict[str, float]], theirs: list[float], words: dict[str, dict[str, str]], table: str
) -> int:
    seconds = statistics.median(each["seconds"] for each in ours)
    kubectl = statistics.median(theirs)
    memory = max(each["memory_mb"] for each in ours)
    differing = _differing(words, table)
    print(f"{'':24}{'median s':>10}{'first s':>10}{'worst s':>10}{'peak MB':>10}")
    rows = (
        ("client: Nodes + Pods", [each["seconds"] for each in ours], f"{memory:.0f}"),
        ("kubectl", theirs, ""),
    )
    for name, taken, size in rows:
        print(f"{name:24}{statistics.median(taken):10.2f}{taken[0]:10.2f}{max(taken):10.2f}{size:>10}")
    print(f"ratio {seconds / kubectl:.3f} of kubectl (at most {MOST_OF_KUBECTL})")
    print(f"memory {memory:.0f} MB at its peak (at most {MOST_MEMORY_MB})")
    print(f"verdicts that differ from kubectl's: {len(differing)} {differing[:5] or ''}")
    is_good = seconds <= MOST_OF_KUBECTL * kubectl and memory <= MOST_MEMORY_MB and not differing
    return 0 if is_good else 1


def _differing(words: dict[str, dict[str, str]], table: str) -> list[str]:
    """The sick and those we list by name, everyone else by the count of each word.

    A pod that runs but was restarted lately is listed too, under kubectl's word for it.
    """
    counted: dict[str, int] = {}
    shown: dict[str, str] = {}
    sick: set[str] = set()
    for line in table.splitlines()[1:]:
        namespace, name, ready, status = line.split()[:4]
        counted[status] = counted.get(status, 0) + 1
        ready_all = len(set(ready.split("/"))) == 1
        if status != "Completed" and not (status == "Running" and ready_all):
            sick.add(f"{namespace}/{name}")
        shown[f"{namespace}/{name}"] = f"{ready} {status}"
    wrong = [place for place in {*sick, *words["sick"]} if shown.get(place) != words["sick"].get(place)]
    return wrong + [word for word in counted if counted[word] != words["by_status"].get(word)]


# The measured process: answers "look" and "words" on its standard output.


def _measure(kubeconfig: Path) -> int:
    from commands import reads
    from commands.site import ClusterSite
    from workers.cluster import Cluster
    from workers.reader import Reader

    client = Cluster(ClusterSite(), kubeconfig)
    asked = (reads.Nodes(), reads.Pods(detail=10_000))
    pods: reads.PodSurvey | None = None
    for line in sys.stdin:
        if line.strip() == "words":
            assert pods is not None
            sick = {f"{each.namespace}/{each.name}": f"{each.ready} {each.status}" for each in pods.sick}
            print(json.dumps({"by_status": dict(pods.by_status), "sick": sick}), flush=True)
            continue
        started = time.monotonic()
        seen = Reader([client]).see(asked)
        taken = time.monotonic() - started
        pods = seen[asked[1]]
        if not isinstance(pods, reads.PodSurvey):
            raise SystemExit(f"no answer: {pods}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory = peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
        print(json.dumps({"seconds": taken, "memory_mb": memory}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
