"""What the Slack app must be granted, and what for: the one list, of the manifest and of the doctor.

Data alone. bot/manifest.py asks Slack for these, bot/doctor/slack.py compares them with what was granted, and
tests/drift/test_manifest.py holds them to the methods that are called and the events that are heard.
"""

from collections.abc import Mapping

# With False the bot gets by without it.
NEEDED_SCOPES: Mapping[str, tuple[bool, str]] = {
    "chat:write": (True, "posts and updates cards"),
    "commands": (True, "receives /sre"),
    "app_mentions:read": (True, "hears mentions in channels and threads, where slash commands do not work"),
    "im:history": (True, "hears direct messages"),
    "usergroups:read": (True, "looks up who is in the user groups of `roles` and `access`"),
    "users:read": (True, "tells members from guests and bots before a change is asked for or approved"),
    "im:write": (True, "opens the direct messages that --private answers in"),
    "channels:read": (True, "finds public channels by their names"),
    "groups:read": (True, "finds private channels by their names"),
    "channels:history": (True, "looks up a post whose answer got lost, so that it is not made twice"),
    "groups:history": (True, "the same in private channels"),
    "files:write": (True, "shares kept files, such as a pod's evidence, in the thread"),
    "channels:manage": (
        True,
        "opens, names, renames and archives the channel of an incident, and invites into it",
    ),
    "groups:write": (True, "the same for a private incident"),
    "reactions:read": (True, "sees the 📌 that puts a message into an incident's timeline"),
    "reactions:write": (True, "marks the messages that it has put there"),
    "pins:read": (True, "sees what is pinned in the channel of an incident"),
    "pins:write": (True, "pins the card of an incident"),
    "bookmarks:read": (True, "sees which of its bookmarks are still there"),
    "bookmarks:write": (True, "puts an incident's links over its channel"),
    "files:read": (True, "keeps the hash of files that are shared in an incident"),
    "canvases:write": (False, "writes the postmortem as a canvas, too; without it there is the file alone"),
    "metadata.message:read": (False, "reads the mark on its own posts when it looks one up"),
}
