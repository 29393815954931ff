"""The Slack app's manifest, generated: `python -m bot.manifest` prints it (slack-manifest.yaml is its copy).

Without a flag, or with --socket-mode, for Socket Mode; with --url for HTTP at that address. The scopes are
those the doctor looks for, the events those bot/slack.py listens to; the drift tests hold all of it together.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from bot.scopes import NEEDED_SCOPES

COMMAND = "/sre"

# What Slack is asked to tell us, with the scope that each takes.
EVENTS: Mapping[str, str] = {
    "app_mention": "app_mentions:read",
    "message.im": "im:history",
    "app_home_opened": "",  # takes no scope
    # What happens in the channel of an incident. Edits and deletions are messages, too; what a channel is
    # called and whether it lives is told by one event for public channels and by another for private ones.
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "pin_added": "pins:read",
    "pin_removed": "pins:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "channel_rename": "channels:read",
    "group_rename": "groups:read",
    "channel_archive": "channels:read",
    "group_archive": "groups:read",
    "file_shared": "files:read",
}

_PATH = "/slack/events"  # one address for commands, buttons and events (bot/web.py)


def manifest(address: str = "") -> dict[str, Any]:
    """The manifest as data: for HTTP at the address, for Socket Mode without one."""
    url = address.rstrip("/") + _PATH
    command = {
        "command": COMMAND,
        "description": "Ask about and operate the platform",
        "usage_hint": "help",
        # Names arrive as ids, <@U…|name> and <#C…|name>: only an id names somebody for sure.
        "should_escape": True,
    }
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    if address:
        command["url"] = events["request_url"] = interactivity["request_url"] = url
    return {
        "_metadata": {"major_version": 1},
        "display_information": {
            "name": "SRE Bot",
            "description": "Health, incidents and operations of Kubernetes, from Slack",
            "background_color": "#1f2a44",
        },
        "features": {
            "bot_user": {"display_name": "sre-bot", "always_online": True},
            # The messages tab is where direct messages to the bot are typed; read-only shuts it.
            "app_home": {
                "home_tab_enabled": "app_home_opened" in EVENTS,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": sorted(NEEDED_SCOPES)}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not address,
            "token_rotation_enabled": False,  # the bot takes tokens that do not expire (bot/settings.py)
        },
    }


def text(address: str = "") -> str:
    """The manifest as YAML, to paste into Slack."""
    dumped: str = yaml.safe_dump(manifest(address), sort_keys=False, allow_unicode=True, width=100)
    return f"# Made by `python -m bot.manifest`; paste it at api.slack.com/apps, Create New App, From a manifest.\n{dumped}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bot.manifest", description="Print the Slack app's manifest."
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--socket-mode", action="store_true", help="for Socket Mode; also without a flag")
    way.add_argument("--url", default="", metavar="https://…", help="for HTTP, at the bot's public address")
    given = parser.parse_args(arguments)
    if given.url and not _is_address(given.url):
        parser.error("--url must be an address such as https://sre-bot.example.com")
    print(text(given.url), end="")
    return 0


def _is_address(url: str) -> bool:
    """Slack sends to HTTPS only."""
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
