"""The channel of an incident, brought further by one call to Slack at a time, while the courier has the claim.

What Slack refuses is told once and stops nothing; a method that is limited or silent is let be for a while, and the
card goes on. How a channel is made is in bot/roommaking.py, what belongs in it in bot/furnishing.py. Called by
bot/courier.py; `remind` by the bot itself, so that each is looked at now and then.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from http.client import HTTPException

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.canvas import Canvas
from bot.furnishing import Furnishing
from bot.outbox import Claim, Next, Outbox, Sent
from bot.records import Records
from bot.roommaking import RoomMaking
from bot.roomstep import ELSEWHERE, Step, not_allowed, why
from bot.state import State
from bot.wire import Refusal, Wire
from commands.response.incident import Incident
from commands.site import Site

log = logging.getLogger(__name__)

LOOK = timedelta(seconds=40)  # how often a channel is looked at; with REMIND it is less than a minute
REMIND = timedelta(seconds=10)
# How long a method that gave no answer is let be; and what was refused, because somebody may mend it.
_REST, _REFUSED = timedelta(seconds=3), timedelta(minutes=10)
_ARCHIVED = "room archived"


class Rooms:
    def __init__(
        self,
        state: State,
        site: Site,
        wire: Wire,
        redact: Callable[[str], str],
        *,
        look: timedelta = LOOK,
        rest: timedelta = _REST,
    ) -> None:
        self._state = state
        self._outbox = Outbox(state)
        self._records = Records(state, site)
        self._site = site
        self._wire = wire
        self._rest = rest
        self._making = RoomMaking(state, site, wire, redact, look)
        self._furnishing = Furnishing(state, site, wire, redact, look)
        self._canvas = Canvas(state, wire, redact)

    def channel(self, named: str) -> str:
        """The channel behind a key of `channels`; any other is one itself."""
        return self._site.channel(named) if hasattr(self._site.channels, named) else named

    def settle(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> dict[str, Sent]:
        """Where it moved, its card of before is a card of its own, which says where it went."""
        key = f"{len(incident.places)} card"
        if not incident.places or key in sent:
            return sent
        self._outbox.rename(claim, "card", key)
        return self._outbox.sent(claim.card)

    # --- one thing at a time: None when nothing is to be done now ---

    def first(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Next | None:
        """What comes before its card: the channel itself."""
        return self._one(incident, self._making.steps(claim, incident, sent))

    def then(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Next | None:
        """What comes when its card is there."""
        return self._one(incident, self._furniture(claim, incident, sent))

    def _furniture(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        if not self.is_archived(sent):
            yield from self._furnishing.steps(claim, incident, sent)
            yield from self._canvas.steps(claim, incident, sent)

    def last(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Next:
        """What comes when all is told; else when to come again for what has to wait."""
        done = self._one(incident, self._archiving(claim, incident, sent))
        if done:
            return done
        waiting = (
            *self._making.steps(claim, incident, sent),
            *self._furniture(claim, incident, sent),
            *self._archiving(claim, incident, sent),
        )
        return Next(
            again=min((self._held(s) for s in waiting if not self._is_refused(incident, s)), default=None)
        )

    def _one(self, incident: Incident, steps: Iterable[Step]) -> Next | None:
        free = (step for step in steps if not self._is_refused(incident, step) and not self._held(step))
        step = next(free, None)
        if step is None:
            return None
        try:
            step.run()
        except SlackApiError as error:
            self._no(incident, step, Refusal.of(error))
        except (SlackClientError, HTTPException, OSError) as error:
            log.warning("%s: Slack does not answer %s (%s)", incident.id, step.method, error)
            self._hold(step, self._rest)
        return Next(again=timedelta(0))

    # --- when Slack says no, or nothing ---

    def _no(self, incident: Incident, step: Step, no: Refusal) -> None:
        if no.is_limit:
            self._hold(step, no.retry_after)
        elif no.is_silence or no.is_locked_out:
            log.warning("%s: Slack does not do %s (%s)", incident.id, step.method, no.code)
            self._hold(step, self._rest)
        else:
            self._state.remember(_refused(incident, step), no.code, _REFUSED)
            self._tell(incident, step, no)

    def _tell(self, incident: Incident, step: Step, no: Refusal) -> None:
        """Once, on the card and in the record; a channel that is gone says so itself when it is looked at."""
        if no.code in ELSEWHERE:
            self._making.look_again(incident.id)
            return
        what = f"may not {step.may}: {why(no)}"
        log.error("%s: %s", incident.id, what)
        self._records.append(incident.id, lambda _: [not_allowed(what)])

    def _hold(self, step: Step, wait: timedelta) -> None:
        """A limit is of the method, whoever calls it; the card and the other steps do not wait for it."""
        until = time.time() + wait.total_seconds()
        self._state.remember(f"hold-{step.method}", str(until), wait + timedelta(milliseconds=10))

    def _held(self, step: Step) -> timedelta:
        until = float(self._state.recall(f"hold-{step.method}") or 0)
        return max(timedelta(seconds=until - time.time()), timedelta(0)) if until else timedelta(0)

    def _is_refused(self, incident: Incident, step: Step) -> bool:
        return bool(self._state.recall(_refused(incident, step)))

    # --- when it is over ---

    def _archiving(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        is_due = self._site.incident.archive and incident.is_over and incident.room.is_own
        if is_due and not self.is_archived(sent):
            yield Step(
                "archive", "conversations.archive", "archive its channel",
                lambda: self._archive(claim, incident.room.channel),
            )  # fmt: skip

    def _archive(self, claim: Claim, channel: str) -> None:
        try:
            self._wire.call("conversations.archive", json={"channel": channel})
        except SlackApiError as error:
            if Refusal.of(error).code != "already_archived":
                raise
        self.note_archived(claim)

    def is_archived(self, sent: dict[str, Sent]) -> bool:
        """Nothing can be told in it any more."""
        return _ARCHIVED in sent

    def note_archived(self, claim: Claim) -> None:
        self._outbox.note_sent(claim.card, _ARCHIVED, Sent(ts="archived"))

    def gone(self, claim: Claim, incident: Incident, why_not: str) -> bool:
        """A message was refused where the incident is told: a channel of its own is looked at, and of what is over
        nothing more is told; from any other it moves to the channel of all. False when that was done already."""
        if not incident.room.is_own:
            return self._making.lose(incident.id, f"{incident.room.channel} {why_not}", has_gone=True)
        if incident.is_over:
            self.note_archived(claim)
            return True
        if self._state.recall(f"gone-{incident.id}"):
            return False
        self._state.remember(f"gone-{incident.id}", "1", _REFUSED)
        self._making.look_again(incident.id)
        return True


def _refused(incident: Incident, step: Step) -> str:
    return f"refused-{incident.id}-{step.what}"


def remind(state: State, site: Site) -> None:
    """Mark the cards of incidents with a channel, so that the courier looks at each; whether it is time yet, the
    steps know. Of one that is over for users, only what is told in it is looked at."""
    outbox = Outbox(state)
    for incident in Records(state, site).open_incidents():
        if incident.is_active and incident.room.is_own and not outbox.is_marked(incident):
            state.change().show(incident, priority=1).commit()
