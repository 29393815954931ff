"""The Web API methods by family. Each module owns a table `METHODS`: method name to function.

A method reads its arguments from a `Call`, changes the workspace and returns the answer without `ok`; it
raises `SlackError` to refuse. Authentication, scopes, rate limits and faults are `api`'s.
"""

from __future__ import annotations

from sandbox.slack.call import Methods
from sandbox.slack.methods import canvases, chat, conversations, files, items, people, views

METHODS: Methods = {
    **canvases.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **items.METHODS,
    **people.METHODS,
    **views.METHODS,
}
