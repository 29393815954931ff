"""views.*: modals opened by a trigger, pushed, updated by id or external id, and the Home tab."""

from __future__ import annotations

from sandbox.slack import limits, shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import TIER_4
from sandbox.slack.workspace import Json, SlackError, View


def open_(call: Call) -> Json:
    return _show(call, on_top=False)


def push(call: Call) -> Json:
    return _show(call, on_top=True)


def _show(call: Call, *, on_top: bool) -> Json:
    payload = limits.view(call.structure("view", "invalid_arguments"))
    trigger = call.workspace.use_trigger(call.text("trigger_id"))
    _fresh_external_id(call, payload)
    view = call.workspace.open_view(trigger.user, payload, on_top=on_top)
    return {"view": shapes.view(call.workspace, view)}


def _fresh_external_id(call: Call, payload: Json, own: str = "") -> None:
    external_id = payload.get("external_id")
    for view in call.workspace.views.values():
        if external_id and view.id != own and view.payload.get("external_id") == external_id:
            raise SlackError("duplicate_external_id")


def update(call: Call) -> Json:
    payload = limits.view(call.structure("view", "invalid_arguments"), kinds=("modal", "home"))
    view = _named(call)
    _same_hash(call, view)
    _fresh_external_id(call, payload, own=view.id)
    return {"view": shapes.view(call.workspace, call.workspace.update_view(view, payload))}


def _named(call: Call) -> View:
    if not (call.has("view_id") or call.has("external_id")):
        raise limits.invalid_arguments("missing required field: view_id")
    for view in call.workspace.views.values():
        if view.id == call.text("view_id") or (
            call.has("external_id") and view.payload.get("external_id") == call.text("external_id")
        ):
            return view
    raise SlackError("not_found")


def _same_hash(call: Call, view: View | None) -> None:
    if call.has("hash") and (view is None or view.hash != call.text("hash")):
        raise SlackError("hash_conflict")


def publish(call: Call) -> Json:
    payload = limits.view(call.structure("view", "invalid_arguments"), kinds=("home",))
    if not call.workspace.home_tab:
        raise SlackError("not_enabled")
    person = call.workspace.users.get(call.text("user_id"))
    if person is None or person.deleted:
        raise SlackError("invalid_arguments", response_metadata={"messages": ["invalid `user_id`"]})
    current = call.workspace.home_views.get(person.id)
    _same_hash(call, call.workspace.views.get(current or ""))
    view = call.workspace.publish_home(person.id, payload)
    return {"view": shapes.view(call.workspace, view)}


METHODS: Methods = {
    "views.open": Method(open_, TIER_4, (), ("view", "trigger_id")),
    "views.push": Method(push, TIER_4, (), ("view", "trigger_id")),
    "views.update": Method(update, TIER_4, (), ("view",)),
    "views.publish": Method(publish, TIER_4, (), ("user_id", "view")),
}
