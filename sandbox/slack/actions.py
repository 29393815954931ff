"""What people do with the app: type commands, press buttons, fill in modals, run shortcuts.

Each action does in the workspace what the Slack client would do, delivers what Slack would deliver, and
shows the person what they would see. It refuses (`NotThere`) what a person could not do: press a button
that is not in the message as stored, write into an archived channel, act after being deactivated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sandbox.slack import events, happenings, limits, payloads, shapes
from sandbox.slack.delivery import Courier, Delivery
from sandbox.slack.payloads import NotThere
from sandbox.slack.workspace import (
    Channel,
    Ephemeral,
    Json,
    Message,
    ResponseUrl,
    SlackError,
    User,
    View,
    Workspace,
)

_MENTIONED = re.compile(r"(?<!\w)(?:@([a-z0-9._-]+)|#([a-z0-9_-]+))")
# Slack's own words in a modal whose submission failed (slackapi/bolt-python issue 241).
VIEW_TROUBLE = "We had some trouble connecting. Try again?"


class Actions:
    """Mixed into the stand-in, which provides the workspace and the courier."""

    workspace: Workspace
    courier: Courier
    url: str
    should_escape: bool

    # --- commands

    def command(
        self, user: str, channel: str, text: str = "", command: str = "/sre", *, thread_ts: str | None = None
    ) -> Delivery:
        """Type a slash command. What the app acknowledges with is shown to the person or the channel."""
        person, place = self._typist(user, channel)
        if thread_ts is not None:
            raise NotThere("Slack does not take slash commands in threads")
        if person.is_stranger:  # assumed: an app's commands are offered where it is installed
            raise NotThere(f"{command} is not a command of your workspace")
        form = payloads.command(
            self.workspace,
            person,
            place,
            command=command,
            text=self._escaped_names(text) if self.should_escape else text,
            response_url=self._response_url(person, place, "commands"),
            trigger_id=self.workspace.new_trigger(person.id),
        )
        delivery = self.courier.deliver("command", form)
        if delivery.error:
            notice = f'{command} failed with the error "{delivery.error}"'
            self.workspace.post_ephemeral(place, person.id, notice, "slackbot")
        elif delivery.body:
            self._show_answer(person, place, delivery.body, source="ack")
        return delivery

    def direct_message(self, user: str) -> str:
        """The id of the person's direct message channel with the bot."""
        person = self.workspace.user(user)
        return self.workspace.direct_message([person.id, self.workspace.bot_user_id])[0].id

    # --- pressing

    def press(self, user: str, channel: str, ts: str, action_id: str, value: Any = None) -> Delivery:
        """Use a button, select, overflow or other element of a message (also of an ephemeral one).

        For a button `value` says which one, when several share the action_id; for the others it is the
        choice: the option's value or label, a user id, a date, a list of them.
        """
        person, place = self._typist(user, channel)
        shown = self._shown(person, place, ts)
        block, element = payloads.find_element(_all_blocks(shown), action_id, value)
        self._remember(shown.ts, person, block, element, value)
        fields = payloads.message_origin(self.workspace, shown)
        response_url = self._response_url(
            person,
            place,
            "actions",
            message_ts=shown.ts,
            is_ephemeral=isinstance(shown, Ephemeral),
            thread_ts=shown.thread_ts,
        )
        return self._press(
            person,
            block,
            element,
            value,
            response_url=response_url,
            state={"values": self.workspace.selections.get((shown.ts, person.id), {})},
            **fields,
        )

    def press_in_view(self, user: str, view_id: str, action_id: str, value: Any = None) -> Delivery:
        """Use an element of a modal or of the Home tab that acts at once."""
        person = self._actor(user)
        view = self._view(person, view_id)
        block, element = payloads.find_element(view.payload["blocks"], action_id, value)
        if element["type"] != "button":
            view.state.setdefault(block["block_id"], {})[action_id] = payloads.chosen(element, value)
        fields = payloads.view_origin(self.workspace, view)
        return self._press(person, block, element, value, view_id=view.id, **fields)

    def _press(
        self,
        person: User,
        block: Json,
        element: Json,
        value: Any,
        *,
        view_id: str | None = None,
        **fields: Any,
    ) -> Delivery:
        action = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            **payloads.chosen(element, value),
            "action_ts": f"{self.workspace.clock.now():.6f}",
        }
        action |= {
            name: element[name] for name in ("text", "style", "confirm", "placeholder") if name in element
        }
        payload = payloads.interaction(
            self.workspace,
            "block_actions",
            person,
            trigger_id=self.workspace.new_trigger(person.id, view_id),
            actions=[action],
            **fields,
        )
        return self.courier.deliver("interactive", payload)

    def _remember(self, ts: str, person: User, block: Json, element: Json, value: Any) -> None:
        """Selections in a message stay, and come back in `state` with the next press."""
        if element["type"] in ("button", "overflow"):
            return
        values = self.workspace.selections.setdefault((ts, person.id), {})
        values.setdefault(block["block_id"], {})[element["action_id"]] = payloads.chosen(element, value)

    def suggestions(self, user: str, view_id: str, action_id: str, typed: str) -> Delivery:
        """Type into an external select: the app answers with options."""
        person = self._actor(user)
        view = self._view(person, view_id)
        block, element = payloads.find_element(view.payload["blocks"], action_id, None)
        payload = payloads.interaction(
            self.workspace,
            "block_suggestion",
            person,
            action_id=element["action_id"],
            block_id=block["block_id"],
            value=typed,
            **payloads.view_origin(self.workspace, view),
        )
        return self.courier.deliver("interactive", payload)

    # --- shortcuts

    def shortcut(
        self, user: str, callback_id: str, *, channel: str | None = None, ts: str | None = None
    ) -> Delivery:
        """Run a global shortcut, or a message shortcut when a message is named."""
        person = self._actor(user)
        fields: Json = {
            "callback_id": callback_id,
            "trigger_id": self.workspace.new_trigger(person.id),
            "action_ts": f"{self.workspace.clock.now():.6f}",
        }
        if channel is None or ts is None:
            payload = payloads.interaction(self.workspace, "shortcut", person, **fields)
            return self.courier.deliver("interactive", payload)
        place = self._place(user, channel)
        message = self._message(place, ts)
        fields |= {
            "message_ts": message.ts,
            "message": shapes.message(self.workspace, message),
            "channel": {"id": place.id, "name": payloads.channel_name(place)},
            "response_url": self._response_url(person, place, "app", message_ts=message.ts),
        }
        payload = payloads.interaction(self.workspace, "message_action", person, **fields)
        return self.courier.deliver("interactive", payload)

    # --- views

    def open_home(self, user: str, tab: Literal["home", "messages"] = "home") -> Delivery | None:
        """Open the app's Home, at one of its tabs. What is published there comes with the event of that tab alone."""
        if tab == "home" and not self.workspace.home_tab:
            raise NotThere("this app has no Home tab")
        person = self._actor(user)
        place, _ = self.workspace.direct_message([person.id, self.workspace.bot_user_id])
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": place.id,
            "tab": tab,
            "event_ts": self.workspace.next_ts(place),
        }
        published = self.workspace.home_views.get(person.id)
        if published and tab == "home":
            event["view"] = shapes.view(self.workspace, self.workspace.views[published])
        return self.courier.deliver_event(event)

    def submit_view(self, user: str, view_id: str, values: Mapping[str, Any] | None = None) -> Delivery:
        """Fill in a modal and press submit. `values` by action_id or block_id; the rest keeps its initial
        value. What the acknowledgement asks for (errors, update, push, clear) is done."""
        person = self._actor(user)
        view = self._view(person, view_id)
        if view.type != "modal" or view.payload.get("submit") is None:
            raise NotThere(f"{view_id} has no submit button")
        view.state = _filled_in(view, values or {})
        payload = payloads.interaction(
            self.workspace,
            "view_submission",
            person,
            trigger_id=self.workspace.new_trigger(person.id, view.id),
            view=shapes.view(self.workspace, view),
            response_urls=[],
        )
        delivery = self.courier.deliver("interactive", payload)
        self._after_submit(person, view, delivery)
        return delivery

    def close_view(self, user: str, view_id: str, *, clear: bool = False) -> Delivery | None:
        """Press Cancel, or the x (`clear`): delivered only when the view asked to be told."""
        person = self._actor(user)
        view = self._view(person, view_id)
        described = shapes.view(self.workspace, view)
        everything = clear or bool(view.payload.get("clear_on_close"))
        self.workspace.close_views(person.id, top_only=not everything)
        if not view.payload.get("notify_on_close"):
            return None
        payload = payloads.interaction(
            self.workspace, "view_closed", person, view=described, is_cleared=everything
        )
        return self.courier.deliver("interactive", payload)

    def _after_submit(self, person: User, view: View, delivery: Delivery) -> None:
        if delivery.error:
            self._trouble(view)
            return
        action = delivery.body.get("response_action")
        if action is None:
            self.workspace.close_views(person.id, top_only=True)
        elif action == "clear":
            self.workspace.close_views(person.id)
        elif action == "errors":
            self._show_errors(view, delivery.body.get("errors"))
        elif action in ("update", "push"):
            self._replace(person, view, action, delivery.body.get("view"))
        else:
            self._trouble(view)

    def _replace(self, person: User, view: View, action: str, payload: Any) -> None:
        """A bad view in an acknowledgement is answered with nothing but the trouble shown in the modal."""
        try:
            checked = limits.view(payload)
            if action == "update":
                self.workspace.update_view(view, checked)
            else:
                self.workspace.open_view(person.id, checked, on_top=True)
        except SlackError:
            self._trouble(view)

    def _show_errors(self, view: View, errors: Any) -> None:
        inputs = {b["block_id"] for b in view.payload["blocks"] if b["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            self._trouble(view)
            return
        with self.workspace.change("view", user=view.user):
            view.errors = dict(errors)

    def _trouble(self, view: View) -> None:
        with self.workspace.change("view", user=view.user):
            view.errors = {"": VIEW_TROUBLE}

    # --- response urls

    def answer_response_url(self, secret: str, body: Json) -> None:
        """What the app posted to a response_url: shown, replaced or deleted; SlackError when refused."""
        with self.workspace.changed:
            url = self.workspace.response_urls.get(secret)
            if url is None:
                raise SlackError("invalid_url")
            if self.workspace.clock.now() > url.expires:
                raise SlackError("expired_url")
            if url.uses_left <= 0:
                raise SlackError("used_url")
            content = _response_content(body)
            url.uses_left -= 1
            self._respond(url, body, content)

    def _respond(self, url: ResponseUrl, body: Json, content: Json | None) -> None:
        place = self.workspace.channels[url.channel]
        person = self.workspace.users[url.user]
        if body.get("delete_original"):
            self._delete_original(url, place)
        elif body.get("replace_original") and url.message_ts is not None and content is not None:
            self._replace_original(url, place, content)
        elif content is not None:
            thread_ts = body.get("thread_ts")
            self._show_answer(person, place, {**body, "thread_ts": thread_ts}, source="response_url")

    def _delete_original(self, url: ResponseUrl, place: Channel) -> None:
        if url.is_ephemeral:
            with self.workspace.change("ephemeral", channel=place.id, user=url.user):
                kept = [e for e in self.workspace.ephemerals if e.ts != url.message_ts]
                self.workspace.ephemerals[:] = kept
        elif url.message_ts in place.messages:
            self.courier.announce(*happenings.delete(self.workspace, place.messages[url.message_ts]))

    def _replace_original(self, url: ResponseUrl, place: Channel, content: Json) -> None:
        if not url.is_ephemeral:
            if url.message_ts in place.messages:
                original = place.messages[url.message_ts]
                self.courier.announce(*happenings.edit(self.workspace, original, **content))
            return
        with self.workspace.change("ephemeral", channel=place.id, user=url.user):
            for shown in self.workspace.ephemerals:
                if shown.ts == url.message_ts:
                    shown.text, shown.blocks = content["text"], content["blocks"]
                    shown.attachments = content["attachments"]

    def _show_answer(self, person: User, place: Channel, body: Json, *, source: str) -> None:
        """An acknowledgement or response_url post: seen by one person unless it says in_channel."""
        try:
            content = _response_content(body)
        except SlackError:
            return  # an acknowledgement with bad blocks shows nothing
        if content is None:
            return
        thread_ts = body.get("thread_ts")
        if body.get("response_type") == "in_channel":
            bot = self.workspace.bot_user_id
            message = self.workspace.post(place, bot, thread_ts=thread_ts, **content)
            self.courier.announce(events.said(self.workspace, message))
        else:
            self.workspace.post_ephemeral(place, person.id, source=source, thread_ts=thread_ts, **content)

    def _response_url(self, person: User, place: Channel, kind: str, **origin: Any) -> str:
        secret = self.workspace.new_response_url(person.id, place.id, **origin)
        return f"{self.url}/{kind}/{self.workspace.team_id}/{secret}"

    # --- who and where

    def _tell(self, *told: Json) -> tuple[Delivery, ...]:
        """Deliver, in this thread and in this order; what the app is not told of is left out."""
        sent = [self.courier.deliver_event(event) for event in told]
        return tuple(delivery for delivery in sent if delivery is not None)

    def _actor(self, user: str) -> User:
        person = self.workspace.user(user)
        if person.deleted:
            raise NotThere(f"{person.name} is deactivated and cannot do anything in Slack")
        return person

    def _place(self, user: str, channel: str) -> Channel:
        """`@bot` (or the bot's name) is the direct message with it."""
        if channel.removeprefix("@") in (self.workspace.bot.name, self.workspace.bot_user_id):
            return self.workspace.channels[self.direct_message(user)]
        return self.workspace.channel(channel)

    def _typist(self, user: str, channel: str) -> tuple[User, Channel]:
        person, place = self._actor(user), self._place(user, channel)
        if place.is_archived:
            raise NotThere(f"{place.name} is archived")
        if place.is_private and person.id not in place.members:
            raise NotThere(f"{person.name} does not see {place.name or place.id}")
        return person, place

    def _member(self, user: str, channel: str) -> tuple[User, Channel]:
        """Somebody who has joined: only they can change something here."""
        person, place = self._typist(user, channel)
        if person.id not in place.members:
            raise NotThere(f"{person.name} is not in {place.name or place.id}")
        return person, place

    def _message(self, place: Channel, ts: str) -> Message:
        if ts not in place.messages:
            raise NotThere(f"no message {ts} in {place.name or place.id}")
        return place.messages[ts]

    def _shown(self, person: User, place: Channel, ts: str) -> Message | Ephemeral:
        for ephemeral in self.workspace.ephemerals:
            if (ephemeral.user, ephemeral.channel, ephemeral.ts) == (person.id, place.id, ts):
                return ephemeral
        return self._message(place, ts)

    def _view(self, person: User, view_id: str) -> View:
        view = self.workspace.views.get(view_id)
        if view is None or view.user != person.id:
            raise NotThere(f"{person.name} has no view {view_id} open")
        stack = self.workspace.modal_stacks.get(person.id, [])
        if view.type == "modal" and stack[-1] != view_id:
            raise NotThere(f"{view_id} is under another modal")
        return view

    def _escaped_names(self, text: str) -> str:
        """`should_escape` of the manifest: names become ids, `<@U…|name>` and `<#C…|name>`."""

        def escaped(match: re.Match[str]) -> str:
            try:
                if match[1]:
                    person = self.workspace.user(match[1])
                    return f"<@{person.id}|{person.name}>"
                place = self.workspace.channel(match[2])
                return f"<#{place.id}|{place.name}>"
            except KeyError:
                return match[0]

        return _MENTIONED.sub(escaped, text)


def _all_blocks(shown: Message | Ephemeral) -> list[Json]:
    return [*shown.blocks, *(block for a in shown.attachments for block in a.get("blocks") or [])]


def _response_content(body: Json) -> Json | None:
    """Text, blocks and attachments of an answer, checked; None when it has none (delete_original)."""
    content = {
        "text": str(body.get("text") or ""),
        "blocks": limits.message_blocks(body.get("blocks")),
        "attachments": limits.attachments(body.get("attachments")),
    }
    return content if any(content.values()) else None


def _filled_in(view: View, values: Mapping[str, Any]) -> Json:
    """`state.values` as the client sends it, after the client's own checks."""
    state: Json = {}
    unknown = set(values)
    for block in view.payload["blocks"]:
        for element in limits.elements_of(block):
            if element["type"] in ("button", "overflow"):
                continue
            block_id, action_id = block["block_id"], element["action_id"]
            given = next((name for name in (action_id, block_id) if name in values), None)
            unknown.discard(given or "")
            kept = view.state.get(block_id, {}).get(action_id)
            entry = kept if given is None and kept is not None else None
            if entry is None:
                value = payloads.initial(element) if given is None else values[given]
                entry = payloads.chosen(element, value)
            _check_input(block, element, entry)
            state.setdefault(block_id, {})[action_id] = entry
    if unknown:
        raise NotThere(f"no inputs {sorted(unknown)} in {view.id}")
    return state


def _check_input(block: Json, element: Json, entry: Json) -> None:
    """The Slack client does not send a form with an empty required field or a text out of bounds."""
    filled: Sequence[Any] = [value for name, value in entry.items() if name != "type" and value]
    if block["type"] == "input" and not block.get("optional") and not filled:
        raise NotThere(f"{element['action_id']} is required")
    text = entry.get("value")
    if isinstance(text, str) and element["type"] == "plain_text_input":
        longest, shortest = int(element.get("max_length", 3000)), int(element.get("min_length", 0))
        if not shortest <= len(text) <= longest:
            raise NotThere(f"{element['action_id']} takes {shortest} to {longest} characters")
