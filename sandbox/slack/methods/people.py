"""Who is who: auth.test, api.test, users.*, usergroups.*, team.info and apps.connections.open."""

from __future__ import annotations

from sandbox.slack import shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import SPECIAL, TIER_2, TIER_3, TIER_4
from sandbox.slack.workspace import Json, SlackError


def auth_test(call: Call) -> Json:
    workspace = call.workspace
    return {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.name,
        "user": workspace.bot.name,
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user_id,
        "bot_id": workspace.bot.bot_id,
        "is_enterprise_install": False,
    }


def api_test(call: Call) -> Json:
    args = {name: value for name, value in call.args.items() if name != "token"}
    if call.has("error"):
        raise SlackError(call.text("error"), args=args)
    return {"args": args} if args else {}


def open_connection(call: Call) -> Json:
    return {"url": call.open_socket()}


def team_info(call: Call) -> Json:
    workspace = call.workspace
    return {
        "team": {
            "id": workspace.team_id,
            "name": workspace.name,
            "url": f"https://{workspace.domain}.slack.com/",
            "domain": workspace.domain,
            "email_domain": "",
            "icon": {"image_default": True},
            "avatar_base_url": "https://ca.slack-edge.com/",
            "is_verified": False,
        }
    }


def _sees_email(call: Call) -> bool:
    return "users:read.email" in call.granted


def user_info(call: Call) -> Json:
    person = call.workspace.users.get(call.text("user"))
    if person is None:
        raise SlackError("user_not_found")
    described = shapes.user(call.workspace, person, with_email=_sees_email(call))
    if call.flag("include_locale"):
        described["locale"] = "en-GB"
    return {"user": described}


def list_users(call: Call) -> Json:
    own = [person for person in call.workspace.users.values() if not person.is_stranger]
    page, cursor = call.page(own, limit=1000, default=1000)
    members = [shapes.user(call.workspace, person, with_email=_sees_email(call)) for person in page]
    return {
        "members": members,
        "cache_ts": call.workspace.seconds(),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(call: Call) -> Json:
    for person in call.workspace.users.values():
        if person.email and person.email == call.text("email") and not (person.is_stranger or person.deleted):
            return {"user": shapes.user(call.workspace, person, with_email=True)}
    raise SlackError("users_not_found")


def list_usergroups(call: Call) -> Json:
    described = [
        shapes.usergroup(
            call.workspace,
            group,
            include_users=call.flag("include_users"),
            include_count=call.flag("include_count"),
        )
        for group in call.workspace.usergroups.values()
    ]
    return {"usergroups": described}


def list_usergroup_users(call: Call) -> Json:
    group = call.workspace.usergroups.get(call.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


_USERS, _EMAIL, _GROUPS = ("users:read",), ("users:read.email",), ("usergroups:read",)

METHODS: Methods = {
    "auth.test": Method(auth_test, SPECIAL),
    "api.test": Method(api_test, TIER_4, token="none"),
    # slack-api-ref says Tier 3, java-slack-sdk's metadata Tier 1. Tier 1 would stop a reconnecting client
    # for minutes, which nobody reports; so Tier 3.
    "apps.connections.open": Method(open_connection, TIER_3, token="app"),
    "team.info": Method(team_info, TIER_3, ("team:read",)),
    "users.info": Method(user_info, TIER_4, _USERS, ("user",), takes_json=False),
    "users.list": Method(list_users, TIER_2, _USERS, takes_json=False),
    "users.lookupByEmail": Method(lookup_by_email, TIER_3, _EMAIL, ("email",), takes_json=False),
    "usergroups.list": Method(list_usergroups, TIER_2, _GROUPS, takes_json=False),
    "usergroups.users.list": Method(list_usergroup_users, TIER_2, _GROUPS, ("usergroup",), takes_json=False),
}
