"""The only slack_bolt: thin listeners (command, button, decision, window, message) that decode, ask the desk
and ack.

Bolt verifies signatures for HTTP (bot/web.py guards it against what its verifier cannot take) and the
socket for Socket Mode. The actor comes from the signed payload only. A listener runs before the response
is sent (process_before_response), so a crash is a visible error and never a silent loss. The one call to
Slack from here opens the window that asks for a reason: what a press allows for that is over in 3 s.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException
from typing import Any

from redis.exceptions import RedisError
from slack_bolt import Ack, App, BoltRequest, BoltResponse, Respond
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot import alertcard, careviews, forms, render, tracing
from bot.desk import Desk, Receipt, Said
from bot.metrics import BUGS, SLACK_ACK
from bot.people import People
from bot.state import new_id
from commands import grammar
from commands.form import FieldErrors
from commands.model import Actor, Args, Place

Redact = Callable[[str], str]
Hear = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)

# True also of a store that hangs: a change that was given up is not done later (bot/state.py, GIVEN_UP).
NOT_ACCEPTED = "The bot's store does not answer. Nothing was accepted and nothing was done; please try again."

# What happens in channels beside messages. Each is acknowledged: what nobody answers Slack sends again, and in the
# end it sends nothing at all.
HEARD = (
    "reaction_added",
    "reaction_removed",
    "pin_added",
    "pin_removed",
    "member_joined_channel",
    "member_left_channel",
    "channel_rename",
    "group_rename",
    "channel_archive",
    "group_archive",
    "file_shared",
)
_MENTION = re.compile(r"^\s*<@[UW][A-Z0-9]+(\|[^>]*)?>\s*")


def app(
    desk: Desk,
    people: People,
    client: WebClient,
    signing_secret: str,
    redact: Redact,
    hear: Hear = lambda event: None,
    enter: Hear = lambda event: None,
) -> App:
    """A Bolt app with the listeners. client: gives up within two seconds, because somebody waits for it. hear: takes
    what happens to messages, for the timelines of incidents; enter: who opens their Home tab. Both raise RedisError
    when they could not keep it."""
    bolt = _Timed(
        signing_secret=signing_secret or "none: Socket Mode only",
        process_before_response=True,
        # Without this Bolt asks auth.test before a listener runs: a call to Slack inside the three
        # seconds that the acknowledgement has.
        authorize=lambda context: _authorization(people, client, context.team_id),
    )
    listen = _Listeners(desk, client, redact, hear, enter)
    bolt.command(re.compile(".*"))(listen.on_command)
    bolt.action(re.compile("^submit:"))(listen.on_button)
    bolt.action(re.compile("^(approve|reject|cancel)$"))(listen.on_decision)
    bolt.view(re.compile("^(approve|reject)$"))(listen.on_reason)
    bolt.action(re.compile("^alert:(ack|own|hand|snooze|mark|more)$"))(listen.on_care)
    bolt.view(re.compile("^alert:(own|mark)$"))(listen.on_choice)
    bolt.action("alert:silence")(listen.on_silence)
    bolt.view("silence")(listen.on_silencing)
    bolt.view("form")(listen.on_form)
    bolt.action(re.compile("^link:"))(lambda ack: ack())  # Slack reports presses of link buttons, too
    bolt.event("app_mention")(listen.on_message)
    bolt.event("message")(listen.on_message)
    bolt.event("app_home_opened")(listen.on_home)
    for event in HEARD:
        bolt.event(event)(listen.on_happening)
    bolt.error(_on_bug)
    return bolt


class _Timed(App):
    """Both ways in, HTTP and Socket Mode, end here: how long Slack waits for its acknowledgement."""

    def dispatch(self, req: BoltRequest) -> BoltResponse:
        kind, outcome, began = _kind(req.body), "failed", time.monotonic()
        try:
            with tracing.span(f"slack {kind}"):
                answer = super().dispatch(req)
            outcome = "ok" if answer.status < 400 else "failed"
            return answer
        finally:
            SLACK_ACK.labels(kind, outcome).observe(time.monotonic() - began)


def _kind(body: dict[str, Any]) -> str:
    """What Slack sent, as metrics call it."""
    if "command" in body:
        return "command"
    if "event" in body:
        return "event"
    return {"block_actions": "button", "view_submission": "window"}.get(str(body.get("type")), "other")


class _Listeners:
    def __init__(self, desk: Desk, client: WebClient, redact: Redact, hear: Hear, enter: Hear) -> None:
        self._desk = desk
        self._client = client
        self._redact = redact
        self._hear = hear
        self._enter = enter

    def on_command(self, ack: Ack, body: dict[str, Any]) -> None:
        actor, place = Actor(body["user_id"], body["team_id"]), Place(body["channel_id"])
        receipt = _submit(self._desk, Said(actor, place, body.get("text") or "", body["trigger_id"]))
        if self._is_asked(receipt, body["trigger_id"], place):
            ack()
        else:
            ack(**_private(receipt, self._redact))

    def on_button(self, ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        pressed = _value(body["actions"][0])  # of a button, or of a menu
        said = Said(_presser(body), _pressed_in(body), pressed, body["trigger_id"])
        try:
            receipt = self._desk.submit(said)
            is_asked = not receipt.accepted and self._is_asked(
                receipt, body["trigger_id"], said.place, _beside(body)
            )
            if receipt.entered or not (receipt.accepted or is_asked):
                self._desk.whisper(replace(said, place=_beside(body)), receipt)
        except RedisError:
            if "channel" not in body:  # a page has no place for an answer: Slack marks the button
                raise
            # The outbox cannot carry this one, and the acknowledgement of a button has no text.
            respond(text=NOT_ACCEPTED, response_type="ephemeral", replace_original=False)
        ack()

    def on_decision(self, ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        verb, value = body["actions"][0]["action_id"], str(body["actions"][0].get("value"))
        said = Said(_presser(body), _beside(body), f"{verb} {value}", body["trigger_id"])
        try:
            receipt = self._desk.press(said.actor, verb, value)
            is_asked = receipt.needs_reason and _ask_why(self._client, body["trigger_id"], verb, value)
            if not (receipt.accepted or is_asked):
                self._desk.whisper(said, receipt)
        except RedisError:
            respond(text=NOT_ACCEPTED, response_type="ephemeral", replace_original=False)
        ack()

    def on_reason(self, ack: Ack, body: dict[str, Any]) -> None:
        """What cannot be done is said inside the window, under the reason."""
        view = body["view"]
        why = view["state"]["values"]["reason"]["reason"].get("value") or ""
        value = view.get("private_metadata") or ""
        try:
            receipt = self._desk.press(_presser(body), view["callback_id"], value, why)
        except RedisError:
            receipt = Receipt(NOT_ACCEPTED)
        if receipt.accepted:
            ack()
        else:
            ack(response_action="errors", errors={"reason": self._redact(receipt.text)})

    def on_care(self, ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        """A button or menu of an alert's card. What must still be chosen is asked in a window."""
        action, trigger = body["actions"][0], body["trigger_id"]
        verb, value = action["action_id"].removeprefix("alert:"), _value(action)
        if verb == "more":  # the menu's choice begins with the verb
            verb, _, value = value.partition(" ")
        said = Said(_presser(body), _beside(body), f"alert {verb} {value}", trigger)
        try:
            receipt = self._desk.tend(said.actor, said.place, verb, value)
            is_asked = receipt.needs_reason and _opened(self._client, trigger, careviews.view(verb, value))
            if not (receipt.accepted or is_asked):
                self._desk.whisper(said, receipt)
        except RedisError:
            respond(text=NOT_ACCEPTED, response_type="ephemeral", replace_original=False)
        ack()

    def on_choice(self, ack: Ack, body: dict[str, Any]) -> None:
        """What cannot be done is said inside the window, under the choice."""
        view = body["view"]
        word = _value(view["state"]["values"]["choice"]["choice"])
        value, verb = view.get("private_metadata") or "", view["callback_id"].removeprefix("alert:")
        try:
            receipt = self._desk.tend(_presser(body), Place(""), verb, value, word)
        except RedisError:
            receipt = Receipt(NOT_ACCEPTED)
        if receipt.accepted:
            ack()
        else:
            ack(response_action="errors", errors={"choice": self._redact(receipt.text)})

    def on_silence(self, ack: Ack, body: dict[str, Any]) -> None:
        """Opens the window for how long and why. It comes back without a place, so it carries that, too."""
        value, place = _value(body["actions"][0]), _pressed_in(body)
        window = alertcard.silence_view(f"{value} {place.channel} {place.thread}")
        if not _opened(self._client, body["trigger_id"], window):
            line = f'`alert silence {value.partition(" ")[0]} --for 1h --why "…"`'
            said = Said(_presser(body), _beside(body), "alert silence", body["trigger_id"])
            self._desk.whisper(said, Receipt(f"Slack did not open the window. Type {line} in its place."))
        ack()

    def on_silencing(self, ack: Ack, body: dict[str, Any]) -> None:
        """The window's line, as if its sender had typed it in the thread of the alert."""
        view = body["view"]
        values, carried = view["state"]["values"], (view.get("private_metadata") or "").split()
        length = _value(values["for"]["for"])
        why = values["reason"]["reason"].get("value") or ""
        args = Args("alert", "silence", carried[0], {"for": length, "why": why})
        place = Place(carried[-2], carried[-1])
        receipt = _submit(self._desk, Said(_presser(body), place, grammar.format(args), view["id"]))
        if receipt.accepted:
            ack()
        else:
            ack(response_action="errors", errors={"reason": self._redact(receipt.text)})

    def _is_asked(self, receipt: Receipt, trigger: str, place: Place, beside: Place | None = None) -> bool:
        """Whether the window that the receipt needs was opened."""
        if receipt.form is None:
            return False
        try:
            window = forms.view(receipt.form, place, beside)
        except ValueError as error:  # the line to type is told instead
            log.warning("no window opened: %s", error)
            return False
        return _opened(self._client, trigger, window)

    def on_form(self, ack: Ack, body: dict[str, Any]) -> None:
        """A window that completes a command: what is wrong is said under its field, and nothing typed is lost."""
        view, actor = body["view"], _presser(body)
        args, place = forms.read(view)
        try:
            receipt = self._desk.fill(actor, place, args, view["id"])
            errors = {} if receipt.accepted or receipt.suggestions else {forms.first(view): receipt.text}
            if receipt.entered or receipt.suggestions:  # a window that closes has no place for an answer
                self._desk.whisper(Said(actor, forms.beside(view), "", view["id"]), receipt)
        except FieldErrors as wrong:
            errors = wrong.errors
        except RedisError:
            errors = {forms.first(view): NOT_ACCEPTED}
        if not errors:
            ack()
        else:
            told = {name: self._redact(text) for name, text in errors.items()}
            ack(response_action="errors", errors=told)

    def on_happening(self, event: dict[str, Any], ack: Ack) -> None:
        """A reaction, a pin, somebody who comes or goes. Raising makes Slack deliver it again."""
        self._hear(event)
        ack()

    def on_home(self, event: dict[str, Any], ack: Ack) -> None:
        """Somebody opens the bot's Home: its other tab is their direct messages, which need nothing."""
        if event.get("tab") == "home":
            self._enter(event)
        ack()

    def on_message(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A mention, a direct message, or a message that was changed. Raising makes Slack deliver it again."""
        self._hear(event)
        if event.get("subtype") or event.get("bot_id") or not _is_for_us(event):
            return
        actor = Actor(event.get("user") or "", _team_of(event, body))
        place = Place(event["channel"], event.get("thread_ts", ""))
        said = Said(actor, place, _MENTION.sub("", event.get("text") or ""), body["event_id"])
        receipt = self._desk.submit(said)
        if receipt.entered or not receipt.accepted:
            self._desk.whisper(said, receipt)


def _submit(desk: Desk, said: Said) -> Receipt:
    try:
        return desk.submit(said)
    except RedisError as error:
        log.error("not accepted, the store does not answer: %s", error)
        return Receipt(NOT_ACCEPTED)


def _private(receipt: Receipt, redact: Redact) -> dict[str, Any]:
    told = render.private(receipt.text, receipt.sections, receipt.suggestions, redact)
    return {"text": told.text, "blocks": list(told.blocks), "response_type": "ephemeral"}


def _presser(body: dict[str, Any]) -> Actor:
    """Who pressed, with their own workspace: in a shared channel it may be another than the bot's."""
    user = body["user"]
    return Actor(user["id"], user.get("team_id") or body["team"]["id"])


def _ask_why(client: WebClient, trigger: str, verb: str, value: str) -> bool:
    """Open the window that asks for a reason; False when Slack did not: then the line to type is told."""
    return _opened(client, trigger, render.reject_view(value) if verb == "reject" else render.why_view(value))


def _opened(client: WebClient, trigger: str, window: dict[str, Any]) -> bool:
    try:
        client.views_open(trigger_id=trigger, view=window)
    except (SlackClientError, HTTPException, OSError) as error:
        log.warning("no window opened: %s", error)
        return False
    return True


def _value(element: dict[str, Any]) -> str:
    """Of a button, of the option that was chosen, or the id of the person that was."""
    option = element.get("selected_option") or {}
    return str(element.get("value") or option.get("value") or element.get("selected_user") or "")


def _pressed_in(body: dict[str, Any]) -> Place:
    """The answer to a button goes into the thread of the message that carries it."""
    if "channel" not in body:  # the Home tab is in none, and knows the direct messages of whom it is
        return Place(body["view"]["private_metadata"])
    container = body.get("container") or {}
    thread = container.get("thread_ts") or container.get("message_ts") or ""
    if container.get("is_ephemeral"):
        thread = container.get("thread_ts") or ""  # an ephemeral message has no thread of its own
    return Place(body["channel"]["id"], thread)


def _beside(body: dict[str, Any]) -> Place:
    """Where a refusal is told: in a thread only to who pressed there, for nobody else has it open. Of a press
    on the Home tab it is a message of its own: what is shown to be gone again is not seen on another tab."""
    if "channel" not in body:
        return Place(f"@{body['user']['id']}")
    container = body.get("container") or {}
    thread = container.get("thread_ts") or ""
    return Place(body["channel"]["id"], "" if thread == container.get("message_ts") else thread)


def _is_for_us(event: dict[str, Any]) -> bool:
    return event["type"] == "app_mention" or event.get("channel_type") == "im"


def _team_of(event: dict[str, Any], body: dict[str, Any]) -> str:
    """The workspace of the person; in a shared channel it must be said, elsewhere only one is possible."""
    said = event.get("user_team") or event.get("team")
    return str(said or ("" if body.get("is_ext_shared_channel") else body.get("team_id") or ""))


def _authorization(people: People, client: WebClient, team: str | None) -> AuthorizeResult:
    try:
        bot = people.bot_user()
    except RedisError:
        bot = ""  # only needed to ignore the bot's own messages, which bot_id tells, too
    return AuthorizeResult(enterprise_id=None, team_id=team, bot_token=client.token, bot_user_id=bot or None)


def _on_bug(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """A bug, or an event while the store is away. Commands say so to the asker; events come again."""
    reference = new_id("E")
    BUGS.labels("listener").inc()
    log.error("listener failed (%s)", reference, exc_info=error)
    if "command" in body:
        text = f"Something broke inside the bot (reference {reference}). Nothing was accepted."
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": text})
    return BoltResponse(status=500, body="")
