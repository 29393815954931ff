"""The Slack app's manifest: the copy in the repository, Slack's limits, what the bot listens to and calls."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bot import manifest
from bot.scopes import NEEDED_SCOPES
from bot.slack import HEARD
from sandbox.slack.methods import METHODS
from tests.drift.tree import ROOT, modules

ADDRESS = "https://sre-bot.example.com"

# What each method takes to work in public and private channels and in direct messages; the manifest has no
# scope for group messages. The stand-in is content with any one scope of a method, Slack is not.
_HISTORY = {"channels:history", "groups:history", "im:history"}
_LISTS = {"channels:read", "groups:read"}
_MANAGES = {"channels:manage", "groups:write"}
_PINS, _MARKS, _CANVAS = {"pins:write"}, {"bookmarks:write"}, {"canvases:write"}
SCOPES = {
    "auth.test": set[str](),
    "bookmarks.add": _MARKS,
    "bookmarks.list": {"bookmarks:read"},
    "canvases.edit": _CANVAS,
    "chat.getPermalink": set[str](),
    "chat.postMessage": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.archive": _MANAGES,
    "conversations.canvases.create": _CANVAS,
    "conversations.create": _MANAGES,
    "conversations.history": _HISTORY,
    "conversations.info": _LISTS,
    "conversations.invite": _MANAGES,
    "conversations.list": _LISTS,
    "conversations.open": {"im:write"},
    "conversations.replies": _HISTORY,
    "conversations.setPurpose": _MANAGES,
    "conversations.setTopic": _MANAGES,
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "pins.add": _PINS,
    "reactions.add": {"reactions:write"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "views.open": set[str](),
    "views.publish": set[str](),
}


def test_the_copy_in_the_repository_is_what_is_generated() -> None:
    advice = "run `.venv/bin/python -m bot.manifest > slack-manifest.yaml`"
    assert (ROOT / "slack-manifest.yaml").read_text() == manifest.text(), advice


def test_http_and_socket_mode_differ_in_the_address_alone(capsys: pytest.CaptureFixture[str]) -> None:
    socket, http = (printed(capsys, *words) for words in (["--socket-mode"], ["--url", f"{ADDRESS}/"]))
    assert list(addresses(socket)) == []
    assert list(addresses(http)) == [f"{ADDRESS}/slack/events"] * 3
    assert (socket["settings"].pop("socket_mode_enabled"), http["settings"].pop("socket_mode_enabled")) == (
        True,
        False,
    )
    assert socket == without_addresses(http)
    assert socket == without_addresses(printed(capsys)) | {"settings": socket["settings"]}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert manifest.main(list(arguments)) == 0
    return yaml.safe_load(capsys.readouterr().out)


def addresses(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key in ("url", "request_url") else addresses(value)
    elif isinstance(part, list):
        for each in part:
            yield from addresses(each)


def without_addresses(part: Any) -> Any:
    if isinstance(part, dict):
        return {k: without_addresses(v) for k, v in part.items() if k not in ("url", "request_url")}
    return [without_addresses(each) for each in part] if isinstance(part, list) else part


@pytest.mark.parametrize(
    "url", ["sre-bot.example.com", "http://sre-bot.example.com", f"{ADDRESS}/?a=b", "https://"]
)
def test_an_address_that_slack_would_refuse_is_refused(url: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        manifest.main(["--url", url])


def test_the_route_is_the_one_that_web_serves() -> None:
    web = next(module for module in modules("bot") if module.file == "bot/web.py")
    assert "/slack/events" in {node.value for node in ast.walk(web.tree) if isinstance(node, ast.Constant)}
    assert manifest.manifest(ADDRESS)["features"]["slash_commands"][0]["url"].endswith("/slack/events")


def test_slack_takes_its_sizes() -> None:
    made = manifest.manifest(ADDRESS)
    display, features = made["display_information"], made["features"]
    command = features["slash_commands"][0]
    assert len(display["name"]) <= 35 and len(display["description"]) <= 140
    assert len(features["bot_user"]["display_name"]) <= 80
    assert len(command["command"]) <= 32 and len(command["description"]) <= 2000
    assert command["should_escape"] is True


def test_people_can_write_to_the_bot_directly() -> None:
    home = manifest.manifest()["features"]["app_home"]
    assert home["messages_tab_enabled"] and not home["messages_tab_read_only_enabled"]


def test_the_app_is_subscribed_to_what_the_bot_listens_to() -> None:
    """An event that nobody answers is delivered again and again, and in the end Slack shuts them all off."""
    slack = next(module for module in modules("bot") if module.file == "bot/slack.py")
    listened = {
        node.args[0].value
        for node in ast.walk(slack.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event"
        if isinstance(node.args[0], ast.Constant)
    }
    assert {event.partition(".")[0] for event in manifest.EVENTS} == listened | set(HEARD), "bot/manifest.py"
    assert not listened & set(HEARD), "acknowledged before somebody reads it: take it out of HEARD"


def test_the_scopes_cover_the_events() -> None:
    assert set(manifest.EVENTS.values()) - {""} <= set(NEEDED_SCOPES)
    assert [event for event, scope in manifest.EVENTS.items() if not scope] == ["app_home_opened"]


# Takes a scope without being a method or an event.
OTHERWISE = {
    "commands": "slash_commands",  # the manifest has one
    "metadata.message:read": "include_all_metadata",  # an argument of conversations.history
}


def test_the_scopes_cover_every_method_that_serving_calls() -> None:
    called = methods()
    assert len(called) > 20
    unknown = sorted(called - set(SCOPES))
    assert unknown == [], "say in SCOPES which scopes these take"
    wanted = set().union(*(SCOPES[method] for method in called))
    needed = {scope for scope, (is_needed, _) in NEEDED_SCOPES.items() if is_needed}
    assert wanted - needed - {"canvases:write"} == set()  # without it there is the file alone
    assert wanted <= set(NEEDED_SCOPES)


def test_no_scope_is_asked_for_that_nothing_uses() -> None:
    used = set().union(*(SCOPES[method] for method in methods())) | set(manifest.EVENTS.values())
    text = str(manifest.manifest()) + "".join(ast.unparse(module.tree) for module in modules("bot"))
    used |= {scope for scope, word in OTHERWISE.items() if word in text}
    assert sorted(set(NEEDED_SCOPES) - used) == [], "bot/scopes.py"


def test_no_method_stands_in_the_table_that_nobody_calls() -> None:
    assert sorted(set(SCOPES) - methods()) == []


def methods() -> set[str]:
    """Those that serving calls: the doctor looks, and gets by without."""
    files = [module.file for module in modules("bot") if not module.file.startswith("bot/doctor/")]
    return set().union(*(methods_of(file) for file in files))


def methods_of(file: str) -> set[str]:
    """The Web API methods a module names, as "chat.postMessage", as its beginning ("conversations.set", in an f-string) or
    as the SDK spells it."""
    module = next(module for module in modules("bot") if module.file == file)
    by_sdk = {method.replace(".", "_"): method for method in METHODS}
    said = {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant)}
    done = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    begun = {text for text in said if isinstance(text, str) and re.fullmatch(r"[a-z]+\.[a-z]{3,}", text)}
    return (
        {method for method in METHODS if method in said}
        | {method for method in SCOPES if any(method != text and method.startswith(text) for text in begun)}
        | {by_sdk[name] for name in done if name in by_sdk}
    )
