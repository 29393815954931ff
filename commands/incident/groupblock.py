"""Blocks by security groups, which have no deny: the rule that lets the range in, or out to it, is revoked.

Each rule is written on its group first, so that it comes back as it was. A wider rule is left alone and told of.
"""

from collections.abc import Iterator
from dataclasses import replace

from commands.change import Planning, blocked
from commands.effects import GroupRule, RevokeRule, Tag
from commands.finding import Finding, Light, Suggestion
from commands.incident import ranges
from commands.incident.notes import RuleNote
from commands.incident.ranges import Net
from commands.incident.wish import Made, Wish, remark, unread
from commands.model import Gap
from commands.plan import Step, Wave
from commands.securityreads import GroupView, SecurityGroups, VpcView
from commands.site import ClusterSite


def by_group(wish: Wish, vpc: VpcView, site: ClusterSite) -> Planning:
    read = SecurityGroups(vpc.id)
    seen = yield (read,)
    if isinstance(seen[read], Gap):
        return blocked(f"Block {wish.cidr}", (unread("Security groups", seen[read]),))
    groups = [group for group in seen[read] if _is_ours(group, vpc, site)]
    named = [(g, rule) for g in groups for rule in g.rules if ranges.within(rule.cidr, wish.net)]
    wider = [(g, rule) for g in groups for rule in g.rules if _is_wider(rule, wish.net)]
    if not named:
        return blocked(f"Block {wish.cidr}", (_no_rule(wish, groups),))
    made = [_of_rule(wish, group, rule) for group, rule in named]
    tags = Wave("Write the way back down", tuple(step for each in made for step in each.tags))
    revoked = Wave("Revoke", tuple(step for each in made for step in each.steps))
    findings = [*_wider(wish, wider), *(finding for each in made for finding in each.findings)]
    rules = tuple((str(group.target), f"{rule} {rule.description}".strip()) for group, rule in named)
    before = (("vpc", vpc.id), ("until", wish.until), *rules)
    return replace(wish.plan(findings, tags, revoked), before=before)


def _is_ours(group: GroupView, vpc: VpcView, site: ClusterSite) -> bool:
    """EKS's own, its nodes', and those of the load balancers that the cluster's controllers made."""
    owned = f"kubernetes.io/cluster/{site.eks_name}" in group.tags
    by_controller = group.tags.get("elbv2.k8s.aws/cluster") == site.eks_name
    return group.target.name in vpc.groups or owned or by_controller


def _is_wider(rule: GroupRule, net: Net) -> bool:
    return not rule.is_egress and rule.cidr != str(net) and ranges.around(rule.cidr, net)


def _no_rule(wish: Wish, groups: list[GroupView]) -> Finding:
    value = (
        f"no rule of the cluster's {len(groups)} security groups names {wish.cidr}, "
        "and a security group cannot deny: there is nothing to revoke"
    )
    offer = Suggestion("By network ACL", f"incident block {wish.cidr} --how nacl")
    return Finding("block.norule", "Security groups", Light.RED, value, suggestions=(offer,))


def _wider(wish: Wish, wider: list[tuple[GroupView, GroupRule]]) -> Iterator[Finding]:
    if wider:
        lines = tuple(f"{group.target.name} ({group.name}): {rule}" for group, rule in wider)
        value = f"{wish.cidr} is still let in by wider rules: revoking does not keep it out"
        mend = f"`incident block {wish.cidr} --how nacl` denies it before any group is asked."
        yield Finding("block.wider", "Wider rules", Light.YELLOW, value, evidence=lines, mend=mend)


def _of_rule(wish: Wish, group: GroupView, rule: GroupRule) -> Made:
    note = RuleNote(wish.who.request, rule, wish.until)
    name, key = group.target.name, note.key.rpartition("/")[2]
    revoke = Step(f"revoke {name} {key}", RevokeRule(group.target, rule), f"{name}: revoke {rule}")
    if note.key in group.tags:  # a block whose worker died between its two waves
        return Made((), (), (revoke,))
    tag = Step(
        f"note {name} {key}", Tag(group.target, note.key, note.written()), f"{name}: write down {rule}"
    )
    lost = f"the description of {rule} is too long to be kept: it comes back without"
    findings = () if note.is_whole else (remark("block.description", group, Light.YELLOW, lost),)
    return Made(findings, (tag,), (revoke,))
