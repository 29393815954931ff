"""The plan of a rotation: what uses the account, what is taken away, what starts anew, and what only people can do."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from incident_world import GAP, NOW, SITE, SPACE, WHO, World, args, doing, lights, pod, value, workload

from commands import grammar
from commands.effects import DeleteToken, Restart, RevokeSessions, RotateSecret, Target
from commands.errors import UsageError
from commands.incident import rotate
from commands.incident.rotate import POLICY, ROTATE
from commands.incident.rotated import verify
from commands.plan import Go, Mark, Plan, Result, Standing
from commands.securityreads import AccountView, ManagedSecretView, RoleView, TokenView
from commands.site import ClusterSite, Security
from commands.templates import template_hash
from commands.workloads import RESTARTED_AT, Strategy, WorkloadView

AT = "2026-11-23T12:00:00Z"
ARN = "arn:aws:iam::123456789012:role/backend"
ROLE = Target("IamRole", "", "backend", ARN)
SUBJECT = f"system:serviceaccount:{SPACE}:backend"
ACCOUNT = AccountView(Target("ServiceAccount", SPACE, "backend", "uid-account"))
IRSA = replace(ACCOUNT, annotations={"eks.amazonaws.com/role-arn": ARN})
TOKEN = TokenView(Target("Secret", SPACE, "backend-token", "uid-token"), datetime(2024, 1, 5, tzinfo=UTC))
SECRET = ManagedSecretView(Target("AwsSecret", "", "prod/db", "arn:secret"), True)
HANDS = {"rotate.byhand": "yellow"}
IDENTITY = {"rotate.webidentity": "yellow"}


def planned(
    world: World | None = None, site: ClusterSite = SITE, name: str = "backend", **flags: str
) -> Plan:
    return (world or World()).plan(rotate.plan(args("rotate", name, **flags), site, WHO))


def effects(plan: Plan) -> list[Any]:
    return [step.effect for step in plan.steps]


def restart(view: WorkloadView) -> Restart:
    return Restart(view.target, template_hash(view.template), AT)


WHOLE = World(
    Account=replace(IRSA, annotations={**IRSA.annotations, "sre-bot/secrets": "prod/db, "}),
    Role=RoleView(ROLE, (SUBJECT,)),
    AccountTokens=(TOKEN,),
    ManagedSecret=SECRET,
)


def test_what_was_stolen_is_taken_away_before_its_pods_start_anew() -> None:
    plan = planned(WHOLE)
    sessions, token, secret, start = effects(plan)
    assert (sessions, token, start) == (
        RevokeSessions(ROLE, POLICY, AT),
        DeleteToken(TOKEN.target),
        restart(workload()),
    )
    assert isinstance(secret, RotateSecret) and secret.target == SECRET.target and len(secret.token) == 32
    assert [len(wave.steps) for wave in plan.waves] == [3, 1]
    assert plan.undo == "" and "no undo" in plan.facts[0] and "used by 1 pod: backend-1;" in plan.facts[0]
    assert lights(plan) == {**HANDS, **IDENTITY}


def test_only_the_workloads_of_the_account_start_anew() -> None:
    bare = workload("plain", template={"spec": {}})
    plan = planned(World(Workloads=(workload(), workload("other"), bare)))
    assert effects(plan) == [restart(workload())]
    assert effects(planned(World(Workloads=(bare,), AccountPods=()), name="default")) == [restart(bare)]


def test_a_repeated_plan_of_one_request_rotates_the_same_version() -> None:
    tokens = {
        each.token for _ in range(2) for each in effects(planned(WHOLE)) if isinstance(each, RotateSecret)
    }
    assert len(tokens) == 1


@pytest.mark.parametrize(
    ("world", "expected", "go"),
    [
        (World(), {}, Go.RISK),
        (World(Account=None), {"rotate.none": "red"}, Go.BLOCKED),
        (World(Account=GAP), {"rotate.unread": "red"}, Go.BLOCKED),
        (World(AccountPods=GAP), {"rotate.unread": "red"}, Go.BLOCKED),
        (World(Workloads=GAP), {"rotate.unread": "red"}, Go.BLOCKED),
        (World(Now=GAP), {"rotate.unread": "red"}, Go.BLOCKED),
        (World(AccountTokens=GAP), {"rotate.tokens": "unknown"}, Go.RISK),
        (World(AccountRoles=GAP), {"rotate.roles": "unknown"}, Go.RISK),
        (World(Account=IRSA, Role=GAP), {"rotate.role": "unknown", **IDENTITY}, Go.RISK),
        (World(Account=IRSA, Role=None), {"rotate.role": "yellow", **IDENTITY}, Go.RISK),
        (
            World(Account=IRSA, Role=RoleView(ROLE, (SUBJECT, "system:serviceaccount:x:y"))),
            {"rotate.shared": "yellow", **IDENTITY},
            Go.RISK,
        ),
        (
            World(AccountTokens=(TOKEN,), AccountPods=(pod(secrets=frozenset({"backend-token"})),)),
            {"rotate.mounted": "yellow"},
            Go.RISK,
        ),
        (World(Workloads=(workload(is_paused=True),)), {"rotate.restart": "yellow"}, Go.NOTHING),
        (World(Workloads=(workload(strategy=Strategy("OnDelete")),)), {"rotate.restart": "yellow"}, Go.NOTHING),
        (World(Workloads=(workload(replicas=1),)), {"rotate.single": "yellow"}, Go.RISK),
        (World(AccountPods=(pod(controller=""),)), {"rotate.pod": "yellow"}, Go.RISK),
        (World(AccountPods=(pod(controller="Job sync-1"),)), {"rotate.pod": "yellow"}, Go.RISK),
    ],
    ids=["plain", "no account", "account unread", "pods unread", "workloads unread", "no time", "tokens unread",
         "roles unread", "role unread",
         "role elsewhere", "shared role", "mounted token", "paused", "on delete", "one pod", "bare pod",
         "a job's pod"],
)  # fmt: skip
def test_what_is_not_done_is_said(world: World, expected: dict[str, str], go: Go) -> None:
    plan = planned(world)
    more = {} if "red" in expected.values() else HANDS
    assert (lights(plan), plan.go) == ({**expected, **more}, go)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (replace(SECRET, is_rotated=False), "has no rotation in Secrets Manager"),
        (None, "does not know it"),
        (GAP, "nobody answers"),
    ],
)
def test_a_secret_that_does_not_rotate_is_for_people(view: Any, said: str) -> None:
    site = replace(SITE, security=Security(secrets={f"{SPACE}/backend": ("prod/db",)}))
    plan = planned(World(ManagedSecret=view), site)
    assert said in value(plan, "rotate.secret")
    assert not [each for each in effects(plan) if isinstance(each, RotateSecret)]


def test_the_role_of_pod_identity_counts_as_that_of_the_annotation() -> None:
    plan = planned(World(AccountRoles=(ARN,), Role=RoleView(ROLE)))
    assert RevokeSessions(ROLE, POLICY, AT) in effects(plan)
    both = planned(World(Account=IRSA, AccountRoles=(ARN,), Role=RoleView(ROLE)))
    assert [type(each) for each in effects(both)].count(RevokeSessions) == 1


def test_away_from_eks_no_role_is_looked_for() -> None:
    world = World()
    planned(world, replace(SITE, eks=False))
    assert "AccountRoles" not in {type(read).__name__ for read in world.asked}


def test_what_people_rotate_has_an_owner() -> None:
    site = replace(SITE, security=Security(by_hand={"the GitHub token": "security"}))
    [line] = [each for each in planned(site=site).findings if each.key == "rotate.byhand"]
    assert (line.label, line.value) == (
        "By hand: the GitHub token",
        "security rotates them; nothing here can",
    )


@pytest.mark.parametrize(
    ("kept", "is_red"), [(frozenset(), True), (GAP, True), (frozenset({"uid-backend-1"}), False)]
)
def test_while_an_isolated_pod_of_it_has_no_evidence_nothing_starts_anew(kept: Any, is_red: bool) -> None:
    plan = planned(World(AccountPods=(pod(is_isolated=True),), EvidenceKept=kept))
    assert ("rotate.evidence" in lights(plan)) is is_red and (plan.go is Go.BLOCKED) is is_red
    assert "keeps its token" in value(plan, "rotate.isolated")


@pytest.mark.parametrize(("name", "flags"), [("", {}), ("Nöt-a-name", {}), ("backend", {"namespace": "all"})])
def test_an_account_is_named_in_one_namespace(name: str, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        planned(name=name, **flags)


@pytest.mark.parametrize("line", ROTATE.examples)
def test_the_lines_that_are_typed_are_read(line: str) -> None:
    parsed = grammar.parse(line, (ROTATE,))
    assert parsed.command.parts(parsed.args, SITE) == {}
    assert rotate.wanted(parsed.args, SITE).namespace == SPACE


# --- Reading back -----------------------------------------------------------------------------------


def restarted(at: str = AT, **changes: Any) -> WorkloadView:
    template = {"metadata": {"annotations": {RESTARTED_AT: at}}, "spec": {"serviceAccountName": "backend"}}
    return workload(template=template, **changes)


def after(**changes: Any) -> World:
    [token] = [each.token for each in effects(planned(WHOLE)) if isinstance(each, RotateSecret)]
    done = {
        "Role": RoleView(ROLE, (SUBJECT,), AT),
        "AccountTokens": (),
        "ManagedSecret": replace(SECRET, versions={"old": ("AWSPREVIOUS",), token: ("AWSCURRENT",)}),
        "Workload": (restarted(),),
    }
    return World(**{**done, **changes})


def test_it_is_done_when_each_part_is_read_back() -> None:
    plan = planned(WHOLE)
    seen = after().drive(verify(doing(plan, "rotate", "backend"), SITE))
    assert (seen.result, len(seen.proved)) == (Result.SUCCEEDED, 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Role": RoleView(ROLE, (SUBJECT,), "2026-11-23T11:00:00Z")}, "older sessions still count"),
        ({"Role": None}, "older sessions still count"),
        ({"AccountTokens": (TOKEN,)}, "is there still"),
        ({"ManagedSecret": SECRET}, "its rotation is not over"),
        ({"Workload": (workload(),)}, "is not restarted yet"),
        ({"Workload": (restarted(updated=1),)}, "1 of 3 pods new"),
        ({"Workload": (restarted(total=4),)}, "3 of 3 pods new"),
        ({"Workload": (restarted(available=2),)}, "2 of 3 pods available"),
        ({"Workload": (restarted(observed=2),)}, "3 of 3 pods new"),
        ({"Workload": ()}, "is gone"),
        ({"Workload": GAP}, "not read back"),
    ],
)
def test_one_part_that_is_not_read_back_keeps_it_open(changes: dict[str, Any], said: str) -> None:
    plan = planned(WHOLE)
    seen = after(**changes).drive(verify(doing(plan, "rotate", "backend"), SITE))
    assert (seen.result, len(seen.proved)) == (Result.WAITING, 3) and said in seen.waiting[0]


def test_pods_that_did_not_start_anew_are_offered_by_a_button() -> None:
    plan = planned(WHOLE)
    standing = doing(plan, "rotate", "backend", is_over=True)
    marks = {**standing.progress.marks, plan.steps[0].key: Mark(Standing.FAILED, NOW, "iam: access denied")}
    late = replace(standing, progress=replace(standing.progress, marks=marks))
    seen = after(Role=RoleView(ROLE), Workload=(workload(),)).drive(verify(late, SITE))
    assert seen.result is Result.PARTIAL and "iam: access denied" in seen.left[0]
    assert seen.suggestions[0].text == f"deploy restart {SPACE}/backend"
