"""Every kind of Home tab there is, as what it shows: for the golden files, and for the pictures of the sandbox."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from bot.homecard import ALERTS, Few, Glance, Home, Shift, Told
from commands.finding import Light
from commands.model import AlertGroup, Care, Place, Request, Severity
from commands.model import State as Standing
from commands.reads import RunView, WhoamiView
from commands.response.changerequest import ChangeRequest, Payload, Stage
from commands.response.incident import Item, Role
from commands.response.task import Task
from tests import build
from tests.build import ALICE, BOB, NOW
from tests.incident_cards import HOSTILE, incident, took

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
