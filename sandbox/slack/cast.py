"""Who is in the workspace when it opens: the default cast, its groups and channels.

Tests and the sandbox page name these people by `name`; the ids only have Slack's form. Anyone who needs
other people passes another `Cast`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.slack.workspace import Clock, User, Usergroup, Workspace

TEAM_ID = "T0EMULATED1"
OTHER_TEAM_ID = "T0STRANGER1"
APP_ID = "A0SREBOT001"
BOT_USER_ID = "U0SREBOT001"
BOT_ID = "B0SREBOT001"


@dataclass(frozen=True)
class Room:
    name: str
    id: str
    members: Sequence[str] = ()  # user names
    purpose: str = ""
    is_private: bool = False
    is_general: bool = False
    is_ext_shared: bool = False


@dataclass(frozen=True)
class Cast:
    users: Sequence[User]
    usergroups: Sequence[Usergroup]
    rooms: Sequence[Room]
    team_id: str = TEAM_ID
    team_name: str = "Emulated SRE"
    domain: str = "emulated-sre"
    app_id: str = APP_ID
    bot_user_id: str = BOT_USER_ID


def _person(id: str, name: str, real_name: str, *, guest: bool = False, gone: bool = False) -> User:
    email = f"{name}@example.com"
    return User(id, name, real_name, email, TEAM_ID, is_restricted=guest, deleted=gone)


ALICE = _person("U0ALICE0001", "alice", "Alice Requester")
BOB = _person("U0BOB000001", "bob", "Bob Approver")
CAROL = _person("U0CAROL0001", "carol", "Carol Outsider")
DAVE = _person("U0DAVE00001", "dave", "Dave Guest", guest=True)
EVE = _person("U0EVE000001", "eve", "Eve Deactivated", gone=True)
STRANGER = User(
    "U0STRANGER1", "mallory", "Mallory Stranger", "mallory@example.org", OTHER_TEAM_ID, is_stranger=True
)
SRE_BOT = User(BOT_USER_ID, "sre_bot", "SRE Bot", "", TEAM_ID, is_bot=True, bot_id=BOT_ID)

_TEAM = ("alice", "bob", "carol", "sre_bot")


def default_cast() -> Cast:
    """Fresh objects each time: one stand-in must not see what another one changed."""
    people = (ALICE, BOB, CAROL, DAVE, EVE, STRANGER, SRE_BOT)
    return Cast(
        users=[User(**vars(person)) for person in people],
        usergroups=[
            Usergroup("S0SREONCALL", "sre-oncall", "SRE on call", [ALICE.id]),
            Usergroup("S0APPROVERS", "sre-approvers", "SRE approvers", [BOB.id]),
            Usergroup("S0SRETEAM01", "sre", "SRE team", [ALICE.id, BOB.id]),
        ],
        rooms=[
            Room("general", "C0GENERAL01", (*_TEAM[:3], "dave"), "Everybody", is_general=True),
            Room("general-status", "C0GENSTATUS", _TEAM, "What works and what does not"),
            Room("sre-daily", "C0SREDAILY1", (*_TEAM, "dave"), "Day to day operations"),
            Room("sre-alerts", "C0SREALERTS", _TEAM, "Alertmanager"),
            Room("incidents", "C0INCIDENTS", (*_TEAM, "mallory"), "Incidents", is_ext_shared=True),
            Room("changes", "C0CHANGES01", _TEAM, "Approvals and changes"),
            Room("sre-security", "C0SECURITY1", ("alice", "bob", "sre_bot"), "Private", is_private=True),
        ],
    )


def settle(cast: Cast, clock: Clock) -> Workspace:
    """A workspace with this cast moved in."""
    workspace = Workspace(
        team_id=cast.team_id,
        name=cast.team_name,
        domain=cast.domain,
        app_id=cast.app_id,
        bot_user_id=cast.bot_user_id,
        clock=clock,
    )
    workspace.users = {user.id: user for user in cast.users}
    workspace.usergroups = {group.id: group for group in cast.usergroups}
    by_name = {user.name: user.id for user in cast.users}
    for room in cast.rooms:
        members = [by_name[name] for name in room.members]
        channel = workspace.create_channel(
            room.name,
            creator=next((m for m in members if m != cast.bot_user_id), cast.bot_user_id),
            kind="private" if room.is_private else "public",
            members=members,
            id=room.id,
        )
        channel.purpose = room.purpose
        channel.is_general = room.is_general
        channel.is_ext_shared = room.is_ext_shared
    return workspace
