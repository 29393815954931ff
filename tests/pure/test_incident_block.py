"""The plans of a block and of its lifting: which rules, which refusals, what is written down, what is read back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from incident_world import (
    CIDR,
    GAP,
    SITE,
    SPACE,
    VPC,
    WHO,
    World,
    acl,
    args,
    doing,
    group,
    lights,
    policy,
    value,
)

from commands import grammar
from commands.command import Command
from commands.effects import (
    AllowTraffic,
    DenyEntry,
    DropEntry,
    ExceptTraffic,
    GrantRule,
    GroupRule,
    RevokeRule,
    Tag,
    Untag,
)
from commands.errors import UsageError
from commands.incident import block, notes, unblock
from commands.incident.block import BLOCK
from commands.incident.seal import verify
from commands.incident.unblock import UNBLOCK
from commands.plan import Go, Plan, Result
from commands.reads import Rehearsal
from commands.securityreads import AclEntry, AclView, RangesView
from commands.site import ClusterSite
from commands.words import WORDS

SIX = "2001:db8:5::/48"
NOTE = "by=R2345ABCD in=99 out=99 until=2026-11-24T12:00:00Z"
BLOCKED = {notes.acl_key(CIDR): NOTE}


def planned(world: World | None = None, cidr: str = CIDR, site: ClusterSite = SITE, **flags: str) -> Plan:
    return (world or World()).plan(block.plan(args("block", cidr, **flags), site, WHO))


def lifted(world: World, cidr: str = CIDR, site: ClusterSite = SITE) -> Plan:
    return world.plan(unblock.plan(args("unblock", cidr), site, WHO))


def effects(plan: Plan) -> list[Any]:
    return [step.effect for step in plan.steps]


# --- What may be blocked at all ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("0.0.0.0/1", "every machine needs"),
        ("127.0.0.1", "every machine needs"),
        ("169.254.169.254", "every machine needs"),
        ("fe80::/64", "every machine needs"),
        ("198.51.100.7", "security.own_cidrs"),
        ("198.51.0.0/16", "security.own_cidrs"),
        ("10.0.3.0/24", "the VPC vpc-1"),
        ("10.0.0.0/8", "the VPC vpc-1"),
        ("10.244.7.1", "the pods"),
        ("172.20.0.10", "the Services"),
        ("172.16.0.0/12", "the Services"),
        ("192.0.2.7", "a node"),
        ("192.0.2.0/24", "a node"),
    ],
)
@pytest.mark.parametrize("how", ["nacl", "sg", "netpol"])
def test_our_own_and_everybody_are_refused_with_the_reason(cidr: str, why: str, how: str) -> None:
    plan = planned(cidr=cidr, how=how)
    assert (plan.go, plan.steps) == (Go.BLOCKED, ())
    assert why in " ".join(finding.value for finding in plan.findings)


def test_our_own_ranges_of_ipv6_are_refused_as_well() -> None:
    ours = World(Ranges=RangesView((), ("2001:db8:1::/56",), ()))
    assert planned(ours, "2001:db8::/32").go is Go.BLOCKED
    assert planned(ours, "2001:db8:2::/48").go is not Go.BLOCKED


@pytest.mark.parametrize("gap", ["Ranges", "ClusterVpc", "Now"])
def test_what_is_not_known_to_be_anothers_is_refused(gap: str) -> None:
    plan = planned(World(**{gap: GAP}))
    assert (plan.go, plan.findings[0].mend) == (Go.BLOCKED, "start somebody")
    assert "unknown" in plan.findings[0].value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Which addresses"),
        ("evil.example.com", "no range"),
        ("203.0.113.0/33", "no range"),
        ("203.0.113.7/24", "Type `203.0.113.0/24`"),
        ("2001:DB8:5::7/48", "Type `2001:db8:5::/48`"),
        ("2001:db8:5::7%eth0", "no range"),
        ("::ffff:203.0.113.7", "as IPv4"),
    ],
)
def test_what_is_no_range_is_a_typing_error(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        planned(cidr=text)


@pytest.mark.parametrize(
    ("flags", "why"),
    [({"how": "waf"}, "nacl, sg, netpol"), ({"for": "5m"}, "from 15 min"), ({"for": "90d"}, "to 30 d")],
)
def test_a_flag_that_cannot_be_meant_is_a_typing_error(flags: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        planned(**flags)


@pytest.mark.parametrize("command", [BLOCK, UNBLOCK])
def test_all_namespaces_are_refused_before_anything_is_asked(command: Command) -> None:
    [verb] = command.verbs
    with pytest.raises(UsageError, match=f"`incident {verb}` needs one namespace"):
        command.parts(args(verb, CIDR, namespace="all"), SITE)


def test_where_there_is_no_eks_policies_are_the_way() -> None:
    site = replace(SITE, eks=False)
    assert [type(each) for each in effects(planned(site=site))] == [ExceptTraffic]
    with pytest.raises(UsageError, match="not on EKS"):
        planned(site=site, how="nacl")


def test_offices_that_nobody_configured_and_wide_ranges_are_told_of() -> None:
    plan = planned(cidr="203.0.0.0/13", site=ClusterSite())
    assert lights(plan) == {"block.wide": "yellow", "block.offices": "yellow"}
    assert "524,288 addresses" in value(plan, "block.wide")


# --- Network ACLs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cidr", [CIDR, SIX])
def test_an_entry_each_way_denies_before_the_first_that_allows(cidr: str) -> None:
    plan = planned(cidr=cidr)
    target = acl().target
    note = notes.AclNote("R2345ABCD", 99, 99, "2026-11-24T12:00:00Z")
    assert [[step.effect for step in wave.steps] for wave in plan.waves] == [
        [Tag(target, f"sre-bot/blocked/{cidr}", note.written())],
        [DenyEntry(target, 99, False, cidr), DenyEntry(target, 99, True, cidr)],
    ]
    assert (
        plan.steps[1].text
        == f"acl-1: entry 99 in: deny all traffic from {cidr} (the first that allows is 100)"
    )
    assert plan.undo == f"incident unblock {cidr}"
    assert "due to be lifted at 2026-11-24T12:00:00Z (1 d)" in plan.facts[0]
    assert ("until", "2026-11-24T12:00:00Z") in plan.before and ("vpc", "vpc-1") in plan.before


def entries(*numbers: int, allow: int = 100) -> tuple[AclEntry, ...]:
    taken = [AclEntry(n, e, False, "6", "192.0.2.0/24") for n in numbers for e in (False, True)]
    return (*taken, *(AclEntry(allow, e, True, "-1", "0.0.0.0/0") for e in (False, True)))


@pytest.mark.parametrize(
    ("held", "number"),
    [
        (entries(), 99),
        (entries(99, 98), 97),
        (entries(50), 99),
        (entries(allow=2), 1),
        (entries(1, 2, allow=4), 3),
    ],
)
def test_the_number_is_the_highest_that_is_free_below(held: tuple[AclEntry, ...], number: int) -> None:
    made = effects(planned(World(NetworkAcls=(acl("acl-1", *held),))))
    assert [each.number for each in made if isinstance(each, DenyEntry)] == [number, number]


def test_without_room_before_what_allows_it_is_blocked() -> None:
    plan = planned(World(NetworkAcls=(acl("acl-1", *entries(allow=1)),)))
    assert lights(plan) == {"block.number": "red"} and plan.go is Go.BLOCKED


def test_the_acls_of_the_clusters_subnets_are_meant_and_no_others() -> None:
    acls = (acl("acl-1"), acl("acl-2", subnets=("subnet-b", "subnet-x")), acl("acl-3", subnets=("subnet-x",)))
    plan = planned(World(NetworkAcls=acls))
    assert {each.target.name for each in effects(plan)} == {"acl-1", "acl-2"}
    assert value(plan, "block.shared") == "guards 1 more subnets, which are not the cluster's: subnet-x"
    assert planned(World(NetworkAcls=acls[2:])).go is Go.BLOCKED


@pytest.mark.parametrize(
    ("entry", "ways"),
    [
        (AclEntry(10, False, False, "-1", CIDR), [True]),
        (AclEntry(10, False, False, "-1", "203.0.0.0/16"), [True]),
        (AclEntry(10, False, False, "6", CIDR), [False, True]),
        (AclEntry(200, False, False, "-1", CIDR), [False, True]),
        (AclEntry(10, False, False, "-1", "203.0.113.0/25"), [False, True]),
    ],
    ids=["denied", "denied by a wider one", "one protocol only", "after what allows", "a part only"],
)
def test_what_another_entry_denies_already_is_not_denied_twice(entry: AclEntry, ways: list[bool]) -> None:
    plan = planned(World(NetworkAcls=(acl("acl-1", entry, *entries()),)))
    assert [each.is_egress for each in effects(plan) if isinstance(each, DenyEntry)] == ways


def denials(*ways: bool) -> tuple[AclEntry, ...]:
    return tuple(AclEntry(99, is_egress, False, "-1", CIDR) for is_egress in ways)


def blocked(*ways: bool, **tags: str) -> AclView:
    return replace(acl("acl-1", *denials(*ways), *entries()), tags=tags or BLOCKED)


def test_a_block_that_came_half_way_is_completed_as_it_was_noted() -> None:
    assert effects(planned(World(NetworkAcls=(blocked(False),)))) == [DenyEntry(acl().target, 99, True, CIDR)]
    done = planned(World(NetworkAcls=(blocked(False, True),)))
    assert (done.go, value(done, "block.already")) == (
        Go.NOTHING,
        "blocked until 2026-11-24T12:00:00Z by R2345ABCD",
    )


def test_an_acl_that_is_full_is_told_of() -> None:
    assert "block.crowded" in lights(planned(World(NetworkAcls=(acl("acl-1", *entries(*range(1, 20))),))))


@pytest.mark.parametrize(
    ("how", "read"), [("nacl", "NetworkAcls"), ("sg", "SecurityGroups"), ("netpol", "Policies")]
)
def test_what_is_not_read_blocks_the_plan(how: str, read: str) -> None:
    assert planned(World(**{read: GAP}), how=how).go is Go.BLOCKED


def test_what_the_dry_run_refuses_blocks_the_plan() -> None:
    plan = planned(World(DryRun=Rehearsal(False, "ec2: access denied, needs ec2:CreateNetworkAclEntry")))
    assert plan.go is Go.BLOCKED and lights(plan) == {"incident.refused": "red"}
    assert planned(World(DryRun=GAP)).go is Go.RISK


def test_a_block_takes_two_people_and_its_lifting_one() -> None:
    approvers = {verb.name: verb.approvers for verb in WORDS["incident"].verbs}
    assert {name: approvers[name] for name in ("block", "unblock", "rotate", "freeze", "unfreeze")} == {
        "block": 2, "unblock": 1, "rotate": 2, "freeze": 2, "unfreeze": 1,
    }  # fmt: skip


def test_the_scope_does_not_change_with_the_time() -> None:
    later = planned(World(Now=WHO.at.replace(hour=13)))
    assert later.scope == planned().scope and later.facts != planned().facts


@pytest.mark.parametrize(
    "line", [*BLOCK.examples, *UNBLOCK.examples, "incident block 2001:db8::/32 --how netpol -n shop"]
)
def test_the_lines_that_are_typed_are_read(line: str) -> None:
    parsed = grammar.parse(line, (BLOCK, UNBLOCK))
    assert parsed.command.parts(parsed.args, SITE) == {}


# --- Security groups --------------------------------------------------------------------------------


HTTPS = GroupRule(False, "tcp", 443, 443, CIDR, "partner (old)")
OUT = GroupRule(True, "-1", -1, -1, "203.0.113.7/32")
ALL = GroupRule(False, "tcp", 443, 443, "0.0.0.0/0")


def test_the_rules_that_name_the_range_are_revoked_after_they_are_written_down() -> None:
    plan = planned(
        World(SecurityGroups=(group("sg-cluster", HTTPS, OUT, ALL), group("sg-other", HTTPS))), how="sg"
    )
    target = group().target
    assert effects(plan)[2:] == [RevokeRule(target, HTTPS), RevokeRule(target, OUT)]
    tags = [each for each in effects(plan)[:2] if isinstance(each, Tag)]
    written = [notes.rule_note(tag.key, tag.value) for tag in tags]
    assert [each.rule for each in written if each] == [HTTPS, OUT]
    assert plan.steps[2].text == f"sg-cluster: revoke tcp 443 from {CIDR}"
    assert lights(plan) == {"block.wider": "yellow"}
    assert plan.findings[0].evidence == ("sg-cluster (name-sg-cluster): tcp 443 from 0.0.0.0/0",)


@pytest.mark.parametrize(
    "tags",
    [
        {"kubernetes.io/cluster/sre-training-cluster": "owned"},
        {"elbv2.k8s.aws/cluster": "sre-training-cluster"},
    ],
)
def test_groups_of_nodes_and_load_balancers_are_the_clusters_too(tags: dict[str, str]) -> None:
    held = replace(group("sg-lb", HTTPS), tags=tags)
    assert {each.target.name for each in effects(planned(World(SecurityGroups=(held,)), how="sg"))} == {
        "sg-lb"
    }


def test_a_group_without_such_a_rule_cannot_block_and_the_plan_says_what_can() -> None:
    plan = planned(World(SecurityGroups=(group("sg-cluster", ALL),)), how="sg")
    assert lights(plan) == {"block.norule": "red"}
    assert plan.findings[0].suggestions[0].text == f"incident block {CIDR} --how nacl"


def test_a_rule_that_is_noted_is_revoked_without_a_second_note() -> None:
    note = notes.RuleNote("R0", HTTPS, "2026-11-24T12:00:00Z")
    held = replace(group("sg-cluster", HTTPS), tags={note.key: note.written()})
    assert effects(planned(World(SecurityGroups=(held,)), how="sg")) == [RevokeRule(held.target, HTTPS)]


@pytest.mark.parametrize(
    ("rule", "is_whole"),
    [
        (HTTPS, True),
        (OUT, True),
        (replace(HTTPS, cidr=SIX, description="Prüfung <&> 100 %"), True),
        (replace(HTTPS, description="x" * 255), False),
        (GroupRule(False, "icmp", 8, 0, CIDR), True),
    ],
)
def test_a_note_gives_back_what_was_written_and_fits_a_tag(rule: GroupRule, is_whole: bool) -> None:
    note = notes.RuleNote("R2345ABCD", rule, "2026-11-24T12:00:00Z")
    kept = rule if is_whole else replace(rule, description="")
    assert note.is_whole is is_whole
    assert len(note.key) <= 128 and len(note.written()) <= 256
    assert set(note.key + note.written()) <= set(notes_alphabet())
    assert notes.rule_note(note.key, note.written()) == notes.RuleNote("R2345ABCD", kept, note.until)


def notes_alphabet() -> str:
    return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 +-=._:/@"


@pytest.mark.parametrize("text", ["", "mine", "by=R in=x out=1 until=y", NOTE + " "])
def test_a_tag_that_is_no_note_is_none(text: str) -> None:
    assert notes.acl_note(text) is None
    assert notes.rule_note(f"sre-bot/revoked/{CIDR}/abc", text) is None


def test_a_description_that_is_too_long_is_told_of() -> None:
    held = group("sg-cluster", replace(HTTPS, description="x" * 255))
    assert "block.description" in lights(planned(World(SecurityGroups=(held,)), how="sg"))


# --- Network policies -------------------------------------------------------------------------------


def test_a_policy_excepts_the_range_in_each_namespace_of_the_services() -> None:
    [effect] = effects(planned(how="netpol"))
    assert effect == ExceptTraffic(
        replace(
            acl().target, kind="NetworkPolicy", namespace=SPACE, name="sre-bot-block-203-0-113-0-24", uid=""
        ),
        (),
        (CIDR,),
    )
    [elsewhere] = effects(planned(how="netpol", namespace="web"))
    assert elsewhere.target.namespace == "web"
    assert planned(how="netpol", namespace="web").undo == f"incident unblock {CIDR} --namespace web"


def test_beside_other_policies_it_would_open_what_they_close() -> None:
    plan = planned(World(Policies=(policy("strict", "Ingress"),)), how="netpol")
    assert lights(plan) == {"block.adds": "red"}


def test_the_policy_of_a_quarantine_does_not_stand_in_the_way() -> None:
    assert planned(World(Policies=(policy("sre-bot-quarantine-r1"),)), how="netpol").go is Go.GO


def test_a_policy_that_is_there_is_not_made_twice() -> None:
    plan = planned(World(Policies=(policy("sre-bot-block-203-0-113-0-24", "Ingress"),)), how="netpol")
    assert plan.go is Go.NOTHING


def test_policies_that_nobody_enforces_are_told_of() -> None:
    assert lights(planned(World(Network=GAP), how="netpol")) == {"block.enforced": "unknown"}


@pytest.mark.parametrize("cidr", ["2001:db8::/32", "203.0.113.7/32", "2001:db8::1/128"])
def test_a_policys_name_is_one_that_kubernetes_takes(cidr: str) -> None:
    name = notes.policy_name(cidr)
    assert name[-1].isalnum() and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


# --- Lifting ----------------------------------------------------------------------------------------


def test_what_a_block_made_is_deleted_and_then_its_note() -> None:
    plan = lifted(World(NetworkAcls=(blocked(False, True),)))
    target = acl().target
    assert [[step.effect for step in wave.steps] for wave in plan.waves] == [
        [DropEntry(target, 99, False, CIDR), DropEntry(target, 99, True, CIDR)],
        [Untag(target, notes.acl_key(CIDR), NOTE)],
    ]
    assert plan.undo == f"incident block {CIDR} --how nacl"


def test_an_entry_that_says_something_else_by_now_is_left_alone() -> None:
    held = replace(acl("acl-1", AclEntry(99, False, False, "-1", "192.0.2.0/24"), *entries()), tags=BLOCKED)
    plan = lifted(World(NetworkAcls=(held,)))
    assert [type(each) for each in effects(plan)] == [Untag]
    assert lights(plan) == {"unblock.entry": "yellow"}


def test_a_tag_that_somebody_changed_is_left_alone() -> None:
    plan = lifted(World(NetworkAcls=(blocked(False, **{notes.acl_key(CIDR): "mine"}), blocked(True))))
    assert lights(plan)["unblock.note"] == "yellow"
    assert [each.is_egress for each in effects(plan) if isinstance(each, DropEntry)] == [True]


def test_revoked_rules_come_back_as_they_were() -> None:
    note = notes.RuleNote("R0", HTTPS, "2026-11-24T12:00:00Z")
    held = replace(group("sg-cluster"), tags={note.key: note.written(), "Name": "x"})
    assert effects(lifted(World(SecurityGroups=(held,)))) == [
        GrantRule(held.target, HTTPS),
        Untag(held.target, note.key, note.written()),
    ]


def test_a_policy_is_deleted_where_there_is_no_aws_as_well() -> None:
    held = policy("sre-bot-block-203-0-113-0-24", "Ingress")
    for site, world in ((SITE, World(Policies=(held,))), (replace(SITE, eks=False), World(Policies=(held,)))):
        assert effects(lifted(world, site=site)) == [AllowTraffic(held.target)]
    in_the_dark = lifted(World(Policies=(held,), ClusterVpc=GAP))
    assert (in_the_dark.go, lights(in_the_dark)) == (Go.RISK, {"unblock.unread": "unknown"})


@pytest.mark.parametrize(
    ("world", "why"), [(World(), "nothing that the bot made"), (World(ClusterVpc=GAP), "unknown")]
)
def test_what_is_not_blocked_cannot_be_lifted(world: World, why: str) -> None:
    plan = lifted(world)
    assert plan.go is Go.BLOCKED and why in plan.findings[0].value


# --- Reading back -----------------------------------------------------------------------------------


WAYS: dict[str, Callable[[], tuple[Plan, World, World]]] = {
    "nacl": lambda: (planned(), World(NetworkAcls=(blocked(False, True),)), World()),
    "sg": lambda: (
        planned(World(SecurityGroups=(group("sg-cluster", HTTPS),)), how="sg"),
        World(SecurityGroups=(replace(group(), tags=dict(rule_tag())),)),
        World(SecurityGroups=(group("sg-cluster", HTTPS),)),
    ),
    "netpol": lambda: (
        planned(how="netpol"),
        World(Policies=(policy("sre-bot-block-203-0-113-0-24"),)),
        World(),
    ),
    "lift nacl": lambda: (
        lifted(World(NetworkAcls=(blocked(False, True),))),
        World(),
        World(NetworkAcls=(blocked(False, True),)),
    ),
    "lift netpol": lambda: (
        lifted(World(Policies=(policy("sre-bot-block-203-0-113-0-24"),))),
        World(),
        World(Policies=(policy("sre-bot-block-203-0-113-0-24"),)),
    ),
    "lift sg": lambda: (
        lifted(World(SecurityGroups=(replace(group(), tags=dict(rule_tag())),))),
        World(SecurityGroups=(group("sg-cluster", HTTPS),)),
        World(SecurityGroups=(replace(group(), tags=dict(rule_tag())),)),
    ),
}


def rule_tag() -> list[tuple[str, str]]:
    note = notes.RuleNote("R2345ABCD", HTTPS, "2026-11-24T12:00:00Z")
    return [(note.key, note.written())]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_read_back_decides(way: str) -> None:
    plan, done, undone = WAYS[way]()
    how = "unblock" if way.startswith("lift") else "block"
    good = done.drive(verify(doing(plan, how, CIDR), SITE))
    assert (good.result, set(good.proved)) == (Result.SUCCEEDED, {step.key for step in plan.steps})
    open_ = undone.drive(verify(doing(plan, how, CIDR), SITE))
    assert (open_.result, open_.proved) == (Result.WAITING, ())
    over = undone.drive(verify(doing(plan, how, CIDR, is_over=True), SITE))
    assert over.result is Result.FAILED and len(over.left) == len(plan.steps)
    assert {each.label for each in over.suggestions} == {"Try again", "Undo"}


def test_what_is_not_read_back_is_not_proved() -> None:
    seen = World(NetworkAcls=GAP).drive(verify(doing(planned(), "block", CIDR, is_over=True), SITE))
    assert (seen.result, seen.proved) == (Result.FAILED, ()) and "not read back" in seen.left[0]


def test_a_block_that_came_half_way_is_a_part_of_one() -> None:
    seen = World(NetworkAcls=(blocked(False),)).drive(
        verify(doing(planned(), "block", CIDR, is_over=True), SITE)
    )
    assert seen.result is Result.PARTIAL and seen.summary.startswith(
        "2 of 3 done; not done: acl-1: entry 99 out"
    )


def test_a_vpc_that_eks_does_not_know_blocks_the_plan() -> None:
    assert planned(World(ClusterVpc=None)).go is Go.BLOCKED
    assert planned(World(ClusterVpc=None), how="netpol").go is Go.GO
    assert VPC.id == "vpc-1"
