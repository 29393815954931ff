"""Who may submit what; what is not known is a no."""

from dataclasses import replace

import pytest

from bot import access
from commands.command import Command
from commands.model import SCHEDULER, Actor
from tests import build

ANYONE = Command("health", ("",), "the morning check", ("DH-0.1",), lambda args, site: {})
ON_CALL = replace(ANYONE, role="oncall")


@pytest.mark.parametrize(
    ("why", "actor", "command", "home", "roles", "ok", "says"),
    [
        ("a member may look", build.ALICE, ANYONE, build.TEAM, (), True, ""),
        ("the schedule may do what is scheduled", SCHEDULER, ON_CALL, "", (), True, ""),
        ("a stranger may nothing", Actor("U1", "TOTHER"), ANYONE, build.TEAM, (), False, "Only members"),
        (
            "a payload without team may nothing",
            Actor("U1", ""),
            ANYONE,
            build.TEAM,
            (),
            False,
            "Only members",
        ),
        (
            "nobody may nothing, and is not the schedule",
            Actor("", build.TEAM),
            ANYONE,
            build.TEAM,
            (),
            False,
            "who this is",
        ),
        ("an unknown workspace is a no", build.ALICE, ANYONE, "", (), False, "has not told"),
        (
            "the wrong role is a no that names it",
            build.ALICE,
            ON_CALL,
            build.TEAM,
            ("comms",),
            False,
            "roles.oncall",
        ),
        ("the right role is a yes", build.ALICE, ON_CALL, build.TEAM, ("oncall",), True, ""),
    ],
)
def test_may_submit(
    why: str, actor: Actor, command: Command, home: str, roles: tuple[str, ...], ok: bool, says: str
) -> None:
    decision = access.may_submit(actor, command, home_team=home, roles=roles)
    assert (decision.ok, says in decision.reason) == (ok, True), why
    assert decision.ok or "Nothing was done" in decision.reason
