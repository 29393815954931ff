"""Pure: who may submit and approve what. Fails closed: what is not known is a no, with the reason and the way out.

Reading is everybody's of this workspace. A change is somebody's whom a rule of `access` lets: for each node
and each namespace that it touches there must be one. Facts about people come from bot/people.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from commands.command import Command
from commands.effects import Target
from commands.model import Actor, Args
from commands.plan import Plan
from commands.site import CHANGES, AccessRule, Act, ClusterSite, Labels, is_about_labels


@dataclass(frozen=True, slots=True)
class Decision:
    """A yes, or a no with the sentence the actor reads."""

    ok: bool
    reason: str = ""


YES = Decision(True)

_NOTHING = "Nothing was done."


def no(reason: str) -> Decision:
    return Decision(False, f"{reason} {_NOTHING}")


# --- Who it is ------------------------------------------------------------------------------------


def may_enter(actor: Actor, home_team: str) -> Decision:
    """Whether the signed payload speaks of somebody of the bot's own workspace.

    home_team: the bot's own workspace id, "" while Slack has not told it. A Slack Connect stranger shares a
    channel but is of another team, and may do nothing.
    """
    if not actor.user:
        return no("Slack did not say who this is.")
    if not home_team:
        return no("Slack has not told the bot its own workspace yet.")
    if actor.team != home_team:
        return no("Only members of this workspace may use the bot.")
    return YES


class Kind(StrEnum):
    """What Slack says somebody is. Only a MEMBER may change anything."""

    MEMBER = "member"
    BOT = "bot"
    GUEST = "guest"
    DEACTIVATED = "deactivated"
    EXTERNAL = "external"


def kind_of(profile: Mapping[str, Any], home_team: str) -> Kind:
    """What the answer of users.info makes of somebody; of several things the worst."""
    if profile.get("deleted", True):
        return Kind.DEACTIVATED
    # With Enterprise Grid the team_id may be another one of the workspaces that they are a member of.
    teams = (profile.get("team_id"), *(profile.get("enterprise_user") or {}).get("teams", ()))
    if profile.get("is_stranger") or home_team not in teams:
        return Kind.EXTERNAL
    if profile.get("is_bot", True) or profile.get("is_workflow_bot") or profile.get("id") == "USLACKBOT":
        return Kind.BOT
    if profile.get("is_restricted", True) or profile.get("is_ultra_restricted", True):
        return Kind.GUEST
    return Kind.MEMBER


_NOT_FOR: Mapping[Kind, str] = {
    Kind.BOT: "Bots may not ask for changes or decide on them.",
    Kind.GUEST: "Guests of the workspace may not ask for changes or decide on them.",
    Kind.DEACTIVATED: "This account is deactivated.",
    Kind.EXTERNAL: "Only members of this workspace may use the bot.",
}


def may_act(kind: Kind) -> Decision:
    """Whether somebody of this kind may have a part in a change at all."""
    return YES if kind is Kind.MEMBER else no(_NOT_FOR[kind])


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody's roles: those held, and those that nobody can say of, because Slack has not told lately who
    is in their user groups. Both as `access` names them: a key of `roles`, or a Slack id."""

    user: str
    roles: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


# --- Reading --------------------------------------------------------------------------------------


def may_ask(actor: Actor, command: Command, *, home_team: str, holder: Holder) -> Decision:
    """Whether this person may submit this command, as far as it is no change."""
    if actor.is_scheduler and command.change is None:
        return YES
    entered = may_enter(actor, home_team)
    if not entered.ok or command.role in ("anyone", *holder.roles):
        return entered
    line = f"{command.word} {command.verbs[0]}".strip() if len(command.verbs) == 1 else command.word
    needed = f"`{line}` needs the role `{command.role}`"
    if command.role in holder.unsure:
        return no(f"{needed}: {_unsure(command.role)}")
    return no(f"{needed} (config key `roles.{command.role}`).")


# --- Changing -------------------------------------------------------------------------------------

Place = tuple[Literal["node", "namespace", "cluster"], str]


@dataclass(frozen=True, slots=True)
class Deed:
    """A change as the rules see it: its line ("node drain"), its cluster, the places it touches.

    labels: of its nodes, by name; None as long as nobody has read them. A node without is one that has none.
    """

    line: str
    cluster: str
    places: tuple[Place, ...] = ()
    labels: Mapping[str, Labels] | None = field(default_factory=dict)

    @classmethod
    def typed(cls, args: Args, site: ClusterSite) -> "Deed":
        """As far as the text says it; what it does not say is looked at when there is a plan."""
        return cls(f"{args.word} {args.verb}", site.name, tuple(_typed(args, site)), None)

    @classmethod
    def planned(cls, args: Args, cluster: str, plan: Plan) -> "Deed":
        """With every object of the plan, and the nodes it is about even where only their pods are touched."""
        found: dict[Place, None] = {("node", name): None for name, _ in plan.nodes}
        for target in plan.targets:
            found[_place_of(target)] = None
        return cls(f"{args.word} {args.verb}", cluster, tuple(found), {n: dict(own) for n, own in plan.nodes})


def _place_of(target: Target) -> Place:
    """A silence that names no namespace may hide what is in any of them."""
    if target.namespace:
        return "namespace", target.namespace
    return ("cluster", "") if target.kind == "Silence" else ("node", target.name)


def _typed(args: Args, site: ClusterSite) -> Iterator[Place]:
    if args.word == "node":
        yield from (("node", name) for name in args.name.split(",") if name)
    elif args.flags.get("namespace"):
        yield "namespace", args.flags["namespace"]
    elif args.name in site.services:
        yield "namespace", site.services[args.name].namespace


def may_submit(holder: Holder, rules: tuple[AccessRule, ...], deed: Deed) -> Decision:
    return _may("submit", holder, rules, deed)


def may_approve(holder: Holder, rules: tuple[AccessRule, ...], deed: Deed) -> Decision:
    return _may("approve", holder, rules, deed)


def may_stop(holder: Holder, rules: tuple[AccessRule, ...], deed: Deed) -> Decision:
    """Cancelling is for everybody who may submit or approve the like; the requester is not asked here."""
    if may_submit(holder, rules, deed).ok or may_approve(holder, rules, deed).ok:
        return YES
    return no(
        f"You may not cancel or stop this `{deed.line}`: that is for whoever asked for it, and for whoever may ask for "
        "such a change, or approve it, in all places that it touches."
    )


def _may(act: Act, holder: Holder, rules: tuple[AccessRule, ...], deed: Deed) -> Decision:
    fitting = {n: rule for n, rule in enumerate(rules, 1) if rule.is_about(act, deed.line, deed.cluster)}
    places: tuple[Place | None, ...] = deed.places or (None,)
    for place in places:
        here = {n: rule for n, rule in fitting.items() if _covers(rule, deed, place)}
        if not any(set(rule.roles) & set(holder.roles) for rule in here.values()):
            return no(_refusal(act, holder, here, deed, place))
    return YES


def _covers(rule: AccessRule, deed: Deed, place: Place | None) -> bool:
    match place:
        case None:
            return True
        case "cluster", _:
            return not rule.namespaces
        case "node", name:
            return rule.has_node(name, None if deed.labels is None else deed.labels.get(name, {}))
        case _, name:
            return rule.has_namespace(name)


_ACTS: Mapping[Act, str] = {"submit": "ask for", "approve": "approve"}


def _where(deed: Deed, place: Place | None) -> str:
    cluster = f"cluster `{deed.cluster}`"
    match place:
        case None:
            return f"in {cluster}"
        case "cluster", _:
            return f"in every namespace of {cluster}"
        case "node", name:
            return f"on node `{name}` of {cluster}"
        case _, name:
            return f"in namespace `{name}` of {cluster}"


def _rules(numbers: Iterable[int]) -> str:
    """ "rules 1 and 2 of `access`", counted as people do."""
    said = [str(number) for number in numbers]
    return f"rule{'s' if said[1:] else ''} {' and '.join(said)} of `access`"


def _refusal(
    act: Act, holder: Holder, here: Mapping[int, AccessRule], deed: Deed, place: Place | None
) -> str:
    what = f"{_ACTS[act]} `{deed.line}` {_where(deed, place)}"
    unsure = [role for rule in here.values() for role in rule.roles if role in holder.unsure]
    if unsure:
        return f"You may not {what}: {_unsure(unsure[0])}"
    if here:
        roles = dict.fromkeys(role for rule in here.values() for role in rule.roles)
        may = " or ".join(f"`{role}`" for role in roles) or "nobody"
        return f"You may not {what}: that is for {may} ({_rules(here)})."
    return (
        f"Nobody may {what}. To let somebody, add to `access` of the configuration "
        f'`{{roles: [approvers], may: {act}, verbs: ["{deed.line}"]}}`.'
    )


def _unsure(role: str) -> str:
    return (
        f"Slack has not told the bot lately who is in the user groups of `{role}` (does the app have "
        "usergroups:read?). Please try again in a minute."
    )


# --- What somebody may, for the help pages ---------------------------------------------------------


def lines_of(holder: Holder, rules: tuple[AccessRule, ...], clusters: Iterable[str]) -> frozenset[str]:
    """The changing lines ("node drain") that somebody may submit somewhere."""
    own = [rule for rule in rules if set(rule.roles) & set(holder.roles)]
    names = tuple(clusters)
    return frozenset(
        line for line in CHANGES if any(rule.is_about("submit", line, name) for rule in own for name in names)
    )


def grants_of(holder: Holder, rules: tuple[AccessRule, ...]) -> tuple[str, ...]:
    """A sentence for each rule that lets somebody do something."""
    return tuple(
        f"{' and '.join(_ACTS[act] for act in rule.may)} {_verbs(rule)}{_places(rule)}"
        f" ({_rules([number])}, as {_quoted(as_)})"
        for number, rule in enumerate(rules, 1)
        if (as_ := tuple(role for role in rule.roles if role in holder.roles))
    )


def _verbs(rule: AccessRule) -> str:
    return "every change" if "*" in rule.verbs else _quoted(rule.verbs)


def _places(rule: AccessRule) -> str:
    names = tuple(entry for entry in rule.nodes if not is_about_labels(entry))
    labels = tuple(entry for entry in rule.nodes if is_about_labels(entry))
    nodes = (_quoted(names), f"labelled {_quoted(labels)}" if labels else "")
    limits = (
        ("namespaces", _quoted(rule.namespaces)),
        ("nodes", " or ".join(filter(None, nodes))),
        ("clusters", _quoted(rule.clusters)),
    )
    said = [f"{name} {which}" for name, which in limits if which]
    return f", only {'; '.join(said)}" if said else ""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
