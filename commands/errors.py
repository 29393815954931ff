"""The exceptions of the whole house.

    SreError
    ├─ SayBack        shown to the actor word for word, logged at info
    │  ├─ UsageError      the text does not parse; carries what would
    │  ├─ Denied          the actor may not do this; says which role may
    │  └─ Stale           already decided, expired, or shown differently since
    └─ Unanswered     a dependency gave no answer: never green, always "unknown" with this reason
       ├─ Unreachable     no connection, a timeout, 429 or 5xx: trying again may help
       │  └─ TimedOut        connected, and no complete answer in time
       └─ Refused         401, 403, 404, 422, a name that does not resolve, or a body that is not what it
                          should be: trying again will not
          └─ Forbidden       401 or 403: a right or a login is missing

An answer of the outside world, even "no", is a value; only the absence of an answer is raised.
Bugs are not in the tree: they propagate, the request becomes *failed*, and the user sees a reference.
"""

from datetime import timedelta


class SreError(Exception):
    """The root of everything this project raises on purpose."""


class SayBack(SreError):
    """Text for the actor's eyes, complete as it stands."""


class UsageError(SayBack):
    """The command text cannot be understood; the message names what can be typed instead."""


class Denied(SayBack):
    """Policy says no to this actor; the message names who may."""


class Stale(SayBack):
    """What the actor acts on has moved on; the message says what it is now."""


class Unanswered(SreError):
    """A source gave no answer.

    `mend` is the one line that makes it answer next time: a permission, a setting, an address. Empty
    where nothing useful is known.
    """

    def __init__(self, reason: str, *, mend: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


class Unreachable(Unanswered):
    """Nobody answered in time, or the answer was "later"; `retry_after` where the source named it."""

    def __init__(self, reason: str, *, mend: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(reason, mend=mend)
        self.retry_after = retry_after


class TimedOut(Unreachable):
    """Somebody is there, and did not give a complete answer in time."""


class Refused(Unanswered):
    """The source answered with a refusal, or with something that is not an answer to the question."""


class Forbidden(Refused):
    """The source knows us and does not let us, or wants to know who we are."""
