"""The channels that the configuration names: are they there, alive, the house's own, and is the bot in them?"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.doctor.check import BROKEN, GOOD, OPEN, WARNING, Check, words
from bot.doctor.slack import NO_ANSWER, add_scope, web_client
from bot.settings import Settings
from commands.site import Site

_KEYS = ("daily", "alerts", "incidents", "changes", "security", "support")


def probe(settings: Settings, patience: float) -> Iterator[Check]:
    if settings.slack_bot_token:
        slack = web_client(settings, settings.slack_bot_token.reveal(), patience)
        yield from channels(slack, settings.site)


def configured(site: Site) -> dict[str, list[str]]:
    """Every channel the configuration names, with the keys that name it."""
    found: dict[str, list[str]] = {}
    for key in _KEYS:
        found.setdefault(getattr(site.channels, key), []).append(f"channels.{key}")
    for channel in site.channels.stakeholders:
        found.setdefault(channel, []).append("channels.stakeholders")
    for name, cluster in site.clusters.items():
        for channel in cluster.channels:
            found.setdefault(channel, []).append(f"clusters.{name}.channels")
        for key, channel in _of_alerts(cluster.alerts):
            if channel not in _KEYS:  # else it stands above already
                found.setdefault(channel, []).append(key)
    found.pop("", None)
    return {channel: list(dict.fromkeys(keys)) for channel, keys in found.items()}


def _of_alerts(alerts: Any) -> Iterator[tuple[str, str]]:
    yield "alerts.watchdog.channel", alerts.watchdog.channel
    for number, route in enumerate(alerts.routes):
        yield f"alerts.routes.[{number}].channel", route.channel


def unset(site: Site) -> Iterator[tuple[str, str]]:
    """Keys of alerts that point to a key of `channels` where no channel stands."""
    for cluster in site.clusters.values():
        for key, channel in _of_alerts(cluster.alerts):
            if channel in _KEYS and not getattr(site.channels, channel):
                yield key, channel


def channels(slack: WebClient, site: Site) -> Iterator[Check]:
    wanted = configured(site)
    try:
        known = _listed(slack.users_conversations, wanted)
        if set(wanted) - set(known):  # the whole workspace only when something is not among the bot's own
            known = _listed(slack.conversations_list, wanted) | known
    except NO_ANSWER as error:
        yield _unread(error)
        return
    for channel, keys in wanted.items():
        yield _channel(channel, " and ".join(f"`{key}`" for key in keys), known.get(channel))


def _unread(error: Exception) -> Check:
    about = "Slack channels"
    if isinstance(error, SlackApiError):
        reason = str(error.response.get("error"))
        if reason == "missing_scope":
            scope = error.response.get("needed") or "channels:read,groups:read"
            return Check(about, OPEN, "may not be looked up", add_scope(scope))
        return Check(about, OPEN, f"could not be looked up: Slack says {reason}")
    return Check(about, OPEN, f"could not be looked up: {words(error)}")


def _listed(method: Callable[..., Any], wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The wanted channels that a listing has, by "#name" and by id; ends as soon as it has them all."""
    found: dict[str, dict[str, Any]] = {}
    cursor, left = "", set(wanted)
    is_own = method.__name__ == "users_conversations"
    while left:
        page = method(
            types="public_channel,private_channel", limit=1000, cursor=cursor, exclude_archived=False
        )
        for channel in page["channels"]:
            for key in (f"#{channel['name']}", channel["id"]):
                if key in left:
                    found[key] = {**channel, "is_member": is_own or channel.get("is_member", False)}
                    left.discard(key)
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return found


def _channel(channel: str, keys: str, found: Mapping[str, Any] | None) -> Check:
    about = f"Slack channels {channel}"
    if found is None:
        mend = f"create it (a private one: /invite the bot there), or change {keys}"
        return Check(about, BROKEN, f"does not exist, or is private without the bot ({keys})", mend)
    if found.get("is_archived"):
        return Check(about, BROKEN, f"is archived ({keys})", f"unarchive it, or change {keys}")
    if not found["is_member"]:
        return Check(about, BROKEN, f"the bot is not in it ({keys})", f"type `/invite @sre-bot` in {channel}")
    if found.get("is_ext_shared") or found.get("is_pending_ext_shared"):
        mend = f"change {keys} to a channel of your own, or end the sharing"
        return Check(about, WARNING, f"people of other companies read it ({keys})", mend)
    return Check(about, GOOD, f"the bot is in it ({keys})")
