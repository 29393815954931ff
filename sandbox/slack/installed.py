"""The app as it is installed in the workspace: what slack-manifest.yaml asks for is granted and subscribed, and no more.

So a bot that calls a method or waits for an event that its manifest does not name meets the same refusal, or
the same silence, as in a real workspace. A test that is about something else passes its own scopes or events.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parents[2] / "slack-manifest.yaml"


def _manifest() -> Any:
    """What people paste; where the package alone is installed, what that file is made by."""
    if _FILE.is_file():
        return yaml.safe_load(_FILE.read_text())
    from bot.manifest import manifest

    return manifest()


_MANIFEST = _manifest()

SCOPES: frozenset[str] = frozenset(_MANIFEST["oauth_config"]["scopes"]["bot"])
HOME_TAB: bool = _MANIFEST["features"]["app_home"]["home_tab_enabled"]
EVENTS: frozenset[str] = frozenset(_MANIFEST["settings"]["event_subscriptions"]["bot_events"])
