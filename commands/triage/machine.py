"""Which node an alert is about: by its name, or by the address that Prometheus scrapes it at.

`instance` is an address with a port, or the node's name where the scrape configuration says so; the API server
knows both. Used by every topic about nodes.
"""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime

from commands import nodestatus
from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap, Reads, Seen
from commands.phrase import shortly
from commands.queries import quoted
from commands.reads import Nodes, NodeView, Now
from commands.site import ClusterSite
from commands.triage.measured import EVERYTHING, Locating, Place
from commands.triage.rule import Subject
from commands.wording import unread, worst_first


@dataclass(frozen=True, slots=True)
class Machine:
    """name: the node's, or the address where no node is known by it; "" where the alert names none. view: as the
    API server has it, None where it has none or was not read (then gap says why). nodes: all of them."""

    name: str
    view: NodeView | None = None
    nodes: tuple[NodeView, ...] = ()
    now: datetime | None = None
    gap: Gap | None = None
    address: str = ""

    @property
    def short(self) -> str:
        return shortly(self.name) or "a node"

    @property
    def is_gone(self) -> bool:
        """The API server answered, and knows no such node."""
        return bool(self.name) and self.view is None and self.gap is None

    @property
    def words(self) -> Mapping[str, str]:
        """$here: the series that exporters on this machine tell; $node: its name."""
        known = (*(self.view.addresses if self.view else ()), self.name, self.address)
        names = dict.fromkeys(_exactly(each) for each in known if each)
        here = f'instance=~"(?:{"|".join(names)})(?::[0-9]+)?"' if names else EVERYTHING
        return {"here": here, "node": quoted(self.name)}

    @property
    def steps(self) -> tuple[Suggestion, ...]:
        if self.view is None:
            return (Suggestion("Nodes", "node list"),)
        return (Suggestion(f"Show {self.short}", f"node show {self.name}"),)

    def finding(self) -> Finding:
        """Its conditions, or why they are not known."""
        key, label = "TF-4.1", "Node"
        if self.gap:
            return unread(key, label, self.gap)
        if self.view is None:
            return Finding(key, label, Light.YELLOW, f"{self.short} is not in the cluster")
        facts = nodestatus.node_facts(self.view, self.now)
        light = worst([light for light, _ in facts]) if facts else Light.GREEN
        return Finding(key, label, light, nodestatus.status(self.view), evidence=worst_first(facts))


def find(subject: Subject) -> Generator[Reads, Seen, Machine]:
    """The machine of an alert, from one look at all nodes."""
    seen = yield (Nodes(), Now())
    return of(subject, seen)


def of(subject: Subject, seen: Seen) -> Machine:
    """The machine of an alert, where Nodes and Now are among what was seen."""
    nodes: tuple[NodeView, ...] | Gap = seen[Nodes()]
    now = None if isinstance(seen[Now()], Gap) else seen[Now()]
    address = "" if subject.node and subject.scrape_job == "kube-state-metrics" else subject.address
    name = subject.node or address
    if isinstance(nodes, Gap):
        return Machine(name, now=now, gap=nodes, address=address)
    view = next((node for node in nodes if name and is_called(node, name)), None)
    return Machine(view.name if view else name, view, nodes, now, address=address)


def is_called(node: NodeView, name: str) -> bool:
    """By its name, by what people call it, or by an address."""
    return name in (node.name, shortly(node.name), *node.addresses)


def place(subject: Subject, site: ClusterSite) -> Locating:
    """For diagnoses by numbers (measured.py)."""
    found = yield from find(subject)
    return Place(found.short, found.words, (found.finding(),), found.steps)


def _exactly(text: str) -> str:
    """For the inside of a regular expression in PromQL."""
    return quoted(text if re.fullmatch(r"[A-Za-z0-9.:-]+", text) else re.escape(text))
