"""Who may submit and approve what; what is not known is a no."""

from dataclasses import replace
from typing import Any

import pytest

from bot import access
from bot.access import Deed, Holder, Kind
from commands.change import Change, Doing, Planning, Verifying, Who
from commands.command import Command
from commands.effects import DenyTraffic, Target, Unsilence
from commands.model import SCHEDULER, Actor, Args
from commands.plan import Step, Wave
from commands.site import AccessRule, ClusterSite, is_like
from tests import build

ANYONE = Command("health", ("",), "the morning check", ("DH-0.1",), lambda args, site: {})
ON_CALL = replace(ANYONE, role="oncall")


def no_plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    raise AssertionError("nobody plans here")


def no_verification(doing: Doing, site: ClusterSite) -> Verifying:
    raise AssertionError("nobody verifies here")


CHANGING = replace(ANYONE, change=Change(no_plan, no_verification))


@pytest.mark.parametrize(
    ("why", "actor", "command", "home", "roles", "ok", "says"),
    [
        ("a member may look", build.ALICE, ANYONE, build.TEAM, (), True, ""),
        ("the schedule may do what is scheduled", SCHEDULER, ON_CALL, "", (), True, ""),
        ("the schedule changes nothing", SCHEDULER, CHANGING, build.TEAM, (), False, "who this is"),
        ("a stranger may nothing", Actor("U1", "TOTHER"), ANYONE, build.TEAM, (), False, "Only members"),
        ("without a team, nothing", Actor("U1", ""), ANYONE, build.TEAM, (), False, "Only members"),
        ("nobody is not the schedule", Actor("", build.TEAM), ANYONE, build.TEAM, (), False, "who this is"),
        ("an unknown workspace is a no", build.ALICE, ANYONE, "", (), False, "has not told"),
        ("the wrong role is named", build.ALICE, ON_CALL, build.TEAM, ("comms",), False, "roles.oncall"),
        ("the right role is a yes", build.ALICE, ON_CALL, build.TEAM, ("oncall",), True, ""),
    ],
)
def test_who_may_look(
    why: str, actor: Actor, command: Command, home: str, roles: tuple[str, ...], ok: bool, says: str
) -> None:
    decision = access.may_ask(actor, command, home_team=home, holder=Holder(actor.user, roles))
    assert (decision.ok, says in decision.reason) == (ok, True), why
    assert decision.ok or "Nothing was done" in decision.reason


def test_a_role_nobody_can_say_of_is_a_no_with_that_reason() -> None:
    holder = Holder(build.ALICE.user, unsure=("oncall",))
    decision = access.may_ask(build.ALICE, ON_CALL, home_team=build.TEAM, holder=holder)
    assert not decision.ok and "`oncall`: Slack has not told the bot lately" in decision.reason


# --- What Slack says somebody is ---

MEMBER = {
    "id": "U1", "team_id": build.TEAM, "deleted": False, "is_bot": False,
    "is_restricted": False, "is_ultra_restricted": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "kind"),
    [
        ({}, Kind.MEMBER),
        ({"is_restricted": True}, Kind.GUEST),
        ({"is_ultra_restricted": True}, Kind.GUEST),
        ({"is_bot": True}, Kind.BOT),
        ({"is_workflow_bot": True}, Kind.BOT),
        ({"id": "USLACKBOT"}, Kind.BOT),
        ({"deleted": True}, Kind.DEACTIVATED),
        ({"deleted": True, "is_bot": True}, Kind.DEACTIVATED),
        ({"is_stranger": True}, Kind.EXTERNAL),
        ({"team_id": "TOTHER"}, Kind.EXTERNAL),
        ({"team_id": "TOTHER", "is_restricted": True}, Kind.EXTERNAL),
        ({"team_id": "TGRID", "enterprise_user": {"teams": ["TX", build.TEAM]}}, Kind.MEMBER),
        ({"team_id": "TGRID", "enterprise_user": {"teams": ["TX"]}}, Kind.EXTERNAL),
    ],
)
def test_what_users_info_makes_of_somebody(profile: dict[str, Any], kind: Kind) -> None:
    assert access.kind_of({**MEMBER, **profile}, build.TEAM) is kind
    assert access.may_act(kind).ok is (kind is Kind.MEMBER)


@pytest.mark.parametrize("field", [*MEMBER, "everything"])
def test_what_slack_does_not_say_is_never_taken_for_a_member(field: str) -> None:
    said = {} if field == "everything" else {key: value for key, value in MEMBER.items() if key != field}
    assert (access.kind_of(said, build.TEAM) is Kind.MEMBER) is (field == "id")


# --- The rules ---

SHOP = AccessRule(("oncall",), ("submit",), ("deploy *", "pod delete"), namespaces=("shop", "web-*"))
NODES = AccessRule(("oncall", "S0NODES"), ("submit",), ("node *",), nodes=("blue-*",), clusters=("eu-*",))
AGREE = AccessRule(("approvers",), ("submit", "approve"), ("*",))
RULES = (SHOP, NODES, AGREE)
ALICE = Holder("U0ALICE0001", ("oncall",))
BOB = Holder("U0BOB000001", ("approvers",))
CAROL = Holder("U0CAROL0001", ("comms",))


def deed(line: str, *places: tuple[Any, str], cluster: str = "eu-1") -> Deed:
    return Deed(line, cluster, places)


@pytest.mark.parametrize(
    ("holder", "wanted", "says"),
    [
        (ALICE, deed("deploy restart"), ""),
        (ALICE, deed("deploy restart", ("namespace", "shop")), ""),
        (ALICE, deed("deploy restart", ("namespace", "shop"), ("namespace", "web-2")), ""),
        (ALICE, deed("deploy restart", ("namespace", "shop"), ("namespace", "web")), "namespace `web`"),
        (ALICE, deed("deploy restart", ("namespace", "shopping")), "that is for `approvers`"),
        (ALICE, deed("pod delete", ("namespace", "shop")), ""),
        (ALICE, deed("pod isolate", ("namespace", "shop")), "(rule 3 of `access`)"),
        (ALICE, deed("node drain", ("node", "blue-1")), ""),
        (ALICE, deed("node drain", ("node", "blue-1"), ("node", "green-1")), "node `green-1`"),
        (ALICE, deed("node drain", ("node", "blue-1"), cluster="us-1"), "cluster `us-1`"),
        (ALICE, deed("node drain", ("node", "blue-1"), ("namespace", "shop")), ""),
        (Holder("U1", ("S0NODES",)), deed("node drain", ("node", "blue-1")), ""),
        (BOB, deed("node drain", ("node", "green-1"), cluster="us-1"), ""),
        (CAROL, deed("deploy restart", ("namespace", "shop")), "that is for `oncall` or `approvers`"),
        (Holder("U1"), deed("deploy restart"), "You may not ask for `deploy restart` in cluster `eu-1`"),
    ],
)
def test_who_may_submit(holder: Holder, wanted: Deed, says: str) -> None:
    decision = access.may_submit(holder, RULES, wanted)
    assert decision.ok is (says == "")
    assert says in decision.reason


LONG = "ip-10-0-2-82.eu-central-1.compute.internal"


@pytest.mark.parametrize(
    ("entry", "typed", "maybe", "really"),
    [
        (LONG, "ip-10-0-2-82", True, True),
        ("ip-10-0-2-*.internal", "ip-10-0-2-82", True, True),
        ("*.eu-central-1.compute.internal", "ip-10-0-2-82", True, True),
        ("ip-10-0-2-82.us-*", "ip-10-0-2-82", True, False),
        ("ip-10-0-2-8", "ip-10-0-2-82", False, False),
        ("ip-10-0-2-8.*", "ip-10-0-2-82", False, False),
        ("ip-10-0-2-825.*", "ip-10-0-2-82", False, False),
        ("green-*", "ip-10-0-2-82", False, False),
        (LONG, LONG, True, True),
    ],
)
def test_a_short_name_may_be_the_one_of_a_rule_and_the_plan_says_whether_it_is(
    entry: str, typed: str, maybe: bool, really: bool
) -> None:
    rules = (AccessRule(("oncall",), ("submit",), ("node *",), nodes=(entry,)),)
    deed = Deed.typed(Args("node", "drain", typed), ClusterSite(name="eu-1"))
    assert access.may_submit(ALICE, rules, deed).ok is maybe
    planned = Deed("node drain", "eu-1", (("node", LONG),), {LONG: {}})
    assert access.may_submit(ALICE, rules, planned).ok is really


@pytest.mark.parametrize(
    ("limits", "line", "ok"),
    [
        ({}, "node cordon", True),
        ({}, "deploy restart", True),
        ({"namespaces": ("shop",)}, "node cordon", False),
        ({"namespaces": ("shop",)}, "deploy restart", True),
        ({"nodes": ("n-*",)}, "node cordon", True),
        ({"nodes": ("n-*",)}, "deploy restart", False),
        ({"namespaces": ("shop",), "nodes": ("*",)}, "node cordon", True),
        ({"namespaces": ("shop",), "nodes": ("n-*",)}, "deploy restart", True),
    ],
)
def test_a_limit_to_one_kind_of_place_says_nothing_of_the_other(
    limits: dict[str, Any], line: str, ok: bool
) -> None:
    rule = AccessRule(("oncall",), ("submit",), ("*",), **limits)
    assert access.may_submit(ALICE, (rule,), deed(line)).ok is ok


GROUP = "eks.amazonaws.com/nodegroup=sre-*"
WORKER = {"role": "worker", "eks.amazonaws.com/nodegroup": "sre-training-nodes", "example.com/pool": ""}


@pytest.mark.parametrize(
    ("entries", "labels", "ok"),
    [
        ((GROUP,), WORKER, True),
        ((GROUP,), {"eks.amazonaws.com/nodegroup": "batch"}, False),
        ((GROUP,), {"role": "sre-1"}, False),
        ((GROUP,), {}, False),
        ((GROUP,), None, True),  # nobody has read them: the plan may be made
        (("role=worker",), WORKER, True),
        (("role=work",), WORKER, False),
        (("role=worker,example.com/pool",), WORKER, True),
        (("role=worker,example.com/rack",), WORKER, False),
        (("role=other", "example.com/pool"), WORKER, True),
        (("example.com/pool=",), WORKER, True),
        (("role=",), WORKER, False),
        (("role=*",), WORKER, True),
        (("gpu=*",), WORKER, False),
        (("blue-*", "gpu=*"), {}, False),
        (("n-*", "gpu=*"), {}, True),
        (("role",), WORKER, False),  # a name
        (("green-*",), None, False),  # the name is known from what was typed
    ],
)
@pytest.mark.parametrize("act", [access.may_submit, access.may_approve])
def test_a_rule_may_name_nodes_by_their_labels(
    act: Any, entries: tuple[str, ...], labels: dict[str, str] | None, ok: bool
) -> None:
    rule = AccessRule(("oncall",), ("submit", "approve"), ("*",), nodes=entries)
    known = None if labels is None else {"n-1": labels}
    wanted = Deed("node drain", "eu-1", (("node", "n-1"),), known)
    assert act(ALICE, (rule,), wanted).ok is ok


def test_every_node_must_have_the_labels_and_the_one_that_has_not_is_named() -> None:
    rule = AccessRule(("oncall",), ("submit",), ("*",), nodes=("role=worker",))
    both = Deed("node drain", "eu-1", (("node", "n-1"), ("node", "n-2")), {"n-1": WORKER, "n-2": {}})
    decision = access.may_submit(ALICE, (rule,), both)
    assert not decision.ok and "node `n-2`" in decision.reason


def test_a_node_whose_labels_the_plan_does_not_tell_has_none() -> None:
    rule = AccessRule(("oncall",), ("submit",), ("*",), nodes=("role=worker",))
    untold = Deed.planned(Args("node", "drain", "node-3"), "eu-1", build.plan())
    assert not access.may_submit(ALICE, (rule,), untold).ok
    told = Deed.planned(
        Args("node", "drain", "node-3"), "eu-1", build.plan(nodes=(("node-3", (("role", "worker"),)),))
    )
    assert access.may_submit(ALICE, (rule,), told).ok


def test_submitting_is_not_approving() -> None:
    assert not access.may_approve(ALICE, RULES, deed("deploy restart", ("namespace", "shop"))).ok
    assert access.may_approve(BOB, RULES, deed("deploy restart", ("namespace", "shop"))).ok


def test_who_may_do_either_may_stop() -> None:
    only_approve = (replace(AGREE, may=("approve",)), SHOP)
    wanted = deed("deploy restart", ("namespace", "shop"))
    assert access.may_stop(ALICE, only_approve, wanted).ok
    assert access.may_stop(BOB, only_approve, wanted).ok
    assert not access.may_stop(CAROL, only_approve, wanted).ok


def test_without_a_rule_nobody_may_and_the_line_to_add_is_told() -> None:
    decision = access.may_submit(BOB, (), deed("node drain", ("node", "n1")))
    assert decision.reason == (
        "Nobody may ask for `node drain` on node `n1` of cluster `eu-1`. To let somebody, add to `access` of the "
        'configuration `{roles: [approvers], may: submit, verbs: ["node drain"]}`. Nothing was done.'
    )


def test_a_group_nobody_knows_the_members_of_lets_nobody_in() -> None:
    decision = access.may_approve(Holder("U1", (), ("approvers",)), RULES, deed("node drain"))
    assert not decision.ok
    assert "Slack has not told the bot lately who is in the user groups of `approvers`" in decision.reason


def test_another_role_that_is_held_does_not_need_the_unknown_one() -> None:
    assert access.may_submit(Holder("U1", ("oncall",), ("approvers",)), RULES, deed("deploy scale")).ok


@pytest.mark.parametrize(
    ("args", "places"),
    [
        (Args("node", "drain", "a,b"), (("node", "a"), ("node", "b"))),
        (Args("node", "drain", "", {"selector": "pool=blue"}), ()),
        (Args("deploy", "restart", "x", {"namespace": "web"}), (("namespace", "web"),)),
        (Args("deploy", "restart", "backend"), (("namespace", "sre-shop"),)),
        (Args("deploy", "restart", "unheard-of"), ()),
    ],
)
def test_what_a_text_says_of_places(args: Args, places: tuple[Any, ...]) -> None:
    assert Deed.typed(args, ClusterSite()).places == places


def test_a_plan_says_every_place_it_touches() -> None:
    policy = Target("NetworkPolicy", "web", "deny", "")
    more = Wave("Deny", (Step("deny", DenyTraffic(policy, ("a", "b")), "deny"),))
    plan = build.plan("backend-1", "frontend-1")
    planned = Deed.planned(Args("node", "drain", "node-3"), "eu", replace(plan, waves=(*plan.waves, more)))
    assert planned == Deed(
        "node drain", "eu", (("node", "node-3"), ("namespace", "shop"), ("namespace", "web"))
    )


def test_a_drain_of_a_closed_node_is_about_that_node_though_only_pods_are_touched() -> None:
    plan = build.plan(nodes=(("node-3", ()),))
    planned = Deed.planned(Args("node", "drain", "node-3"), "eu", replace(plan, waves=plan.waves[1:]))
    assert planned.places == (("node", "node-3"), ("namespace", "shop"))


@pytest.mark.parametrize(
    ("glob", "text", "is_so"),
    [
        ("*", "", True),
        ("shop", "shop", True),
        ("shop", "shop2", False),
        ("web-*", "web-", True),
        ("*-prod", "eu-prod", True),
        ("a*c", "abbc", True),
        ("a*c", "abbd", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("web-*", "web-\nx", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(glob: str, text: str, is_so: bool) -> None:
    assert is_like(glob, text) is is_so


# --- What the help pages show ---


def test_the_lines_somebody_may_submit_somewhere() -> None:
    assert access.lines_of(ALICE, RULES, ("us-1",)) == {
        "deploy rollback", "deploy restart", "deploy scale", "pod delete"
    }  # fmt: skip
    assert "node drain" in access.lines_of(ALICE, RULES, ("us-1", "eu-1"))
    assert access.lines_of(CAROL, RULES, ("eu-1",)) == frozenset()


def test_grants_say_what_and_where_and_by_which_rule() -> None:
    assert access.grants_of(ALICE, RULES) == (
        "ask for `deploy *`, `pod delete`, only namespaces `shop`, `web-*` (rule 1 of `access`, as `oncall`)",
        "ask for `node *`, only nodes `blue-*`; clusters `eu-*` (rule 2 of `access`, as `oncall`)",
    )
    assert access.grants_of(BOB, RULES) == (
        "ask for and approve every change (rule 3 of `access`, as `approvers`)",
    )
    assert access.grants_of(CAROL, RULES) == ()
    labelled = (replace(NODES, nodes=(GROUP, "blue-*"), clusters=()), replace(NODES, nodes=("gpu=*",)))
    assert access.grants_of(ALICE, labelled) == (
        f"ask for `node *`, only nodes `blue-*` or labelled `{GROUP}` (rule 1 of `access`, as `oncall`)",
        "ask for `node *`, only nodes labelled `gpu=*`; clusters `eu-*` (rule 2 of `access`, as `oncall`)",
    )


@pytest.mark.parametrize(
    ("namespace", "limited", "ok"),
    [
        ("shop", (), True),
        ("shop", ("shop",), True),
        ("pay", ("shop",), False),
        ("", (), True),
        ("", ("shop",), False),
    ],
)
def test_a_silence_that_names_no_namespace_is_about_all_of_them(
    namespace: str, limited: tuple[str, ...], ok: bool
) -> None:
    target = Target("Silence", namespace, "R1", "")
    plan = build.plan(waves=(Wave("x", (Step("s", Unsilence(target), "s"),)),), nodes=())
    deed = Deed.planned(Args("alert", "silence", "A1"), "eu-1", plan)
    rules = (AccessRule(("oncall",), ("submit",), ("alert *",), namespaces=limited),)
    assert access.may_submit(Holder("U1", ("oncall",)), rules, deed).ok is ok
