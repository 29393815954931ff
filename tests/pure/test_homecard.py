"""The Home tab as Slack draws it: how each kind of page looks, that it stays within Slack's limits, and what no text
from outside can do there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import golden

from bot import render
from bot.blocks import HOME, Message
from bot.homecard import ALERTS, Few, Glance, Home, Shift, Told
from commands.catalog import Catalog
from commands.finding import Light
from commands.model import AlertGroup, Care, Place, Request, Severity
from commands.model import State as Standing
from commands.reads import RunView, WhoamiView
from commands.response.changerequest import ChangeRequest, Payload, Stage
from commands.response.incident import Item, Role
from commands.response.task import Task
from sandbox.slack import limits
from tests import build
from tests.build import ALICE, BOB, NOW
from tests.incident_cards import HOSTILE, incident, took

CATALOG = Catalog.load()
URL = "https://emulated.slack.com/archives/C0SREDAILY1/p1795422600000100"
TODAY = date(2026, 11, 23)


def group(name: str = "PodCrashLooping", **changes: Any) -> AlertGroup:
    said = build.alert(name, namespace="shop", pod="web-7", node="ip-10-0-2-82.eu-west-1.compute.internal")
    return build.group(said, **{"group_labels": {"alertname": name}, "cluster": "training", **changes})


def health(light: Light = Light.GREEN, **changes: Any) -> Request:
    found = build.finding(light, label="Nodes", value="3 of 3 ready", threshold="")
    done = (build.section("slo"), build.section("cluster", found))
    return build.request(
        state=Standing.ANSWERED, sections=done, finished=NOW, place=Place("C0SREDAILY1"), **changes
    )


def change_request(**changes: Any) -> ChangeRequest:
    payload = Payload(
        "deploy checkout 2.0", "checkout", "training", "shop", NOW + timedelta(hours=2), timedelta(minutes=10),
        "`/sre deploy rollback checkout`", "new prices",
    )  # fmt: skip
    made = ChangeRequest(
        "CR-2026-11-23-001", payload, payload.digest, BOB.user, NOW, NOW, "C0SREDAILY1", stage=Stage.PENDING
    )
    return replace(made, **changes)


def task(**changes: Any) -> Task:
    made = Task("TSK-2026-11-20-001", "rotate the logs", ALICE.user, date(2026, 11, 21), NOW, NOW, BOB.user)
    return replace(made, **changes)


RUN = RunView("morning-health", "health", "30 8 * * 1-5", NOW + timedelta(hours=20))
WHO = WhoamiView(
    ("sre", "oncall"), (), frozenset({"node drain", "node cordon", "pod delete"}), (), ALICE.user
)
EMPTY = Home(
    ALICE.user,
    "D0ALICE0001",
    clusters=(Glance("training", deaf="no Watchdog of it was ever heard"),),
    today=TODAY,
)
BUSY = replace(
    EMPTY,
    alerts=Few.of(
        [
            Told(group(care=Care(acked=NOW, acked_by=ALICE.user, owner=ALICE.user)), URL, is_mine=True),
            Told(group("NodeDiskFilling", severity=Severity.WARNING, care=Care(owner=BOB.user)), URL),
            Told(group("CertificateExpires", severity=Severity.INFO, care=Care(acked=NOW, acked_by=BOB.user))),
        ],
        ALERTS,
    ),
    incidents=Few.of(
        [
            Told(incident(took("ic", ALICE.user, 1))),
            Told(incident(title="a token leaked", severity=2, private="yes"), URL),
        ],
        10,
    ),
    waiting=Few.of([Told(build.change_request(build.plan(), actor=BOB), URL)], 8),
    changes=Few.of([Told(change_request(), URL)], 8),
    clusters=(
        Glance("training", ((Severity.CRITICAL, 1), (Severity.WARNING, 2)), health=Told(health(), URL)),
        Glance("prod-eu1", health=Told(health(Light.RED, cluster="prod-eu1"), URL), age=2),
        Glance("prod-us1", deaf="its Watchdog is not heard any more"),
    ),
    tasks=Few.of([task(), task(id="TSK-2026-11-23-002", due=TODAY, is_drill=True)], 8),
    owed=Few.of([("INC-2026-11-23-001", Item("status", "start", "Tell users how it stands", Role.IC, NOW))], 8),
    runs=(RUN, replace(RUN, text="audit copy", overdue=True), replace(RUN, text="review weekly", result="failed")),
    shifts=(Shift(ALICE.user, NOW + timedelta(days=2)), Shift(BOB.user, None)),
    who=WHO,
)  # fmt: skip
MANY = replace(
    EMPTY,
    alerts=Few.of([Told(group(f"Alert{n:03}"), URL) for n in range(200)], ALERTS),
    who=replace(WHO, unsure=("approvers",), changes=frozenset(f"word verb{n:02}" for n in range(40))),
)
HOSTILES = replace(
    BUSY,
    alerts=Few.of([Told(group(HOSTILE, cluster=HOSTILE), "javascript:alert(1)")], ALERTS),
    incidents=Few.of([Told(incident(title=HOSTILE))], 10),
    waiting=Few.of([Told(build.change_request(build.plan(), text=HOSTILE, why=HOSTILE))], 8),
    changes=Few.of([Told(change_request(payload=replace(change_request().payload, what=HOSTILE)))], 8),
    tasks=Few.of([task(title=HOSTILE)], 8),
    runs=(replace(RUN, text=HOSTILE),),
    who=replace(WHO, roles=(HOSTILE,)),
)
PAGES: Mapping[str, Home] = {
    "home-empty": EMPTY,
    "home-busy": BUSY,
    "home-many": MANY,
    "home-guest": Home(
        "U0DAVE00001", "D0DAVE00001", sentence="This page is for the members of this workspace."
    ),
    "home-hostile": HOSTILES,
}


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
    assert "and 32 more" in said(MANY) and "user groups of `approvers`" in said(MANY)


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
