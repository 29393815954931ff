"""The people and user groups that the configuration names: does Slack know them, and may they decide anything?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.access import Kind, kind_of
from bot.doctor.check import BROKEN, GOOD, OPEN, WARNING, Check, side_by_side, words
from bot.doctor.slack import NO_ANSWER, add_scope, web_client
from bot.settings import Settings
from commands.site import ROLES, Site

# So many are looked at: Slack allows a hundred such questions a minute, and the bot asks some itself.
MOST = 40

_UNKNOWN = ("user_not_found", "users_not_found", "user_not_visible", "no_such_subteam")
_IS: Mapping[Kind, str] = {
    Kind.BOT: "is a bot, which may decide nothing",
    Kind.GUEST: "is a guest, who may decide nothing",
    Kind.DEACTIVATED: "is deactivated",
    Kind.EXTERNAL: "is of another workspace and may decide nothing",
}


def probe(settings: Settings, patience: float) -> Iterator[Check]:
    named = configured(settings.site)
    if not settings.slack_bot_token or not named:
        return
    slack = web_client(settings, settings.slack_bot_token.reveal(), patience)
    try:
        look = _Look(slack, str(slack.auth_test()["team_id"]))
    except NO_ANSWER:
        return  # bot/doctor/slack.py says why
    ids = list(named)[:MOST]
    answers = side_by_side(lambda id: look.at(id, " and ".join(named[id])), ids, 8)
    found = list(dict.fromkeys(check for check in answers if check))
    yield from found
    if not found:
        more = f"; the other {len(named) - MOST} were not looked at" if len(named) > MOST else ""
        yield Check("Slack people", GOOD, f"Slack knows the {len(ids)} that the configuration names{more}")


def configured(site: Site) -> dict[str, list[str]]:
    """Every id of a person or user group, with the keys that name it."""
    found: dict[str, list[str]] = {}
    for role in ROLES:
        for id in site.role_members(role):
            found.setdefault(id, []).append(f"`roles.{role}`")
    for number, rule in enumerate(site.access):
        for role in rule.roles:
            if role not in ROLES:
                found.setdefault(role, []).append(f"`access.[{number}]`")
    for person, ids in site.team.people.items():
        for id in ids:
            found.setdefault(id, []).append(f"`team.people.{person}`")
    return found


class _Look:
    """home: the bot's own workspace."""

    def __init__(self, slack: Any, home: str) -> None:
        self._slack = slack
        self._home = home

    def at(self, id: str, keys: str) -> Check | None:
        """What is wrong with this one; None where nothing is."""
        ask: Callable[[str, str], Check | None] = self._group if id.startswith("S") else self._person
        about = f"Slack people {id}"
        try:
            return ask(id, keys)
        except SlackApiError as error:
            reason = str(error.response.get("error"))
            if reason == "missing_scope":
                scope = str(error.response.get("needed") or "users:read")
                return Check("Slack people", OPEN, f"may not be looked up without {scope}", add_scope(scope))
            if reason in _UNKNOWN:
                mend = f"correct the id in {keys}: Slack shows it under ⋮ as Copy member ID, or Copy group ID"
                return Check(about, BROKEN, f"Slack knows no {id} ({keys})", mend)
            return Check(about, OPEN, f"could not be looked up: Slack says {reason}")
        except NO_ANSWER as error:
            return Check(about, OPEN, f"could not be looked up: {words(error)}")

    def _group(self, id: str, keys: str) -> Check | None:
        if self._slack.usergroups_users_list(usergroup=id)["users"]:
            return None
        mend = f"add somebody to the user group, or change {keys}"
        return Check(f"Slack people {id}", BROKEN, f"nobody is in the user group ({keys})", mend)

    def _person(self, id: str, keys: str) -> Check | None:
        profile = self._slack.users_info(user=id)["user"]
        kind = kind_of(profile, self._home)
        if kind is Kind.MEMBER:
            return None
        name = profile.get("real_name") or profile.get("name") or id
        found = f"{name} {_IS[kind]} ({keys})"
        return Check(f"Slack people {id}", WARNING, found, f"take {id} out of {keys}")
