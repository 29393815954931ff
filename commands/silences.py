"""A silence as the bot writes it: how long it may be, and the comment that says for which request it was made.

The request's id ends the comment, so it is the last thing in it whatever somebody typed as a reason. By it a silence
is found again: after a crash, to end it, to tell of it. Pure.
"""

import re
from datetime import timedelta

LONGEST = timedelta(hours=4)
SHORTEST = timedelta(minutes=1)
USUAL = timedelta(hours=1)

_MARK = re.compile(r"\[sre-bot (R[A-Z0-9]{1,20})\]\Z")


def comment(why: str, request: str) -> str:
    return f"{why} [sre-bot {request}]".lstrip()


def request_of(comment: str) -> str:
    """The request that made it; "" for a silence from elsewhere."""
    found = _MARK.search(comment)
    return found[1] if found else ""
