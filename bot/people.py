"""Who is who in the workspace: the bot's own team, user-group members, roles. Facts come from Slack,
are kept in the store for every process, and are looked up without a call to Slack.
"""

import time
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackClientError

from bot.state import State
from commands.site import ROLES, Site

# Slack is asked again after REFRESH; a fact survives Slack being away for KEEP.
REFRESH = timedelta(minutes=5)
_KEEP = timedelta(days=7)
_CACHE = 60.0  # seconds a process trusts what it read from the store: an acknowledgement has no time to ask


class People:
    def __init__(self, state: State, site: Site) -> None:
        self._state = state
        self._site = site
        self._cache: dict[str, tuple[float, str]] = {}

    def home_team(self) -> str:
        """The bot's own workspace id, "" until Slack told it once."""
        return self._recall("team")

    def bot_user(self) -> str:
        """The bot's own user id, "" until Slack told it once."""
        return self._recall("bot-user")

    def roles_of(self, user: str) -> tuple[str, ...]:
        """The roles this user holds by name, by rota or through a user group, in the order of the file."""
        return tuple(role for role in ROLES if self._holds(user, self._site.role_members(role)))

    def channel_name(self, channel: str) -> str:
        """ "#name" of a channel that a cluster is assigned to by name; any other channel as it is given."""
        return (self._recall(f"name-of-{channel}") if self._assigned() else "") or channel

    def refresh(self, slack: Any) -> None:
        """Ask Slack (a WebClient) for what the configuration names: the members of groups, the ids of
        channels that clusters are assigned to, and the bot's own team.

        Raises slack_sdk's errors when auth.test gets no answer; a group that cannot be read keeps its
        last known members.
        """
        me = slack.auth_test()
        self._remember("team", me["team_id"])
        self._remember("bot-user", me["user_id"])
        groups = {m for role in ROLES for m in self._site.role_members(role) if m.startswith("S")}
        for group in sorted(groups):
            try:
                answer = slack.usergroups_users_list(usergroup=group)
            except SlackClientError:
                continue
            self._remember(f"group-{group}", ",".join(answer["users"]))
        if self._assigned():
            self._refresh_channels(slack)

    def _assigned(self) -> set[str]:
        """The channels that choose a cluster, without their "#"."""
        return {
            name.removeprefix("#") for cluster in self._site.clusters.values() for name in cluster.channels
        }

    def _refresh_channels(self, slack: Any) -> None:
        """People type in a channel by its id; the file names it as people do."""
        pages = slack.conversations_list(
            types="public_channel,private_channel", exclude_archived=True, limit=999
        )
        for page in pages:
            for channel in page["channels"]:
                if channel["name"] in self._assigned():
                    self._remember(f"name-of-{channel['id']}", f"#{channel['name']}")

    def _holds(self, user: str, members: tuple[str, ...]) -> bool:
        if user in members:
            return True
        return any(user in self._recall(f"group-{m}").split(",") for m in members if m.startswith("S"))

    def _remember(self, name: str, value: str) -> None:
        self._state.remember(name, value, _KEEP)
        self._cache[name] = (time.monotonic(), value)

    def _recall(self, name: str) -> str:
        at, value = self._cache.get(name, (0.0, ""))
        if not value or time.monotonic() - at > _CACHE:
            value = self._state.recall(name)
            self._cache[name] = (time.monotonic(), value)
        return value
