"""The Home tab as Slack draws it: how each kind of page looks, that it stays within Slack's limits, and what no text
from outside can do there."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import golden

from bot import render
from bot.blocks import HOME, Message
from bot.homecard import ALERTS, ROLE_WORDS, Few, Glance, Home, Told
from commands.catalog import Catalog
from commands.reads import WhoamiView
from commands.site import ROLES
from sandbox.slack import limits
from tests import build
from tests.home_pages import (
    BUSY,
    EMPTY,
    HOSTILES,
    MANY,
    PAGES,
    RUN,
    URL,
    change_request,
    group,
    health,
    task,
)
from tests.incident_cards import incident

CATALOG = Catalog.load()


def drawn(page: Home) -> Any:
    return render.home(page, lambda text: text)


def said(page: Home) -> str:
    return "\n".join(texts(drawn(page)["blocks"]))


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for value in node.values() for text in texts(value)]
    return [text for each in node for text in texts(each)] if isinstance(node, list) else []


@pytest.mark.parametrize("name", PAGES)
def test_pages_look_as_they_did(name: str) -> None:
    view = drawn(PAGES[name])
    limits.view(json.loads(json.dumps(view)), kinds=("home",))
    golden(name, (Message(view["private_metadata"], view["callback_id"], tuple(view["blocks"])),))


@pytest.mark.parametrize("name", PAGES)
def test_every_button_types_a_line_and_none_decides(name: str) -> None:
    pressed = [
        each
        for block in drawn(PAGES[name])["blocks"]
        for each in block.get("elements", ())
        if "value" in each
    ]
    assert all(each["action_id"].startswith("submit:") for each in pressed)
    lines = [CATALOG.parse(each["value"].partition(" --cluster")[0]) for each in pressed]
    assert not [line.args for line in lines if line.command.change or line.command.decides]


def test_the_roles_of_the_house_are_said_in_words() -> None:
    assert set(ROLE_WORDS) == set(ROLES), "each role has its words"
    who = WhoamiView(roles=("two_person", "sre-lead"), unsure=("db-owner",))
    told = said(replace(EMPTY, who=who))
    assert "Roles: approver where it takes two, SRE lead\n" in told
    assert "who is in the user groups of these roles: database owner\n" in told
    assert not [role for role in ("two_person", "sre-lead", "db-owner") if role in told]


def test_nothing_is_green_that_was_not_read() -> None:
    assert "🟢" not in said(EMPTY) and "⚪ health was never read" in said(EMPTY)
    old = replace(EMPTY, clusters=(Glance("training", health=Told(health(), URL), age=1),))
    assert "🟢" not in said(old) and "⚪ read 1 day ago, which says nothing of now" in said(old)
    fresh = replace(EMPTY, clusters=(Glance("training", health=Told(health(), URL)),))
    assert "🟢 health · training: 2/2 green" in said(fresh)


def test_that_no_alert_fires_is_said_only_where_one_would_have_arrived() -> None:
    assert "no alert fires" not in said(EMPTY)
    heard = replace(EMPTY, clusters=(Glance("training"),))
    assert "*training* · no alert fires" in said(heard)


def test_what_does_not_fit_is_counted_with_the_way_to_it() -> None:
    assert said(MANY).count("PodCrash") == 0 and "and 180 more: `/sre alert list`" in said(MANY)
    assert "Alert019" in said(MANY) and "Alert020" not in said(MANY)
    assert "and 32 more" in said(MANY) and "user groups of these roles: approver" in said(MANY)


def test_a_text_from_outside_mentions_nobody_and_links_nowhere() -> None:
    told = said(HOSTILES)
    assert "<!channel>" not in told and "<https://evil" not in told and "javascript" not in told
    assert "⟨U+202E⟩" in told
    assert "<@U0BOB000001> <" not in told


def test_a_secret_is_masked_wherever_it_stands() -> None:
    word = "hunter2"
    page = replace(
        HOSTILES,
        alerts=Few.of([Told(group(word))], ALERTS), incidents=Few.of([Told(incident(title=word))], 10),
        waiting=Few.of([Told(build.change_request(build.plan(), text=word, why=word))], 8),
        tasks=Few.of([task(title=word)], 8),
    )  # fmt: skip
    view = render.home(page, lambda text: text.replace(word, "***"))
    assert word not in json.dumps(view) and "***" in json.dumps(view)


TEXT = st.text(max_size=4000)


@settings(max_examples=40, deadline=None)
@given(TEXT, st.integers(1, 60))
def test_no_page_breaks_a_limit_of_slack(text: str, count: int) -> None:
    page = replace(
        BUSY,
        alerts=Few.of([Told(group(text or "x", cluster=text), URL)] * count, ALERTS),
        incidents=Few.of([Told(incident(title=text))] * count, 10),
        waiting=Few.of([Told(build.change_request(build.plan(), text=text, why=text))] * count, 8),
        changes=Few.of([Told(change_request(payload=replace(change_request().payload, what=text)))] * count, 8),
        clusters=tuple(Glance(text or "x", deaf=text, age=3, health=Told(health(), URL)) for _ in range(count)),
        tasks=Few.of([task(title=text)] * count, 8), runs=(replace(RUN, text=text),) * 5,
    )  # fmt: skip
    view = json.loads(json.dumps(drawn(page)))
    limits.view(view, kinds=("home",))
    assert len(view["blocks"]) <= HOME
