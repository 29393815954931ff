"""Nodes by their conditions: what is wrong with one, and how all of them stand.

Ready=Unknown is the worse word: a NotReady kubelet still talks, a silent one is cut off. Shared by the morning
check and by `node list`, which must not disagree.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from commands.finding import Finding, Light, Suggestion, worst
from commands.model import Gap
from commands.reads import Condition, NodeView
from commands.wording import Fact, age, buttons, one_line, unread, worst_first

_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure")


def readiness(nodes: Sequence[NodeView] | Gap, now: datetime | None) -> Finding:
    key, label, threshold = "DH-2.1", "Nodes", "all Ready"
    if isinstance(nodes, Gap):
        return unread(key, label, nodes, threshold)
    if not nodes:
        return Finding(key, label, Light.RED, "no node", threshold)
    troubled = [(node, node_facts(node, now)) for node in nodes]
    facts = [fact for _, found in troubled for fact in found]
    light = worst([light for light, _ in facts]) if facts else Light.GREEN
    ready = sum(is_ready(node) for node in nodes)
    first = next((node for node, found in troubled if any(one is light for one, _ in found)), None)
    return Finding(
        key,
        label,
        light,
        f"{ready} of {len(nodes)} Ready" + (", " + _kinds(troubled) if facts else ""),
        threshold,
        worst_first(facts),
        suggestions=buttons(light, *(steps(first) if first else ())),
    )


def steps(node: NodeView) -> tuple[Suggestion, ...]:
    """What one does next about a node that is not well."""
    show = Suggestion(f"Show {node.name}", f"node show {node.name}")
    if is_ready(node) and node.unschedulable:
        return (show, Suggestion(f"Uncordon {node.name}", f"node uncordon {node.name}"))
    drain = Suggestion(f"Drain {node.name}", f"node drain {node.name}")
    return (show,) if is_ready(node) else (show, drain)


def node_facts(node: NodeView, now: datetime | None) -> list[Fact]:
    """What is wrong with one node, worst first."""
    facts: list[Fact] = []
    ready = next((c for c in node.conditions if c.type == "Ready"), None)
    if ready is None:
        facts.append((Light.RED, f"{node.name}: has never reported whether it is Ready"))
    elif ready.status != "True":
        # Unknown is the worse one: a NotReady kubelet still talks, this one has gone silent.
        word = "not reporting" if ready.status == "Unknown" else "NotReady"
        facts.append((Light.RED, f"{node.name}: {word}{age(ready.since, now)}{_because(ready)}"))
    for condition in node.conditions:
        if condition.status == "True" and condition.type == "NetworkUnavailable":
            facts.append((Light.RED, f"{node.name}: {_condition(condition, now)}"))
        elif condition.status == "True" and condition.type in _PRESSURE:
            facts.append((Light.YELLOW, f"{node.name}: {_condition(condition, now)}"))
    if node.unschedulable:
        facts.append((Light.YELLOW, f"{node.name}: SchedulingDisabled (cordoned)"))
    return facts


def is_ready(node: NodeView) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in node.conditions)


def status(node: NodeView) -> str:
    """The STATUS column of `kubectl get nodes`."""
    word = "Ready" if is_ready(node) else "NotReady"
    return f"{word},SchedulingDisabled" if node.unschedulable else word


def _condition(condition: Condition, now: datetime | None) -> str:
    return f"{condition.type}{age(condition.since, now)}{_because(condition)}"


def _because(condition: Condition) -> str:
    said = ": ".join(part for part in (condition.reason, condition.message) if part)
    return f" ({one_line(said)})" if said else ""


def _kinds(troubled: Iterable[tuple[NodeView, list[Fact]]]) -> str:
    """How many nodes are red and how many are yellow, in words: "1 down or cut off"."""
    lights = [worst([light for light, _ in facts]) for _, facts in troubled if facts]
    counts = ((Light.RED, "down or cut off"), (Light.YELLOW, "under pressure or cordoned"))
    return ", ".join(f"{lights.count(light)} {word}" for light, word in counts if light in lights)
