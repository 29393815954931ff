"""Changes while they are done, on a real Redis: baseline, samples, what they propose, how it ends, who is told."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.casebook import Casebook
from bot.intake import Intake
from bot.render import messages
from bot.state import State
from commands.effects import Evict
from commands.finding import Light
from commands.model import Notice, Request
from commands.model import State as Standing
from commands.plan import Wave
from commands.response.changeevents import Kind
from commands.response.changerequest import ChangeRequest, Stage
from commands.response.incident import Detection
from commands.site import Urls
from tests import build
from tests.build import ALICE, BOB
from tests.edges.change_desk import CAROL, LINE, SITE, Changes, refused
from tests.edges.test_records import CATALOG
from tests.edges.test_statuspage import Page, page
from workers.changepage import ChangePage

__all__ = ["page"]  # a fixture


@pytest.fixture
def post(state: State) -> Changes:
    return Changes(state)


def begun(post: Changes, text: str = "") -> ChangeRequest:
    """With its baseline frozen."""
    change = post.started(text)
    post.watching.watch()
    return post.change(change.id)


def done(post: Changes, text: str = "") -> ChangeRequest:
    """With both of its steps done."""
    change = begun(post, text)
    for number in (1, 2):
        assert post.type(f"change step {change.id} {number} done").accepted
    return post.change(change.id)


def test_no_step_begins_before_the_baseline_is_frozen(post: Changes) -> None:
    change = post.started()
    assert "still being frozen" in refused(post, f"change step {change.id} 1", ALICE)
    post.watching.watch()
    frozen = post.changes.baseline(change.id)
    assert frozen is not None and frozen["backend"].at == change.started
    assert post.change(change.id).lines[-1].text.startswith("📏 baseline frozen")


def test_what_a_step_looks_at_runs_by_itself_and_what_it_changes_is_a_button(post: Changes) -> None:
    change = begun(post, LINE.replace("switch the flag", "/sre deploy restart backend"))
    assert post.type(f"change step {change.id} 1").accepted
    requests = [post.state.request(id.decode()) for id in post.state.redis.zrange("sre:open", 0, -1)]
    told = [stored.record for stored in requests if stored and stored.record.text == "health app"]
    assert [request.place.under for request in told] == [f"change:{change.id} card"]
    post.type(f"change step {change.id} 1 done")
    receipt = post.type(f"change step {change.id} 2")
    assert "deploy restart backend" in receipt.text
    card = str(messages(post.change(change.id), lambda text: text)[0].blocks)
    assert f'deploy restart backend --why "{change.id} step 2"' in card


def test_every_minute_a_sample_is_kept_until_an_hour_after_it_is_closed(post: Changes) -> None:
    change = done(post)
    post.minutes(16)
    change = post.change(change.id)
    assert change.stage is Stage.SUCCEEDED and change.verdict == "pass"
    assert change.samples == len(post.changes.samples(change.id)) == 15  # from +2 to +16 min
    post.minutes(70)
    change = post.change(change.id)
    assert change.ended is not None and change.timer("sample") is None
    assert post.changes.samples(change.id)[-1].sample.at == change.ended + timedelta(hours=1)


def test_samples_that_a_worker_was_late_for_are_taken_as_of_their_time(post: Changes) -> None:
    change = done(post)
    post.later(minutes=10)
    for _ in range(12):
        post.watching.watch()
    taken = [judged.sample.at for judged in post.changes.samples(change.id)]
    began = post.change(change.id).started
    assert began is not None
    assert taken == [began + timedelta(minutes=n) for n in range(2, 11)]


def test_validation_is_made_at_5_15_and_60_minutes(post: Changes) -> None:
    change = done(post)
    post.minutes(61)
    assert [look.due for look in post.change(change.id).validated] == ["5", "15", "60"]
    labels = {line.label for line in post.change(change.id).validated[0].lines}
    assert labels >= {"Errors", "p95", "CPU of a pod", "Memory of a pod", "User acceptance"}


def test_a_new_baseline_is_taken_of_what_the_change_left_and_the_old_one_is_kept(post: Changes) -> None:
    change = done(post)
    rebaseline = f"change validate {change.id} --rebaseline"
    assert "is validating: a new baseline follows" in refused(post, rebaseline, ALICE)
    assert post.type(f"change close {change.id} --why orders-arrive").accepted
    assert "needs 10 min" in refused(post, rebaseline, ALICE)
    post.minutes(20)
    assert "Only who asked" in refused(post, rebaseline, BOB)
    post.shop.bad = 6
    assert post.type(rebaseline).accepted
    post.watching.watch()
    kept = [event for event in post.changes.events(change.id) if event.kind == Kind.BASELINE]
    old, new = (json.loads(event.facts["baseline"])["backend"]["recent"]["bad"]["number"] for event in kept)
    assert (old, new) == (4.0, 6.0)
    known = post.changes.baseline(change.id)
    assert known is not None and known["backend"].recent.spans[0][0] == change.done
    assert known["backend"].last_week.spans == ()
    told = post.change(change.id).lines[-1].text
    assert (
        told.startswith("📏 new baseline: 0.30 %")
        and f"of {change.started:%Y-%m-%d %H:%M} UTC: 0.20 %" in told
    )
    assert post.change(change.id).timer("baseline") is None


def test_what_is_not_measured_takes_no_baseline_s_place(post: Changes) -> None:
    change = done(post)
    post.minutes(20)
    before = post.changes.baseline(change.id)
    post.shop.is_dark = True
    assert post.type(f"change validate {change.id} --rebaseline").accepted
    post.watching.watch()
    assert "no new baseline could be taken" in post.change(change.id).lines[-1].text
    assert post.changes.baseline(change.id) == before


# --- When it is worse -----------------------------------------------------------------------------


def test_a_breach_proposes_the_rollback_at_once_and_rolls_nothing_back(post: Changes) -> None:
    change = begun(post)
    post.shop.bad = 9  # 0.45 %, and 0.20 % before
    post.minutes(2)
    assert post.change(change.id).verdict == "watching"
    post.minutes(1)
    change = post.change(change.id)
    assert (change.stage, change.verdict) == (Stage.EXECUTING, "fail")
    (line,) = [line for line in change.lines if "Roll back now?" in line.text]
    assert line.mention == ALICE.user and "2 of 2 in a row used" in line.text
    card = str(messages(change, lambda text: text)[0].blocks)
    assert f'deploy rollback backend --why "{change.id} rollback"' in card


def test_a_prometheus_that_is_down_is_blind_and_proposes_nothing(post: Changes) -> None:
    change = begun(post)
    post.shop.is_dark = True
    post.minutes(8)
    change = post.change(change.id)
    assert (change.stage, change.verdict) == (Stage.EXECUTING, "blind")
    assert not [line for line in change.lines if "Roll back" in line.text]
    assert any("nobody sees how it does" in line.text for line in change.lines)


def test_what_nobody_decides_for_half_an_hour_calls_whoever_is_on_call(post: Changes) -> None:
    change = done(post)
    post.shop.requests = 40  # too few to be judged
    post.minutes(16)
    assert post.change(change.id).verdict == "inconclusive"
    post.minutes(31)
    told = [line for line in post.change(change.id).lines if line.text.startswith("📟")]
    assert len(told) == 1 and told[0].mention == ALICE.user
    assert post.type(f"change close {change.id} --why orders-arrive").accepted
    assert post.change(change.id).stage is Stage.SUCCEEDED


def test_three_people_who_say_within_ten_minutes_that_users_complain_fail_it(post: Changes) -> None:
    change = begun(post)
    post.minutes(2)
    for who in (ALICE, BOB, ALICE):
        assert post.type(f"change report {change.id}", who).accepted
    post.minutes(1)
    assert post.change(change.id).verdict == "watching"
    post.type(f"change report {change.id}", CAROL)
    post.minutes(1)
    assert post.change(change.id).verdict == "fail"


def test_one_that_cannot_be_taken_back_has_failed_and_calls_whoever_is_on_call(state: State) -> None:
    site = replace(SITE, roles=replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=(BOB.user,))))
    post = Changes(state, site)
    line = LINE.replace('--rollback "/sre deploy rollback backend"', "--irreversible")
    change = done(post, line)
    post.shop.bad = 60
    post.minutes(4)
    change = post.change(change.id)
    assert change.stage is Stage.FAILED
    assert [line.mention for line in change.lines if "cannot be taken back: declare" in line.text] == [
        BOB.user
    ]


# --- Taken back -----------------------------------------------------------------------------------


def rolled_back(post: Changes, change: ChangeRequest, to: Standing) -> Request:
    """The button's change on the usual road, as its worker leaves it."""
    request = build.request(
        "RBACK0001", text="deploy rollback backend", state=to, why=f"{change.id} rollback", created=post.now
    )
    stored = post.state.request(request.id)
    writing = post.state.change().put(request, was=stored.version if stored else "")
    writing.audit(to.value, id=request.id, by=BOB.user, text=request.text).commit()
    post.watching.follow()
    return request


def failing(post: Changes) -> ChangeRequest:
    change = begun(post)
    post.watching.follow()
    post.shop.bad = 60
    post.minutes(3)
    return change


def test_a_rollback_that_helped_is_verified(post: Changes) -> None:
    change = failing(post)
    rolled_back(post, change, Standing.APPLYING)
    assert post.change(change.id).stage is Stage.ROLLING_BACK
    rolled_back(post, change, Standing.SUCCEEDED)
    post.shop.bad = 4
    post.minutes(4)
    change = post.change(change.id)
    assert change.stage is Stage.ROLLED_BACK and change.restored is not None and change.incident == ""
    assert [each.request for each in change.linked] == ["RBACK0001"]


def test_a_rollback_that_did_not_help_opens_a_sev2_with_the_change_linked(post: Changes) -> None:
    change = failing(post)
    rolled_back(post, change, Standing.APPLYING)
    rolled_back(post, change, Standing.SUCCEEDED)
    post.minutes(12)
    change = post.change(change.id)
    assert change.stage is Stage.ROLLBACK_FAILED
    (incident,) = post.records.open_incidents()
    assert change.incident == incident.id and incident.severity == 2
    assert incident.detection is Detection.CHANGE and incident.service == "backend"
    assert incident.caused_by is not None and incident.caused_by.change == change.id
    post.minutes(3)
    assert len(post.records.open_incidents()) == 1


def test_it_says_nothing_of_a_private_incident_and_opens_another(post: Changes) -> None:
    change = failing(post)
    hidden = post.declare("sev2 keys are out --service backend --private")
    rolled_back(post, change, Standing.APPLYING)
    rolled_back(post, change, Standing.FAILED)
    post.minutes(1)
    change = post.change(change.id)
    assert change.incident not in ("", hidden.id) and hidden.id not in str(change.lines)


def test_a_rollback_that_failed_itself_is_no_recovery(post: Changes) -> None:
    change = failing(post)
    rolled_back(post, change, Standing.APPLYING)
    rolled_back(post, change, Standing.FAILED)
    post.minutes(1)
    assert post.change(change.id).stage is Stage.ROLLBACK_FAILED
    assert len(post.records.open_incidents()) == 1


AUTO = f"{LINE} --auto"


def asked_back(post: Changes, change: ChangeRequest) -> Request:
    """The rollback that was asked for by itself."""
    (linked,) = post.change(change.id).linked_back
    stored = post.state.request(linked.request)
    assert stored is not None
    return stored.record


def planned(post: Changes, request: Request, light: Light, namespace: str = "sre-shop") -> None:
    """Its worker has made the plan and put it before people."""
    stored = post.state.request(request.id)
    assert stored is not None
    back = build.step(effect=Evict(build.pod(namespace=namespace), "node-3"))
    plan = build.plan(findings=(build.finding(light),), waves=(Wave("Roll back", (back,)),))
    moved = stored.record.move(Standing.AWAITING, plan=plan, asking=build.asking(plan))
    post.state.change().put(moved, was=stored.version).commit()


def test_one_that_says_so_is_taken_back_by_itself_with_the_approvals_it_has(post: Changes) -> None:
    change = begun(post, AUTO)
    post.shop.bad = 60
    for _ in range(2):
        post.later(minutes=1)
        post.watching.watch()
    post.watching.watch()
    assert post.change(change.id).stage is Stage.ROLLING_BACK
    request = asked_back(post, change)
    assert request.text.startswith(f'deploy rollback backend --why "{change.id} rollback')
    assert request.actor.user == ALICE.user
    planned(post, request, Light.GREEN)
    post.later(seconds=3).watching.watch()
    granted = asked_back(post, change)
    assert granted.state is Standing.APPROVED and granted.asking is not None
    assert [each.user for each in granted.asking.approvals] == [BOB.user]
    post.minutes(3)
    assert len(post.change(change.id).linked_back) == 1  # one for each change, never two


@pytest.mark.parametrize(("light", "namespace"), [(Light.YELLOW, "sre-shop"), (Light.GREEN, "payments")])
def test_a_rollback_by_itself_with_risks_or_elsewhere_waits_for_somebody(
    post: Changes, light: Light, namespace: str
) -> None:
    change = begun(post, AUTO)
    post.shop.bad = 60
    for _ in range(2):
        post.later(minutes=1)
        post.watching.watch()
    post.watching.watch()
    planned(post, asked_back(post, change), light, namespace)
    post.later(seconds=3).watching.watch()
    assert asked_back(post, change).state is Standing.AWAITING
    assert "must be looked at by somebody first" in post.change(change.id).lines[-1].text


def test_what_is_done_while_its_service_has_an_incident_is_told_in_that_timeline_once(post: Changes) -> None:
    change = post.approved()
    incident = post.declare("sev3 backend is slow --service backend --thread")
    post.watching.follow()
    assert post.type(f"change start {change.id}").accepted
    for _ in range(2):
        post.watching.follow()
    told = [event for event in post.records.events(incident.id) if change.id in event.text]
    assert [(event.text, event.by) for event in told] == [(f"{change.id} begins: checkout 2.0", ALICE.user)]
    assert post.incident(incident.id).related == (change.id,)


# --- Who is told ----------------------------------------------------------------------------------


def notice(post: Changes, change: ChangeRequest) -> Notice:
    stored = post.state.load(f"notice:{change.id}-1")
    assert stored is not None and isinstance(stored.record, Notice)
    return stored.record


def test_stakeholders_are_told_again_when_it_is_edited_and_an_hour_before(post: Changes) -> None:
    change = post.ask(LINE.replace("--at now", "--at +180m"))
    post.type(f"change notify {change.id}")
    post.watching.watch()
    assert "12:30 to 13:00 (Europe/Berlin)" in notice(post, change).text
    post.type(f"change edit {change.id} --for 60m")
    post.work()
    post.watching.watch()
    assert "12:30 to 13:30" in notice(post, change).text and notice(post, change).lines == ()
    post.minutes(121)
    assert [line.text for line in notice(post, change).lines] == [
        f"⏰ checkout 2.0 begins in one hour ({change.id})"
    ]


@pytest.mark.parametrize(
    ("name", "labels", "mention"),
    [
        ("HighLatency", {}, ""),
        ("PodCrashLooping", {}, BOB.user),
        ("HighLatency", {"cluster": "other"}, BOB.user),
    ],
)
def test_an_alert_that_the_change_expects_calls_nobody_and_another_does(
    state: State, name: str, labels: dict[str, str], mention: str
) -> None:
    site = replace(SITE, roles=replace(SITE.roles, oncall=replace(SITE.roles.oncall, rota=(BOB.user,))))
    post = Changes(state, site)
    change = begun(post, f"{LINE} --expected HighLatency")
    alert = {
        "status": "firing", "labels": {"alertname": name, "severity": "critical", **labels}, "annotations": {},
        "startsAt": post.now.isoformat(), "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f1", "generatorURL": "",
    }  # fmt: skip
    body = {
        "version": "4", "groupKey": "k", "status": "firing", "receiver": "r", "alerts": [alert], "truncatedAlerts": 0,
        "groupLabels": {"alertname": name}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
    }  # fmt: skip
    Intake(state, CATALOG, site, now=post.clock).take(json.dumps(body).encode())
    (group,) = Casebook(state, site).open_groups()
    assert group.mention == mention
    told = [line.text for line in group.lines]
    assert told == ([] if mention else [f"🏷️ expected while {change.id} is done: nobody is called"])


def test_what_nobody_decides_on_expires_by_itself(post: Changes) -> None:
    change = post.ask()
    post.later(hours=4)
    post.watching.watch()
    assert post.change(change.id).stage is Stage.EXPIRED
    kinds = [event.facts.get("move") for event in post.changes.events(change.id) if event.kind == Kind.MOVED]
    assert kinds[-1] == "expire"


def test_the_status_page_is_told_whenever_it_changes_and_again_when_it_did_not_take_it(
    state: State, page: Page
) -> None:
    cluster = replace(next(iter(SITE.clusters.values())), urls=Urls(status_page_webhook=page.url))
    post = Changes(state, replace(SITE, clusters={cluster.name: cluster}))
    teller = ChangePage(state, post.site, "s3cret-token", post.clock)
    change = post.ask(LINE.replace("--at now", "--at +180m"))
    page.status = 503
    assert "The status page is told" in post.type(f"change notify {change.id} --status-page").text
    teller.tell_due()
    assert "does not have it yet" in post.change(change.id).lines[-1].text
    page.status = 204
    state.redis.delete(f"sre:memo:rest-{change.id}-page")
    teller.tell_due()
    (headers, body), (_, first) = page.got[-1], page.got[0]
    assert body == first and headers["Authorization"] == "Bearer s3cret-token"
    assert (body["change"], body["status"], body["downtime_seconds"]) == (change.id, "pending", 1800)
    teller.tell_due()
    assert len(page.got) == 2
    post.type(f"change cancel {change.id}")
    teller.tell_due()
    assert page.got[-1][1]["status"] == "canceled"


def test_without_a_status_page_somebody_must_write_there(post: Changes) -> None:
    change = post.ask()
    receipt = post.type(f"change notify {change.id} --status-page")
    assert "must write there by hand" in receipt.text and not post.change(change.id).is_on_page
