"""Which nodes a line means, and with which options: `drain a,b --grace 60`, `cordon --selector zone=a`.

Raises UsageError over what cannot be meant, before anything is read. Called by the changing verbs of `node`.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from commands import grammar
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args
from commands.phrase import full_name
from commands.scheduling import NodeDetail, Requirement, Selector

# More at once is a migration, not a repair: it wants a plan of its own, and a card nobody can read helps nobody.
MOST_NODES = 10
LONGEST_GRACE = 3600
_LISTED = (Suggestion("Nodes", "node list"),)
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = timedelta(minutes=1), timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Choice:
    """names as typed, or a selector; grace and timeout None where the plan decides."""

    names: tuple[str, ...] = ()
    selector: Selector | None = None
    orphans: bool = False
    emptydir: bool = False
    grace: int | None = None
    timeout: timedelta | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What is approved beyond the plain verb, for the scope."""
        said = (
            "--orphans" if self.orphans else "",
            "--emptydir" if self.emptydir else "",
            f"--grace {self.grace}" if self.grace is not None else "",
        )
        return tuple(f"option {each}" for each in said if each)

    def of(self, nodes: Iterable[NodeDetail]) -> tuple[NodeDetail, ...]:
        """Those that are meant and there."""
        if self.selector is not None:
            return tuple(node for node in nodes if self.selector.matches(node.labels))
        known = tuple(nodes)
        by_name = {node.name: node for node in known}
        meant = (full_name(name, by_name) for name in self.names)
        return tuple(by_name[name] for name in dict.fromkeys(meant) if name in by_name)

    def wrong(self, nodes: tuple[NodeDetail, ...]) -> tuple[Finding, ...]:
        """What is meant and cannot be: no such node, or too many."""
        known = tuple(node.name for node in nodes)
        missing = tuple(_no_node(name, known) for name in self.names if full_name(name, known) not in known)
        chosen = self.of(nodes)
        if self.selector is not None and not chosen:
            return (
                Finding("node.missing", "Nodes", Light.RED, "no node has these labels", suggestions=_LISTED),
            )
        if len(chosen) > MOST_NODES:
            value = f"{len(chosen)} nodes are meant; at most {MOST_NODES} at a time"
            return (Finding("node.many", "Nodes", Light.RED, value, mend="choose fewer"),)
        return missing


def labelled(nodes: Iterable[NodeDetail]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Name and labels of each, as Plan.nodes has them."""
    return tuple((node.name, tuple(sorted(node.labels.items()))) for node in nodes)


def choice(args: Args) -> Choice:
    typed = tuple(name for name in re.split(r"[,\s]+", f"{args.name} {args.rest}") if name)
    selector = args.flags.get("selector", "")
    if bool(typed) == bool(selector):
        raise UsageError(f"`node {args.verb}` needs a node or `--selector LABELS`, and not both.")
    names = tuple(dict.fromkeys(typed))
    if len(names) > MOST_NODES:
        raise UsageError(f"That is {len(names)} nodes; at most {MOST_NODES} at a time.")
    return Choice(
        names,
        parsed(selector) if selector else None,
        "orphans" in args.flags,
        "emptydir" in args.flags,
        _grace(args.flags.get("grace", "")),
        _timeout(args.flags.get("timeout", "")),
    )


def _grace(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise UsageError(f"`--grace` takes seconds, such as 60; `{text[:40]}` is none.")
    seconds = int(text)
    if seconds == 0:
        raise UsageError(
            "`--grace 0` kills at once and lets nothing be written down, so it is not offered. "
            "Leave it out to give each pod its own time, or type 1 or more seconds."
        )
    if seconds > LONGEST_GRACE:
        raise UsageError(f"`--grace` is at most {LONGEST_GRACE} seconds.")
    return seconds


def _timeout(text: str) -> timedelta | None:
    if not text:
        return None
    span = grammar.duration(text)
    if not SHORTEST_TIMEOUT <= span <= LONGEST_TIMEOUT:
        raise UsageError("`--timeout` is between 1m and 2h.")
    return span


def _no_node(name: str, known: tuple[str, ...]) -> Finding:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return Finding("node.missing", "Node", Light.RED, f"there is no node {name}{meant}", suggestions=_LISTED)


# --- Label selectors, as kubectl takes them ---------------------------------------------------------

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*"
_VALUE = r"[A-Za-z0-9._-]*"
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)")
_THERE = re.compile(rf"(!?)\s*({_KEY})")


def parsed(text: str) -> Selector:
    """ "zone=a,spot!=true,pool in (x,y),!old"."""
    lines = [line.strip() for line in re.split(r",(?![^()]*\))", text)]
    return Selector(tuple(_requirement(line) for line in lines))


def _requirement(line: str) -> Requirement:
    if found := _EQUAL.fullmatch(line):
        return Requirement(found[1], "NotIn" if found[2] == "!=" else "In", (found[3],))
    if found := _SET.fullmatch(line):
        values = tuple(value.strip() for value in found[3].split(","))
        return Requirement(found[1], "In" if found[2] == "in" else "NotIn", values)
    if found := _THERE.fullmatch(line):
        return Requirement(found[2], "DoesNotExist" if found[1] else "Exists")
    raise UsageError(
        f"`{line[:60]}` is no label selector. Type zone=a, zone!=a, zone in (a,b), zone or !zone."
    )
