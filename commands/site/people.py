"""Channels, who is on call, the roles, and who may ask for what and approve it.

A part of the site (commands/site/__init__.py). A rule of `access` is read here; who decides by it is bot/access.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

from commands.site.values import (
    ChangeGlobs,
    Channel,
    Globs,
    Holders,
    Members,
    NodeGlobs,
    OneOrMany,
    Several,
    Shape,
    Span,
    User,
    Users,
)
from commands.words import WORDS


@dataclass(frozen=True, slots=True)
class Channels:
    daily: Channel = "#sre-daily"
    alerts: Channel = "#sre-alerts"
    incidents: Channel = "#incidents"
    changes: Channel = "#changes"
    security: Channel = "#sre-security"
    stakeholders: Annotated[tuple[Channel, ...], OneOrMany()] = ("#general-status",)
    support: Channel = ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who takes turns. start is the local time of the first handover; without it the first of the rota
    is always on duty, which is also what a single id in place of this mapping means."""

    rota: Members = ()
    start: datetime | None = None
    shift: Span = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Roles:
    """Slack user or user-group ids by what they may do; one person may hold several."""

    oncall: OnCall = OnCall()
    approvers: Members = ()
    two_person: Members = ()
    sre_lead: Members = field(default=(), metadata={"key": "sre-lead"})
    security: Members = ()
    platform: Members = ()
    service_owner: Members = field(default=(), metadata={"key": "service-owner"})
    db_owner: Members = field(default=(), metadata={"key": "db-owner"})
    comms: Members = ()


ROLES = (
    "oncall",
    "approvers",
    "two_person",
    "sre-lead",
    "security",
    "platform",
    "service-owner",
    "db-owner",
    "comms",
)


Act = Literal["submit", "approve"]

# Every line that changes something, built or not: "node drain".
CHANGES = tuple(f"{word.name} {verb.name}" for word in WORDS.values() for verb in word.verbs if verb.changes)


def is_like(glob: str, text: str) -> bool:
    """Whether the text is of this form; * stands for any characters, and nothing else stands for others."""
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text) is not None


Labels = Mapping[str, str]


def is_about_labels(entry: str) -> bool:
    """Whether an entry of `nodes` means labels: no name of a node has either of these signs."""
    return "=" in entry or "/" in entry


def has_labels(labels: Labels, entry: str) -> bool:
    """Whether all of "role=worker,example.com/pool" are there; in a value * stands for any characters."""
    wanted = (each.partition("=") for each in entry.split(","))
    return all(key in labels and (not sign or is_like(glob, labels[key])) for key, sign, glob in wanted)


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A yes to changes: who may submit or approve which of them, and where. There is no rule that says no:
    what no rule allows is not allowed.

    roles: keys of `roles`, or Slack user and user-group ids. verbs: "node drain", "deploy *", "*".
    namespaces, nodes, clusters: names with *, of the objects that a change touches; () for all. An entry of
    nodes may give labels in place of a name, because a cloud's names say nothing. A rule that gives
    namespaces only is not about the verbs of `node`, and one that gives nodes only is about no other: what
    limits somebody to a namespace must not let them cordon every node.
    """

    roles: Holders
    may: Annotated[tuple[Act, ...], OneOrMany()]
    verbs: ChangeGlobs
    namespaces: Globs = ()
    nodes: NodeGlobs = ()
    clusters: Globs = ()

    def is_about(self, act: Act, line: str, cluster: str) -> bool:
        """Whether it lets somebody do this with such a change somewhere in the cluster."""
        own, other = self.namespaces, self.nodes
        if line.startswith("node "):
            own, other = other, own
        is_meant = bool(own) or not other
        return act in self.may and is_meant and _any(self.verbs, line) and _in(self.clusters, cluster)

    def has_namespace(self, name: str) -> bool:
        return _in(self.namespaces, name)

    def has_node(self, name: str, labels: Labels | None) -> bool:
        """labels: None while nobody has read the node; then a rule about labels, and one about a longer name that
        begins with the typed one, may be about it."""
        return not self.nodes or any(_is_node(entry, name, labels) for entry in self.nodes)


def _is_node(entry: str, name: str, labels: Labels | None) -> bool:
    if is_about_labels(entry):
        return labels is None or has_labels(labels, entry)
    return is_like(entry, name) or (labels is None and _may_begin(entry, f"{name}."))


def _may_begin(glob: str, text: str) -> bool:
    """Whether something that begins with the text is of this form."""
    return any(is_like(glob[:end], text) for end in range(1, len(glob) + 1))


def _in(places: tuple[str, ...], name: str) -> bool:
    return not places or _any(places, name)


def _any(globs: tuple[str, ...], text: str) -> bool:
    return any(is_like(glob, text) for glob in globs)


@dataclass(frozen=True, slots=True)
class Approvals:
    """self_approve stays False in production; sev1_break_glass: who may stand in for the second
    approver in a Sev1 ("ic", the incident commander, or "nobody")."""

    expire: Span = timedelta(minutes=15)
    self_approve: bool = False
    sev1_break_glass: Literal["ic", "nobody"] = "ic"
    reason_required: bool = True


@dataclass(frozen=True, slots=True)
class Phases:
    """Minutes after the start at which each phase's lines are due."""

    immediate: Several = 15
    investigation: Several = 60
    recovery: Several = 240
    postmortem: tuple[Several, ...] = (1440, 2880)


@dataclass(frozen=True, slots=True)
class Incident:
    """channel_name: {date}, {nnn} and {slug} are filled in. archive: the channel of one that is closed."""

    phases_min: Phases = Phases()
    channel_name: Annotated[str, Shape("incident channel")] = "inc-{date}-{nnn}-{slug}"
    archive: bool = False
    recent_changes: Span = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Team:
    """members: whom the per-person numbers count. people: who has several Slack ids, by any name: they are one
    person where two are asked for."""

    members: tuple[User, ...] = ()
    people: Mapping[str, Users] = field(default_factory=dict)
