"""`incident unblock`: lift a block, by what it wrote down where it was made.

What the notes do not tell of is left alone: an entry that somebody else made denies for a reason of theirs.
"""

from dataclasses import dataclass, field

from commands.change import Change, Planning, Who, blocked
from commands.command import Command, Flag, Parts
from commands.effects import AllowTraffic, DropEntry, GrantRule, Untag
from commands.finding import Finding, Light
from commands.incident import ranges
from commands.incident.notes import acl_key, acl_note, policy_name, rule_note
from commands.incident.policyblock import spaces
from commands.incident.proof import rehearsed, waves
from commands.incident.ranges import Net
from commands.incident.seal import verify
from commands.model import Args, Gap, Reads, Seen
from commands.plan import Plan, Step, Wave
from commands.podreads import Policies, PolicyView
from commands.securityreads import AclView, GroupView, NetworkAcls, SecurityGroups, VpcView
from commands.site import ClusterSite
from commands.wording import one_line, unread

_HOWS = {"NetworkAcl": "nacl", "SecurityGroup": "sg", "NetworkPolicy": "netpol"}


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is to lift, and which notes are to be forgotten after that."""

    lifts: list[Step] = field(default_factory=list)
    forgets: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    net = ranges.wanted(args)
    policies = tuple(Policies(space) for space in spaces(site, args))
    seen = yield (*ranges.vpc_reads(site), *policies)
    vpc: VpcView | Gap | None = next((seen[read] for read in ranges.vpc_reads(site)), None)
    more: Reads = (NetworkAcls(vpc.id), SecurityGroups(vpc.id)) if isinstance(vpc, VpcView) else ()
    told = (yield more) if more else Seen({})
    answers = (*(seen[read] for read in policies), *(told[read] for read in more))
    gaps = [answer for answer in (vpc, *answers) if isinstance(answer, Gap)]
    found = _Found(findings=[unread("unblock.unread", "Blocks", gap) for gap in dict.fromkeys(gaps)])
    for answer in answers:
        for view in () if isinstance(answer, Gap) else answer:
            _look(net, view, found)
    if not found.lifts and not found.forgets:
        return blocked(f"Unblock {net}", _nothing(net, gaps))
    return (yield from rehearsed(_lifting(net, found, vpc)))


def _look(net: Net, view: AclView | GroupView | PolicyView, found: _Found) -> None:
    match view:
        case AclView():
            _of_acl(net, view, found)
        case GroupView():
            _of_group(net, view, found)
        case PolicyView() if view.target.name == policy_name(str(net)):
            space = view.target.namespace
            text = f"{space}: delete {view.target.name}, which excepts {net}"
            found.lifts.append(Step(f"allow {space}", AllowTraffic(view.target), text))


def _nothing(net: Net, gaps: list[Gap]) -> tuple[Finding, ...]:
    if gaps:
        value = f"unknown whether {net} is blocked: {one_line(gaps[0].reason)}"
        return (Finding("unblock.unread", "Blocks", Light.RED, value, mend=gaps[0].mend),)
    return (Finding("unblock.none", "Blocks", Light.RED, f"nothing that the bot made blocks {net}"),)


def _of_acl(net: Net, acl: AclView, found: _Found) -> None:
    name, key = acl.target.name, acl_key(str(net))
    text = acl.tags.get(key)
    if text is None:
        return
    note = acl_note(text)
    if note is None:
        value = f"the tag {key} says something else than a block of the bot: its entries are left alone"
        found.findings.append(Finding("unblock.note", str(acl.target), Light.YELLOW, value))
        return
    there = {(each.is_egress, each.number): each for each in acl.entries}
    for is_egress, number in note.numbers:
        entry, way = there.get((is_egress, number)), "out" if is_egress else "in"
        if entry is not None and (entry.is_allow or entry.cidr != str(net)):
            value = f"entry {number} {way} is another one now: it is left alone"
            found.findings.append(Finding("unblock.entry", str(acl.target), Light.YELLOW, value))
        elif entry is not None:
            drop = DropEntry(acl.target, number, is_egress, str(net))
            said = f"{name}: delete entry {number} {way}, which denies {net}"
            found.lifts.append(Step(f"drop {name} {way}", drop, said))
    forget = Untag(acl.target, key, text)
    found.forgets.append(Step(f"forget {name}", forget, f"{name}: delete the note of the block"))


def _of_group(net: Net, group: GroupView, found: _Found) -> None:
    name = group.target.name
    for key, text in sorted(group.tags.items()):
        note = rule_note(key, text)
        if note is None or not ranges.within(note.rule.cidr, net):
            continue
        digest = key.rpartition("/")[2]
        grant = GrantRule(group.target, note.rule)
        found.lifts.append(Step(f"grant {name} {digest}", grant, f"{name}: let in again: {note.rule}"))
        said = f"{name}: delete the note of {note.rule}"
        found.forgets.append(Step(f"forget {name} {digest}", Untag(group.target, key, text), said))


def _lifting(net: Net, found: _Found, vpc: VpcView | Gap | None) -> Plan:
    """First the blocks go, then the notes of them: whoever dies in between finds the way again."""
    steps = (*found.lifts, *found.forgets)
    touched = tuple(dict.fromkeys(step.effect.target for step in steps))
    return Plan(
        title=f"Unblock {ranges.said(net)}",
        findings=tuple(found.findings),
        waves=waves(Wave("Lift", tuple(found.lifts)), Wave("Forget the notes", tuple(found.forgets))),
        stays=("entries, rules and policies that the bot did not make",),
        scope=(f"unblock {net}", *map(str, touched)),
        undo=f"incident block {net} --how {_HOWS[steps[0].effect.target.kind]}",
        before=((("vpc", vpc.id),) if isinstance(vpc, VpcView) else ()),
        locks=(f"block/{net}", *(f"addresses/{each.path}" for each in touched)),
    )


def parts(args: Args, site: ClusterSite) -> Parts:
    ranges.wanted(args), spaces(site, args)
    return {}


UNBLOCK = Command(
    word="incident",
    verbs=("unblock",),
    summary="Lift a block of addresses.",
    rows=("SI-2.5",),
    parts=parts,
    examples=("incident unblock 203.0.113.0/24",),
    flags=(Flag("namespace", "of a network policy; those of the services when left out", "NAMESPACE", "n"),),
    names="ADDRESSES",
    change=Change(plan, verify),
)
