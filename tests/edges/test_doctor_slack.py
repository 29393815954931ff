"""The doctor and Slack: tokens, scopes, channels, people, clock. Against the stand-in, and servers that say one thing."""

import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from doctor_house import House, house
from rude_server import RudeServer, page

from bot.doctor import BROKEN, GOOD, OPEN, WARNING, Check
from bot.people import REFRESH
from bot.scopes import NEEDED_SCOPES
from bot.secret import Secret
from bot.settings import UNSET
from bot.sitefile import parse
from bot.state import State
from sandbox.slack import SlackStandIn

__all__ = ["house"]  # a fixture


def says(**answers: Any) -> RudeServer:
    """A Slack that answers these methods so ("auth_test"), and every other one as unknown."""

    def answer(asked: Any) -> bytes:
        method = asked.target.rpartition("/")[2].partition("?")[0].replace(".", "_")
        found = answers.get(method, {"ok": False, "error": "unknown_method"})
        return found if isinstance(found, bytes) else page(200, found)

    return RudeServer(answer)


ME = {
    "ok": True,
    "user": "sre_bot",
    "team": "Acme",
    "team_id": "T0ACME",
    "bot_id": "B1",
    "user_id": "U1",
    "url": "-",
}


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("invalid_auth", "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"),
        ("token_revoked", "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"),
        ("account_inactive", "reinstall the app and set SLACK_BOT_TOKEN to its new xoxb-… token"),
        ("not_allowed_token_type", "set SLACK_BOT_TOKEN to the xoxb-… token of OAuth & Permissions"),
    ],
)
def test_a_token_that_slack_refuses(house: House, error: str, mend: str) -> None:
    with says(auth_test={"ok": False, "error": error}) as slack:
        found = house.of("Slack", replace(house.settings, slack_api_url=f"{slack.url}/"))
    assert found[0] == Check("Slack token", BROKEN, f"Slack says {error}", mend)


def test_a_token_of_another_workspace_than_the_store_was_used_in(house: House, state: State) -> None:
    state.remember("team", "T0ELSEWHERE", REFRESH)
    found = house.of("Slack token")[0]
    assert (found.state, found.found) == (
        BROKEN,
        "the token is of Emulated SRE (T0EMULATED1), and this Redis was used in T0ELSEWHERE",
    )
    assert "SLACK_BOT_TOKEN" in found.mend and "REDIS_URL" in found.mend


def test_a_token_of_a_person(house: House) -> None:
    with says(auth_test={key: value for key, value in ME.items() if key != "bot_id"}) as slack:
        found = house.of("Slack token", replace(house.settings, slack_api_url=f"{slack.url}/"))
    assert found[0].state == BROKEN and "of a person" in found[0].found
    assert found[0].mend == "set SLACK_BOT_TOKEN to the xoxb-… token of OAuth & Permissions"


def test_two_tokens_of_two_apps(house: House) -> None:
    app_token = Secret("xapp" + "-1-A0ONE-123-abc")
    with says(auth_test=ME, bots_info={"ok": True, "bot": {"app_id": "A0TWO"}}) as slack:
        settings = replace(house.settings, slack_api_url=f"{slack.url}/", slack_app_token=app_token)
        found = house.of("Slack token", settings)[1]
    assert found.found == (
        "SLACK_APP_TOKEN is of app A0ONE, SLACK_BOT_TOKEN of app A0TWO: nothing would be heard"
    )
    assert found.mend == "set SLACK_APP_TOKEN to one of app A0TWO: App-Level Tokens (first page of the app)"


def test_each_missing_scope_is_named_with_its_reason_and_each_superfluous_one(house: House) -> None:
    granted = set(NEEDED_SCOPES) - {"usergroups:read", "metadata.message:read"} | {
        "admin",
        "chat:write.public",
    }
    with SlackStandIn(scopes=granted) as slack:
        found = house.of("Slack scopes", replace(house.settings, slack_api_url=slack.api_url))
    assert [(check.state, check.found) for check in found] == [
        (BROKEN, "usergroups:read is missing: it looks up who is in the user groups of `roles` and `access`"),
        (OPEN, "metadata.message:read is missing: it reads the mark on its own posts when it looks one up"),
        (WARNING, "granted, and used by nothing: admin, chat:write.public"),
    ]
    where = "under OAuth & Permissions, Bot Token Scopes, and reinstall the app"
    assert [check.mend for check in found] == [
        f"add usergroups:read {where}",
        f"add metadata.message:read {where}",
        f"take them off {where}",
    ]


def test_workers_are_told_nothing_that_the_bot_alone_needs(house: House) -> None:
    settings = replace(
        house.settings, slack_bot_token=UNSET, slack_app_token=UNSET, slack_signing_secret=UNSET,
        alertmanager_tokens=(),
    )  # fmt: skip
    found = house.of("configuration", settings)
    assert found[0].found.endswith("; nothing of Slack, as workers have it")
    assert [check for check in found if "webhook" in check.found] == []


def test_what_slack_does_not_tell_is_not_called_good(house: House) -> None:
    (found,) = house.of("Slack events")
    assert found.state == OPEN and "`sre-bot manifest`" in found.mend


@pytest.mark.parametrize(
    ("secret", "lines"), [("0123456789abcdef0123456789abcdef", 0), ("a client secret that is longer", 1)]
)
def test_the_shape_of_the_signing_secret(house: House, secret: str, lines: int) -> None:
    found = house.of("Slack signing", replace(house.settings, slack_signing_secret=Secret(secret)))
    assert len(found) == lines
    assert all(check.state == WARNING and "App Credentials" in check.mend for check in found)


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (
            "invalid_auth",
            "make a new token under App-Level Tokens (first page of the app), turn on Socket Mode",
        ),
        (
            "missing_scope",
            "make a new token with connections:write under App-Level Tokens (first page of the app)",
        ),
        ("not_allowed_token_type", "set SLACK_APP_TOKEN to the xapp-… token"),
        ("socket_mode_not_enabled", "turn Socket Mode on under Settings, Socket Mode"),
    ],
)
def test_an_app_token_that_may_not_connect(house: House, error: str, mend: str) -> None:
    with says(apps_connections_open={"ok": False, "error": error}) as slack:
        (found,) = house.of("Slack Socket Mode", replace(house.settings, slack_api_url=f"{slack.url}/"))
    assert (found.state, found.found) == (BROKEN, f"Slack says {error}")
    assert found.mend.startswith(mend)


def test_a_slack_that_is_not_there(house: House) -> None:
    found = house.of("Slack", replace(house.settings, slack_api_url="http://127.0.0.1:1/"))[0]
    assert (found.state, found.found) == (BROKEN, "Slack: 127.0.0.1:1 refuses the connection")
    assert "SLACK_API_URL" in found.mend and "HTTPS_PROXY" in found.mend


@pytest.mark.parametrize(("behind", "state"), [(0, GOOD), (30, WARNING), (3600, BROKEN)])
def test_a_clock_that_is_not_slacks(house: House, behind: int, state: str) -> None:
    answer = page(200, ME, Date=formatdate(time.time() - behind, usegmt=True), x_oauth_scopes="chat:write")
    with says(auth_test=answer) as slack:
        (found,) = house.of("Slack clock", replace(house.settings, slack_api_url=f"{slack.url}/"))
    assert found.state == state
    assert bool(found.mend) == (state != GOOD)
    assert ("NTP" in found.mend) == bool(behind)


# --- Channels and people --------------------------------------------------------------------------


def test_channels_are_missing_archived_shared_or_without_the_bot(house: House) -> None:
    channels = 'channels: {daily: "#nowhere", alerts: "#general", incidents: "#old", changes: C0CHANGES01}\n'
    routes = "alerts: {routes: [{match: 'team=\"db\"', channel: '#db-alerts'}]}"
    house.slack.workspace.channel("#incidents").name = "old"
    house.slack.workspace.channel("#old").is_archived = True
    found = house.of("Slack channel", house.with_site(channels + routes))
    assert [(check.about, check.state, check.found) for check in found] == [
        (
            "Slack channels #nowhere",
            BROKEN,
            "does not exist, or is private without the bot (`channels.daily`)",
        ),
        ("Slack channels #general", BROKEN, "the bot is not in it (`channels.alerts`)"),
        ("Slack channels #old", BROKEN, "is archived (`channels.incidents`)"),
        ("Slack channels C0CHANGES01", GOOD, "the bot is in it (`channels.changes`)"),
        ("Slack channels #sre-security", GOOD, "the bot is in it (`channels.security`)"),
        ("Slack channels #general-status", GOOD, "the bot is in it (`channels.stakeholders`)"),
        (
            "Slack channels #db-alerts",
            BROKEN,
            "does not exist, or is private without the bot (`alerts.routes.[0].channel`)",
        ),
    ]
    assert found[1].mend == "type `/invite @sre-bot` in #general"


def test_a_channel_shared_with_another_company(house: House) -> None:
    shared = {"id": "C1", "name": "sre-alerts", "is_ext_shared": True}
    answer = {"ok": True, "channels": [shared], "response_metadata": {"next_cursor": ""}}
    with says(users_conversations=answer, conversations_list=answer) as slack:
        found = house.of("Slack channels #sre-alerts", replace(house.settings, slack_api_url=f"{slack.url}/"))
    assert [(check.state, check.found) for check in found] == [
        (WARNING, "people of other companies read it (`channels.alerts`)")
    ]


def test_channels_that_may_not_be_looked_up(house: House) -> None:
    with SlackStandIn(scopes=set(NEEDED_SCOPES) - {"channels:read", "groups:read"}) as slack:
        found = house.of("Slack channels", replace(house.settings, slack_api_url=slack.api_url))
    assert [(check.state, check.found) for check in found] == [(OPEN, "may not be looked up")]
    assert found[0].mend.startswith("add ")


def test_people_and_groups_that_slack_does_not_know_or_that_decide_nothing(house: House) -> None:
    workspace = house.slack.workspace
    gone, guest = workspace.user("eve"), workspace.user("dave")
    workspace.usergroups["S0APPROVERS"].users.clear()
    roles = f"roles: {{oncall: U0NOBODY01, comms: S0NOGROUP1, security: S0APPROVERS, platform: [{gone.id}, {guest.id}]}}"
    found = house.bad("Slack people", replace(house.settings, site=parse(roles)))
    assert [(check.about, check.state, check.found) for check in found] == [
        ("Slack people U0NOBODY01", BROKEN, "Slack knows no U0NOBODY01 (`roles.oncall`)"),
        ("Slack people S0APPROVERS", BROKEN, "nobody is in the user group (`roles.security`)"),
        (f"Slack people {gone.id}", WARNING, f"{gone.name} is deactivated (`roles.platform`)"),
        (
            f"Slack people {guest.id}",
            WARNING,
            f"{guest.real_name} is a guest, who may decide nothing (`roles.platform`)",
        ),
        ("Slack people S0NOGROUP1", BROKEN, "Slack knows no S0NOGROUP1 (`roles.comms`)"),
    ]
    assert "Copy member ID" in found[0].mend
    assert found[1].mend == "add somebody to the user group, or change `roles.security`"
    assert found[2].mend == f"take {gone.id} out of `roles.platform`"


def test_people_that_may_not_be_looked_up_are_one_line(house: House) -> None:
    with SlackStandIn(scopes=set(NEEDED_SCOPES) - {"usergroups:read"}) as slack:
        found = house.bad("Slack people", replace(house.settings, slack_api_url=slack.api_url))
    assert [(check.about, check.state) for check in found] == [("Slack people", OPEN)]
    assert found[0].mend.startswith("add usergroups:read under")
