"""`change recent`: what is in the window, what leads, and what is said of what was not looked at."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from health_answers import drive, finding
from hypothesis import given
from hypothesis import strategies as st

from commands.catalog import Catalog
from commands.changereads import CloudChange, CloudChanges, CloudChangesSeen, EksUpdates
from commands.changes.happened import Happened, nearest_first
from commands.changes.recent import parts, trouble
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Gap, Read, Section
from commands.reads import Now
from commands.site import ClusterSite, Namespaces
from commands.triagereads import Changes, ChangeSeen, ChangesSeen

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SITE = ClusterSite()
CATALOG = Catalog.load()
HOUR = timedelta(hours=1)
G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN


def ago(hours: float) -> datetime:
    return NOW - hours * HOUR


def rollout(
    hours: float, name: str = "backend", namespace: str = "sre-shop", *, revision: int = 7, **more: Any
) -> ChangeSeen:
    made = ChangeSeen(
        "Deployment",
        namespace,
        name,
        f"rollout of revision {revision}",
        ago(hours),
        "helm",
        revision=revision,
    )
    return replace(made, **more)


def written(kind: str, hours: float, name: str = "settings") -> ChangeSeen:
    return ChangeSeen(kind, "sre-shop", name, "written", ago(hours), "kubectl-edit")


def cloud(action: str, hours: float, service: str = "ec2", by: str = "alice") -> CloudChange:
    return CloudChange(service, action, "i-0abc", ago(hours), by)


class World(dict[Read, Any]):
    """What the sources say: the changes of each namespace, of CloudTrail and of EKS."""

    def __init__(
        self,
        changes: Mapping[str, ChangesSeen | Gap] | None = None,
        trail: CloudChangesSeen | Gap | None = None,
        updates: CloudChangesSeen | Gap | None = None,
    ) -> None:
        super().__init__()
        self._changes = changes or {}
        self._trail = trail or CloudChangesSeen(())
        self._updates = updates or CloudChangesSeen(())
        self.asked: list[Read] = []

    def __missing__(self, read: Read) -> Any:
        match read:
            case Now():
                return NOW
            case Changes():
                return self._changes.get(read.namespace, ChangesSeen(()))
            case CloudChanges():
                return self._trail
            case EksUpdates():
                return self._updates
        raise KeyError(read)

    def sections(self, line: str = "change recent", site: ClusterSite = SITE) -> dict[str, Section]:
        found = {}
        for key, part in parts(CATALOG.parse(line).args, site).items():
            found[key], asked = drive(part.inquiry, self)
            self.asked += asked
        return found

    def nearest(self, line: str = "change recent", site: ClusterSite = SITE) -> Finding:
        (found,) = self.sections(line, site)["nearest"].findings
        return found


def everywhere(*changes: ChangeSeen, **more: Any) -> World:
    return World({"": ChangesSeen(changes, **more)})


# --- The window -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "is_in"), [(23, True), (24, True), (25, False)])
def test_a_rollout_of_23_hours_ago_is_in_and_one_of_25_is_out(hours: float, is_in: bool) -> None:
    found = everywhere(rollout(hours)).sections("change recent --since 24h")["rollouts"]
    assert any("Deployment sre-shop/backend" in line for line in found.table) is is_in
    assert found.findings[0].value.startswith("1 change" if is_in else "none")


def test_what_is_read_reaches_back_from_now_as_far_as_the_window_before_the_trouble() -> None:
    world = everywhere(rollout(23), rollout(27), rollout(29))
    found = world.sections("change recent --at 07:30 --since 24h")["rollouts"]
    assert Changes("", timedelta(hours=28, minutes=30)) in world.asked
    assert len(found.table) == 3
    assert "23 h 30 min" not in found.table[1] and "18 h 30 min before" in found.table[1]


def test_all_parts_ask_the_same_questions_so_each_is_asked_once() -> None:
    world = World()
    world.sections("change recent --at 07:30")
    kinds = {
        kind: {read for read in world.asked if type(read) is kind}
        for kind in (Changes, CloudChanges, EksUpdates)
    }
    assert [len(reads) for reads in kinds.values()] == [2, 1, 1]


@pytest.mark.parametrize(
    ("typed", "began"),
    [
        ("", NOW),
        ("11:45", NOW - timedelta(minutes=15)),
        ("12:01", NOW - timedelta(hours=23, minutes=59)),
        ("9:05", NOW.replace(hour=9, minute=5)),
        ("2026-11-22T14:32Z", datetime(2026, 11, 22, 14, 32, tzinfo=UTC)),
        ("2026-11-22T14:32+01:00", datetime(2026, 11, 22, 13, 32, tzinfo=UTC)),
        ("2026-11-22T14:32", datetime(2026, 11, 22, 14, 32, tzinfo=UTC)),
        ("2027-01-01T00:00Z", NOW),
    ],
)
def test_when_the_trouble_began(typed: str, began: datetime) -> None:
    assert trouble(typed, NOW) == began


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("change recent --at yesterday", "`yesterday` is no time. Type 14:32"),
        ("change recent --at 25:00", "is no time"),
        ("change recent --since 8d", "looks back 7 d at most"),
        ("change recent --since x", "is no time span"),
    ],
)
def test_what_cannot_be_meant_is_said(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        World().sections(line)


# --- What leads -----------------------------------------------------------------------------------


def test_the_nearest_leads_with_what_it_changed_and_the_way_back() -> None:
    image = ("image backend: shop/backend:1.4 → shop/backend:1.5",)
    found = everywhere(rollout(5, "cart"), rollout(0.2, differences=image)).nearest()
    assert found.value == "Deployment sre-shop/backend: rollout of revision 7 by helm, 12 min ago"
    assert found.evidence == (*image, "then Deployment sre-shop/cart: rollout of revision 7, 5 h ago")
    assert found.light is Y
    assert [each.text for each in found.suggestions] == ["deploy rollback sre-shop/backend"]


def test_near_the_trouble_the_services_own_change_leads() -> None:
    world = everywhere(rollout(0.05, "cart"), rollout(0.3, "backend"))
    assert world.nearest().value.startswith("Deployment sre-shop/cart")
    assert world.nearest("change recent backend").value.startswith("Deployment sre-shop/backend")


def test_far_from_the_trouble_time_alone_decides() -> None:
    found = everywhere(rollout(3, "cart"), rollout(9, "backend")).nearest("change recent backend")
    assert found.value.startswith("Deployment sre-shop/cart")
    assert found.light is G


def test_what_came_after_the_trouble_is_told_last() -> None:
    world = everywhere(rollout(1, "fix"), rollout(9, "old"))
    found = world.nearest("change recent --at 10:00")
    assert found.label == "Nearest to 2026-11-23 10:00 UTC"
    assert found.value.endswith("sre-shop/old: rollout of revision 7 by helm, 7 h before")
    table = world.sections("change recent --at 10:00")["rollouts"].table
    assert ["old" in table[1], "fix" in table[2], "1 h after" in table[2]] == [True] * 3


def test_the_way_back_is_offered_of_the_last_rollout_alone() -> None:
    world = everywhere(rollout(0.1, revision=8), rollout(0.2, revision=7))
    found = world.nearest("change recent --at 11:50")
    assert "revision 7" in found.value and found.suggestions == ()


def test_a_change_of_aws_may_lead_and_what_machines_do_all_day_never_does() -> None:
    trail = CloudChangesSeen(
        (cloud("AssignPrivateIpAddresses", 0.01, by="i-1"), cloud("AssignPrivateIpAddresses", 0.02, by="i-1"),
         cloud("AuthorizeSecurityGroupIngress", 2), cloud("TerminateInstances", 5))
    )  # fmt: skip
    world = World({"": ChangesSeen((rollout(9),))}, trail)
    assert world.nearest().value == "AWS ec2: AuthorizeSecurityGroupIngress i-0abc by alice, 2 h ago"
    table = world.sections()["infra"].table
    assert "AssignPrivateIpAddresses × 2 by i-1" in table[-1] and len(table) == 4
    assert finding(world.sections()["infra"], "EM-2.5").value == "4 changes since 2026-11-22 12:00 UTC"
    assert World(trail=CloudChangesSeen(trail.changes[:2])).nearest().value.startswith("nothing since")


def test_a_node_that_went_may_lead() -> None:
    gone = ChangeSeen("Node", "", "ip-10-0-1-7", "removed", ago(0.1))
    assert everywhere(gone, rollout(3)).nearest().value == "Node ip-10-0-1-7: removed, 6 min ago"


TIMES = st.lists(st.tuples(st.integers(-100, 2000), st.booleans(), st.booleans()), max_size=12)


@given(TIMES)
def test_the_order_keeps_everything_and_suspects_come_first(found: list[tuple[int, bool, bool]]) -> None:
    changes = [
        Happened(NOW - timedelta(minutes=minutes), f"x{n}", "y", own=own, is_routine=routine)
        for n, (minutes, own, routine) in enumerate(found)
    ]
    ordered = nearest_first(changes, NOW)
    assert sorted(each.subject for each in ordered) == sorted(each.subject for each in changes)
    flags = [each.is_suspect(NOW) for each in ordered]
    assert flags == sorted(flags, reverse=True)
    rest = [each for each in ordered if not each.is_suspect(NOW) and not each.is_routine and each.at <= NOW]
    assert rest == sorted(rest, key=lambda each: NOW - each.at)


# --- Where ----------------------------------------------------------------------------------------


def places(line: str, site: ClusterSite = SITE) -> set[str]:
    world = World()
    world.sections(line, site)
    return {read.namespace for read in world.asked if isinstance(read, Changes)}


def test_rollouts_are_of_everywhere_and_settings_of_the_services() -> None:
    assert places("change recent") == {"", "sre-shop"}
    assert places("change recent --config") == {"sre-shop"}
    assert places("change recent backend") == {"", "sre-shop"}
    assert places("change recent cart -n other") == {"", "other"}
    assert places("change recent -n small") == {"small"}
    assert places("change recent -n all") == {"", "sre-shop"}
    few = ClusterSite(namespaces=Namespaces(watch=("a", "b")))
    assert places("change recent", few) == {"a", "b", "sre-shop"}


def test_what_two_questions_tell_of_is_told_once() -> None:
    world = World({"": ChangesSeen((rollout(1),)), "sre-shop": ChangesSeen((rollout(1),))})
    assert len(world.sections("change recent backend")["rollouts"].table) == 2


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("change recent", ["nearest", "rollouts", "config", "infra"]),
        ("change recent --infra", ["nearest", "infra"]),
        ("change recent --config", ["nearest", "config"]),
        ("change recent --infra --config", ["nearest", "config", "infra"]),
        ("cr recent --since 2h backend", ["nearest", "rollouts", "config", "infra"]),
    ],
)
def test_the_flags_choose_what_is_looked_at(line: str, keys: list[str]) -> None:
    assert list(World().sections(line)) == keys


def test_outside_of_eks_aws_is_not_asked() -> None:
    elsewhere = ClusterSite(eks=False)
    assert "infra" not in World().sections("change recent", elsewhere)
    with pytest.raises(UsageError, match="`--infra` is about AWS, and sre-training-cluster is not on EKS"):
        World().sections("change recent --infra", elsewhere)


# --- Settings -------------------------------------------------------------------------------------


def test_of_a_secret_and_a_config_map_who_and_when_are_told_and_nothing_else() -> None:
    world = World(
        {"sre-shop": ChangesSeen((written("ConfigMap", 1), written("Secret", 2, "db"), rollout(3)))}
    )
    found = world.sections("change recent --config")["config"]
    assert [line.split()[-5:] for line in found.table[1:]] == [
        ["ConfigMap", "sre-shop/settings", "written", "by", "kubectl-edit"],
        ["Secret", "sre-shop/db", "written", "by", "kubectl-edit"],
    ]
    assert "this version keeps no backup of ConfigMaps to compare with" in found.note
    assert world.nearest("change recent").value.startswith("ConfigMap sre-shop/settings: written")


def test_secrets_that_may_not_be_listed_are_said_to_be_so_and_hide_nothing_else() -> None:
    why = Gap("kubernetes: secrets is forbidden", "bind sre-bot-secrets")
    world = World({"sre-shop": ChangesSeen((written("ConfigMap", 1),), secrets=why)})
    found = world.sections("change recent")
    assert [(each.label, each.light) for each in found["config"].findings] == [("Changes", G), ("Secrets", U)]
    assert found["config"].findings[1].mend == "bind sre-bot-secrets"
    assert found["rollouts"].light is G
    assert found["nearest"].light is G
    assert "not looked at: kubernetes: secrets is forbidden" in found["nearest"].findings[0].evidence


# --- What was not read ----------------------------------------------------------------------------

DARK = Gap("kubernetes: no answer", "check the way to the API server", silent=True)


def test_nothing_is_called_quiet_that_was_not_read() -> None:
    world = World({"": DARK, "sre-shop": DARK}, DARK, DARK)
    found = world.sections()
    assert {section.light for section in found.values()} == {U}
    assert found["nearest"].findings[0].mend == "check the way to the API server"
    assert found["rollouts"].table == ()


def test_a_part_that_was_not_read_leaves_the_rest_standing_and_itself_unknown() -> None:
    world = World({"": ChangesSeen((rollout(3),))}, Gap("cloudtrail: access denied"))
    found = world.sections()
    assert (found["rollouts"].light, found["infra"].light, found["nearest"].light) == (G, U, U)
    assert found["nearest"].findings[0].value.startswith("Deployment sre-shop/backend")
    partly = World(trail=CloudChangesSeen((), (Gap("read only back to 11:02 UTC"),))).sections()["infra"]
    assert [(each.light, each.value) for each in partly.findings] == [
        (U, "none since 2026-11-22 12:00 UTC, as far as was looked"),
        (U, "unknown: read only back to 11:02 UTC"),
    ]


def test_nothing_changed_where_all_was_read_is_green() -> None:
    assert {section.light for section in World().sections().values()} == {G}
    assert World().nearest().value == "nothing since 2026-11-22 12:00 UTC"


def test_a_long_list_goes_into_a_file() -> None:
    world = everywhere(*(rollout(n / 10, f"w{n}") for n in range(1, 40)))
    found = world.sections()["rollouts"]
    assert len(found.table) == 14 and "changes-rollouts.txt" in found.table[-1]
    assert found.attachments[0].content.count("\n") == 40


def test_an_answer_about_a_service_leads_on() -> None:
    found = World().nearest("change recent backend")
    assert found.suggestions == ()
    offered = everywhere(rollout(3)).nearest("change recent backend").suggestions
    assert [each.text for each in offered] == [
        "deploy history sre-shop/backend",
        "debug layers sre-shop/backend",
    ]
    assert CATALOG.offered(offered) == offered
