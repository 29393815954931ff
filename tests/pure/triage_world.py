"""A world for diagnoses of nodes, storage and the monitoring: what each question is answered, and who drives them.

An answer is found by the read itself, for PromQL by a piece of its text, or by the kind of the read; nothing given
is an empty answer. A number in place of a Vector is one series without labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands import reads
from commands.alertreads import Matrix, QueryRange, Rules, ScrapeTarget, ScrapeTargets, Series
from commands.finding import Light
from commands.model import Gap, Read, Seen
from commands.podreads import (
    ContainerLog,
    ContainerView,
    Ending,
    Events,
    EventView,
    LogText,
    PodDetail,
    PodDetails,
)
from commands.reads import Condition, NodeView, Query, Sample, Vector
from commands.scheduling import PodsOnNode
from commands.site import ClusterSite
from commands.triage.rule import Diagnosis, Subject
from commands.triage.table import rule_for
from commands.triagereads import (
    ApiHealth,
    ApiServices,
    Claim,
    Instance,
    InstanceView,
    NodeClaims,
    NodeLease,
    ProviderId,
)

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
SITE = ClusterSite(name="training")
ON_PREMISES = replace(SITE, eks=False)
NODE = "ip-10-0-3-17.eu-central-1.compute.internal"
SHORT = "ip-10-0-3-17"
PROVIDER = "aws:///eu-central-1a/i-0abc"
GIB = float(2**30)
HIDDEN = Gap("forbidden: may not list it", "Let the bot list it.")

_NOTHING: Mapping[type[Read], Any] = {
    reads.Now: NOW,
    reads.Nodes: (),
    reads.Endpoints: (),
    reads.EksCluster: reads.EksView("training", "ACTIVE", "1.33", "eks.9"),
    reads.Nodegroup: reads.NodegroupView("workers", "ACTIVE"),
    reads.AlertmanagerStatus: reads.AlertmanagerView("0.34.0", "ready", 2),
    Query: Vector(()),
    QueryRange: Matrix(()),
    Rules: (),
    ScrapeTargets: (),
    ContainerLog: LogText(""),
    Events: (),
    PodDetails: (),
    PodsOnNode: (),
    ApiHealth: (),
    ApiServices: (),
    Claim: None,
    Instance: InstanceView("i-0abc", "running", "ok", "ok", "m7i.large", "eu-central-1a"),
    NodeClaims: None,
    NodeLease: NOW - timedelta(seconds=5),
    ProviderId: PROVIDER,
}


@dataclass
class World:
    """given: answers by read, by a piece of PromQL, or by kind of read. asked: every read that came by."""

    given: Mapping[Any, Any]
    asked: list[Read] = field(default_factory=list)

    def answer(self, read: Read) -> Any:
        self.asked.append(read)
        if read in self.given:
            return self.given[read]
        if isinstance(read, Query | QueryRange):
            pieces = (key for key in self.given if isinstance(key, str) and key in read.expr)
            found = next(pieces, None)
            if found is not None and isinstance(self.given[found], Matrix) is isinstance(read, QueryRange):
                return vector(self.given[found])
        return self.given.get(type(read), _NOTHING[type(read)])

    def drive(self, subject: Subject, site: ClusterSite = SITE) -> Diagnosis:
        asking = rule_for(subject).diagnose(subject, site)
        try:
            wanted = next(asking)
            while True:
                wanted = asking.send(Seen({read: self.answer(read) for read in wanted}))
        except StopIteration as done:
            assert isinstance(done.value, Diagnosis)
            return done.value


class Dark(World):
    """Where no source answers; the given ones do."""

    def answer(self, read: Read) -> Any:
        self.asked.append(read)
        return self.given.get(read, self.given.get(type(read), HIDDEN))


def vector(answer: Any) -> Any:
    match answer:
        case int() | float():
            return Vector((Sample({}, float(answer)),))
        case Mapping():  # "a=1,b=2" → value
            return Vector(tuple(Sample(_labels(text), float(value)) for text, value in answer.items()))
    return answer


def _labels(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(","))


def told(
    name: str, labels: Mapping[str, str], given: Mapping[Any, Any], site: ClusterSite = SITE
) -> Diagnosis:
    return World(given).drive(Subject(name, labels, since=NOW - timedelta(minutes=10)), site)


def cause(found: Diagnosis) -> str:
    assert found.cause is not None, found
    return found.cause.text


def unknown(found: Diagnosis) -> list[str]:
    """Labels of what was not read."""
    return [finding.label for finding in found.findings if finding.light is Light.UNKNOWN]


# --- things ---------------------------------------------------------------------------------------


def node(name: str = NODE, ready: str = "True", **changes: Any) -> NodeView:
    """One that has been Ready, or not, for three minutes. says: the message of its Ready condition."""
    said = changes.pop("says", "")
    conditions = (Condition("Ready", ready, "KubeletReady", said, NOW - timedelta(minutes=3)),)
    more = tuple(Condition(kind, "True", f"KubeletHas{kind}") for kind in changes.pop("pressure", ()))
    labels = {
        "topology.kubernetes.io/zone": changes.pop("zone", "eu-central-1a"),
        "eks.amazonaws.com/nodegroup": "workers",
    }
    made = NodeView(name, conditions + more, False, (), "v1.33.1", 2, 8 * GIB, labels, NOW - timedelta(days=9),
                    ("10.0.3.17", name))  # fmt: skip
    return replace(made, **changes)


def machine(state: str = "running", system: str = "ok", instance: str = "ok", **changes: Any) -> InstanceView:
    made = InstanceView("i-0abc", state, system, instance, "m7i.large", "eu-central-1a")
    return replace(made, **changes)


def pod(name: str = "web-7", status: str = "Running", ready: str = "1/1", **changes: Any) -> PodDetail:
    phase = changes.pop("phase", "Running")
    return replace(PodDetail("shop", name, status, ready, 0, NODE, phase=phase), **changes)


def killed(name: str = "web-7", minutes: int = 5) -> PodDetail:
    ended = Ending("OOMKilled", 137, finished=NOW - timedelta(minutes=minutes))
    return pod(name, containers=(ContainerView("app", "shop/web:1", ended=ended),))


def event(reason: str, message: str = "", kind: str = "Node", name: str = NODE, **changes: Any) -> EventView:
    made = EventView("default", kind, name, changes.pop("type", "Warning"), reason, message,
                     last=NOW - timedelta(minutes=4))  # fmt: skip
    return replace(made, **changes)


def target(instance: str = "10.0.3.17:8080", error: str = "", **labels: str) -> ScrapeTarget:
    health = "down" if error else "up"
    url = f"http://{instance}/metrics"
    return ScrapeTarget(labels.get("job", "web"), instance, url, health, error, labels, {})


def falling(free: float, per_hour: float, hours: int = 6) -> Matrix:
    """So much free now, and so much less every hour."""
    end = NOW.timestamp()
    points = tuple((end - 600 * n, free + per_hour * n / 6) for n in range(6 * hours, -1, -1))
    return Matrix((Series({}, points),))
