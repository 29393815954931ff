"""Home tabs: who opened theirs, which does not say any more what is so, and how one is published.

A Home is a projection, as a card is, and the courier keeps it up to date; but it shows many records at once, so nobody
marks it where one of them is written: `Sweep` compares now and then what each would show. Only for who opened theirs
lately; who opens it is served first. Called by bot/courier.py, which alone sends, and by the bot's own rounds.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from threading import Event
from typing import Any

import orjson
from slack_sdk.errors import SlackApiError

from bot import render
from bot.access import Kind
from bot.blocks import Block
from bot.homecard import Home
from bot.homeview import House, Views
from bot.outbox import Claim, Next, Outbox
from bot.state import State, milliseconds
from bot.turns import in_turns
from bot.wire import Refusal, Wire
from commands.errors import Unreachable

log = logging.getLogger(__name__)

CARD = "home:"  # what the outbox calls one, before the user's id
OPENED = "sre:homes"  # users, by when they last opened theirs

# Who has not opened it for so long sees it anew when they do.
KEPT = timedelta(days=14)

# How often is looked whether a page still says what is so; and whether one's roles are still the same.
SWEEP, _EVERYBODY = timedelta(seconds=10), timedelta(minutes=1)

# So many pages are marked at once: views.publish is Tier 4 (100 a minute for the whole workspace), and the rest is left
# for who opens theirs; and what waits in the outbox is what Slack lacks, not what it could not take. (docs.slack.dev,
# rate limits)
_AT_ONCE = 10

_ASK_AGAIN = timedelta(seconds=5)
_FIRST, _LATER = 1, 6  # in the outbox: before what nobody waits for, and behind every card

_HOLD = "hold-views.publish"

# Slack will not take this page from this app, however often it is asked.
_NEVER = frozenset({"invalid_arguments", "view_too_large", "not_enabled"})

_SENTENCES: Mapping[Kind, str] = {
    Kind.GUEST: "This page is for the members of this workspace. Guests may ask where they are: `/sre help`.",
    Kind.EXTERNAL: "This page is for the members of the bot's own workspace.",
    Kind.BOT: "This page is for people.",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What Slack has of a Home. opened: epoch seconds; channel: the direct messages of its user. hash: Slack's own, by
    which it knows whether another was published since. at: epoch seconds of the last one. is_short: it says one sentence,
    whatever is going on."""

    channel: str
    opened: float
    digest: str = ""
    hash: str = ""
    at: float = 0.0
    is_short: bool = False


def opened(state: State, event: Mapping[str, Any]) -> None:
    """Somebody opened theirs. What Slack shows them may not be what the bot knows of: then it is published anew."""
    user, before = str(event["user"]), shown(state, str(event["user"]))
    there = str((event.get("view") or {}).get("hash") or "")
    now = Shown(str(event.get("channel") or ""), time.time())
    if before is not None and before.hash and before.hash == there:
        now = replace(before, channel=now.channel, opened=now.opened)
    change = state.change()
    change.pipe.zadd(OPENED, {user: now.opened})
    change.pipe.set(_key(user), orjson.dumps(asdict(now)), px=milliseconds(KEPT))
    change.mark(CARD + user, f"home {user}", _FIRST).commit()


def shown(state: State, user: str) -> Shown | None:
    """What Slack has of somebody's Home; None where it was not opened lately."""
    body = state.redis.get(_key(user))
    return Shown(**orjson.loads(body)) if body else None


def _key(user: str) -> str:
    return f"sre:homes:{user}"


class Homes:
    """Publishes one page at a time, while the courier has the claim."""

    def __init__(self, state: State, views: Views, wire: Wire, redact: Callable[[str], str]) -> None:
        self._state = state
        self._outbox = Outbox(state)
        self._views = views
        self._people = views.people
        self._wire = wire
        self._redact = redact

    def publish(self, claim: Claim) -> Next:
        """Bring it up to date. Raises slack_sdk's errors where Slack gave no answer, or one that somebody must mend."""
        user = claim.card.removeprefix(CARD)
        known = shown(self._state, user)
        if known is None:
            return Next()
        wait = self._held()
        if wait:
            return Next(again=wait)
        try:
            kind = self._people.kind_of(user)
        except Unreachable as error:
            log.warning("the Home of %s waits: %s", user, error.reason)
            return Next(again=_ASK_AGAIN)
        if kind is Kind.DEACTIVATED:
            forget(self._state, user)
            return Next()
        page = self._page(kind, user, known)
        view = render.home(page, self._redact)
        if digest(view) == known.digest:
            return Next()
        return self._send(claim, view, replace(known, digest=digest(view), is_short=bool(page.sentence)))

    def _held(self) -> timedelta:
        """A limit is of the method: nobody's page is tried before it is over."""
        until = float(self._state.recall(_HOLD) or 0)
        return timedelta(seconds=max(until - time.time(), 0))

    def _page(self, kind: Kind, user: str, known: Shown) -> Home:
        if kind is not Kind.MEMBER:
            return Home(user, known.channel, sentence=_SENTENCES[kind])
        return self._views.of(self._views.house(), user, known.channel)

    def _send(self, claim: Claim, view: Block, now: Shown) -> Next:
        user = claim.card.removeprefix(CARD)
        body = {"user_id": user, "view": view, **({"hash": now.hash} if now.hash else {})}
        try:
            answer = self._wire.call("views.publish", json=body)
        except SlackApiError as error:
            return self._refused(claim, now, Refusal.of(error), error)
        there = str((answer.get("view") or {}).get("hash") or "")
        _note(self._state, user, replace(now, hash=there, at=time.time()))
        self._outbox.unbury(claim.card, "view")
        return Next()

    def _refused(self, claim: Claim, now: Shown, no: Refusal, error: SlackApiError) -> Next:
        """What is refused for good is not tried again until it is opened anew, or says something else."""
        user = claim.card.removeprefix(CARD)
        if no.is_limit:
            until, rest = time.time() + no.retry_after.total_seconds(), timedelta(milliseconds=10)
            self._state.remember(_HOLD, str(until), no.retry_after + rest)
            return Next(again=no.retry_after)
        if no.code == "hash_conflict":
            log.info("the Home of %s is another one by now: published anew", user)
            _note(self._state, user, replace(now, digest="", hash=""))
            return Next(again=timedelta(0))
        if no.code not in _NEVER:
            raise error
        log.error("Slack will not take the Home of %s: %s", user, no.code)
        self._outbox.bury(claim.card, "view", claim.lane, no.code)
        _note(self._state, user, replace(now, at=time.time()))
        return Next()


def _note(state: State, user: str, known: Shown) -> None:
    """As long as it was opened lately, or it would be kept for ever; who opened it meanwhile is not forgotten."""
    now = shown(state, user)
    if now is not None:
        kept = replace(known, opened=now.opened, channel=now.channel)
        state.redis.set(_key(user), orjson.dumps(asdict(kept)), keepttl=True, xx=True)


def forget(state: State, user: str) -> None:
    state.redis.pipeline().zrem(OPENED, user).delete(_key(user)).execute()


def digest(view: Block) -> str:
    return hashlib.sha256(orjson.dumps(view)).hexdigest()[:16]


class Sweep:
    """Marks the pages that would not say any more what they say. One bot at a time does this."""

    def __init__(
        self,
        state: State,
        views: Views,
        redact: Callable[[str], str],
        every: timedelta = _EVERYBODY,
    ) -> None:
        self._state = state
        self._views = views
        self._redact = redact
        self._every = every.total_seconds()
        self._last: House | None = None
        self._looked = 0.0

    def run(self, stop: Event) -> None:
        in_turns(stop, SWEEP, self._look_in_turn)

    def _look_in_turn(self) -> None:
        with self._state.lease("homes") as is_ours:
            if is_ours:
                self()

    def __call__(self) -> int:
        """How many were marked."""
        self._state.redis.zremrangebyscore(OPENED, "-inf", time.time() - KEPT.total_seconds())
        users = [user.decode() for user in self._state.redis.zrange(OPENED, 0, -1)]
        if not users:
            return 0
        house, now = self._views.house(), time.monotonic()
        if house == self._last and now - self._looked < self._every:
            return 0
        stale = sorted(at for user in users if (at := self._stale_since(user, house)))
        for _, user in stale[:_AT_ONCE]:
            self._state.change().mark(CARD + user, f"home {user}", _LATER).commit()
        self._last, self._looked = house if len(stale) <= _AT_ONCE else None, now
        return len(stale[:_AT_ONCE])

    def _stale_since(self, user: str, house: House) -> tuple[float, str] | None:
        """When it was published last, where it says something else by now: who waits longest comes first."""
        known = shown(self._state, user)
        if known is None or known.is_short:
            return None
        page = self._views.of(house, user, known.channel)
        is_stale = digest(render.home(page, self._redact)) != known.digest
        return (known.at, user) if is_stale else None
