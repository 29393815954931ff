"""Who is who in the workspace: the bot's own team, user-group members, roles, guests and bots. Facts come
from Slack and are kept in the store for every process. All is looked up without a call to Slack but
what somebody is (`kind_of`, `may_act`), which may take one of about two seconds.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.client import HTTPException
from threading import Event
from typing import Any

from slack_sdk.errors import SlackClientError

from bot import access
from bot.access import Decision, Holder, Kind
from bot.state import State
from bot.turns import in_turns
from commands.errors import Unreachable
from commands.model import Actor
from commands.site import ROLES, Site

log = logging.getLogger(__name__)

# Slack is asked again after REFRESH; the workspace's own facts survive Slack being away for _KEEP.
REFRESH = timedelta(minutes=5)
_ASK = timedelta(seconds=5)  # until then, and where it gave no answer
_KEEP = timedelta(days=7)

# Who is in a group is not known any more when Slack has not told it for two refreshes: somebody may have left.
_GROUP_KEEP = 2 * REFRESH + timedelta(seconds=30)

_CACHE = 60.0  # seconds a process trusts what it read from the store: an acknowledgement has no time to ask

# What somebody is may have changed after this; with _CACHE it makes five minutes.
_KIND_KEEP = timedelta(minutes=4)


class People:
    """slack: a WebClient that gives up within two seconds. Without one nobody is known to be a member."""

    def __init__(self, state: State, site: Site, slack: Any = None) -> None:
        self._state = state
        self._site = site
        self._slack = slack
        self._cache: dict[str, tuple[float, str]] = {}

    def home_team(self) -> str:
        """The bot's own workspace id, "" until Slack told it once."""
        return self._recall("team")

    def bot_user(self) -> str:
        """The bot's own user id, "" until Slack told it once."""
        return self._recall("bot-user")

    def holder(self, user: str) -> Holder:
        """The roles this user holds by name, by rota or through a user group: keys of `roles` in the order of
        the file, and after them the ids that `access` names."""
        answers = {role: self._holds(user, self._site.role_members(role)) for role in self._named_roles()}
        held = tuple(role for role, answer in answers.items() if answer)
        return Holder(user, held, tuple(role for role, answer in answers.items() if answer is None))

    def kind_of(self, user: str) -> Kind:
        """Whether this is a member, a guest, a bot…; raises Unreachable when that cannot be said."""
        known = self._recall(f"kind-of-{user}")
        if known:
            return Kind(known)
        try:
            profile = self._slack.users_info(user=user)["user"] if self._slack else None
        except (SlackClientError, HTTPException, OSError) as error:
            raise Unreachable(f"Slack did not tell who this is ({type(error).__name__})") from error
        if profile is None:
            raise Unreachable("Slack was not asked who this is")
        kind = access.kind_of(profile, self.home_team())
        self._remember(f"kind-of-{user}", kind, _KIND_KEEP)
        self._remember(f"called-{user}", str(profile.get("real_name") or ""))
        return kind

    def may_act(self, actor: Actor) -> Decision:
        """Whether this is somebody who may have a part in a change at all; what cannot be said is a no."""
        entered = access.may_enter(actor, self.home_team())
        if not entered.ok:
            return entered
        try:
            return access.may_act(self.kind_of(actor.user))
        except Unreachable as error:
            return access.no(f"{error.reason}. Please try again in a minute.")

    def called(self, user: str) -> str:
        """What people call this user, as far as it is known here; the id otherwise."""
        return self._recall(f"called-{user}") or user

    def channel_name(self, channel: str) -> str:
        """ "#name" of a channel that a cluster is assigned to by name; any other channel as it is given."""
        return (self._recall(f"name-of-{channel}") if self._assigned() else "") or channel

    def keep_fresh(self, slack: Any, stop: Event, ask: timedelta = _ASK) -> None:
        """Refresh now and then until told to stop; until Slack told it once, ask every few seconds."""
        again_at = 0.0

        def refresh() -> None:
            nonlocal again_at
            if time.monotonic() < again_at:
                return
            try:
                self.refresh(slack)
            except (SlackClientError, HTTPException, OSError) as error:
                log.warning("Slack has not told who is who: %s", error)
            else:
                again_at = time.monotonic() + REFRESH.total_seconds()

        in_turns(stop, ask, refresh, at_once=True)

    def refresh(self, slack: Any) -> None:
        """Ask Slack (a WebClient) for what the configuration names: the members of groups, the ids of
        channels that clusters are assigned to, and the bot's own team.

        Raises slack_sdk's errors when auth.test gets no answer; a group that cannot be read keeps its
        last known members for a while.
        """
        me = slack.auth_test()
        self._remember("team", me["team_id"])
        self._remember("bot-user", me["user_id"])
        self._remember("workspace-url", me["url"])
        groups = {m for role in self._named_roles() for m in self._site.role_members(role) if m[0] == "S"}
        for group in sorted(groups):
            try:
                answer = slack.usergroups_users_list(usergroup=group)
            except SlackClientError:
                continue
            self._remember(f"group-{group}", f",{','.join(answer['users'])},", _GROUP_KEEP)
        if self._assigned():
            self._refresh_channels(slack)
        self._learn_names()

    def _learn_names(self) -> None:
        """What those are called who take turns on call: their hours are told, also where they never typed anything."""
        for user in self._site.roles.oncall.rota:
            if user.startswith(("U", "W")) and not self._recall(f"called-{user}"):
                with suppress(Unreachable):  # one whom Slack does not know hides no other
                    self.kind_of(user)

    def _named_roles(self) -> Iterator[str]:
        """Every role there is, and every id that a rule names in place of one."""
        yield from dict.fromkeys((*ROLES, *(role for rule in self._site.access for role in rule.roles)))

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

    def _holds(self, user: str, members: tuple[str, ...]) -> bool | None:
        """None: a group is among the members, and nobody knows who is in it."""
        if user in members:
            return True
        groups = [self._recall(f"group-{member}") for member in members if member.startswith("S")]
        if any(f",{user}," in group for group in groups):
            return True
        return False if all(groups) else None

    def _remember(self, name: str, value: str, keep: timedelta = _KEEP) -> None:
        self._state.remember(name, value, keep)
        self._cache[name] = (time.monotonic(), value)

    def _recall(self, name: str) -> str:
        at, value = self._cache.get(name, (0.0, ""))
        if not value or time.monotonic() - at > _CACHE:
            value = self._state.recall(name)
            self._cache[name] = (time.monotonic(), value)
        return value
