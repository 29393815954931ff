"""The app as it is installed in the workspace: what slack-manifest.yaml asks for is granted and subscribed, and no more.

So a bot that calls a method or waits for an event that its manifest does not name meets the same refusal, or
the same silence, as in a real workspace. A test that is about something else passes its own scopes or events.
"""

from __future__ import annotations

from pathlib import Path

import yaml

_MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "slack-manifest.yaml").read_text())

SCOPES: frozenset[str] = frozenset(_MANIFEST["oauth_config"]["scopes"]["bot"])
EVENTS: frozenset[str] = frozenset(_MANIFEST["settings"]["event_subscriptions"]["bot_events"])
