"""The compare-and-set transaction on a real Redis: all or nothing, once, and with RQ's own commands."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis.exceptions import RedisError
from rq.job import Job

from bot.outbox import Outbox, Sent
from bot.state import GIVEN_UP, Conflict, HouseJob, State, Taken, connect, new_id
from commands.model import State as Standing
from commands.reads import HeartbeatView, WebhookHeartbeat
from sandbox.redis_server import RedisServer
from tests import build
from workers.clients import Own

MINUTE = timedelta(minutes=1)


def opened(state: State, id: str = "RTEST0001") -> None:
    request = build.request(id)
    change = state.change().put(request, was="").show(request).work(request, timeout=MINUTE)
    change.audit("submitted", id=id).once(f"delivery:{id}", id, MINUTE).commit()


def test_a_change_writes_record_audit_outbox_and_job_together(state: State) -> None:
    opened(state)
    stored = state.request("RTEST0001")
    assert stored is not None
    assert stored.record == build.request()
    assert stored.version == "1"
    assert [line["what"] for line in build.audit_lines(state)] == ["submitted"]
    assert state.depths() == {"outbox": 1, "dead_letters": 0, "open_requests": 1, "queued_jobs": 1}
    job = HouseJob.fetch(state.queue.job_ids[0], connection=state.redis, serializer=state.queue.serializer)
    assert (job.func_name, list(job.args)) == ("workers.jobs.answer", ["RTEST0001"])


def test_a_lost_race_writes_nothing_at_all(state: State) -> None:
    opened(state)
    request = build.request()
    late = state.change().put(request, was="").show(request).work(request, timeout=MINUTE).audit("submitted")
    with pytest.raises(Conflict):
        late.commit()
    assert len(build.audit_lines(state)) == 1
    assert state.depths()["queued_jobs"] == 1


def test_of_fifty_concurrent_changes_of_one_version_one_wins(state: State) -> None:
    opened(state)
    stored = state.request("RTEST0001")
    assert stored is not None
    done = stored.record.move(Standing.ANSWERED, finished=build.NOW)

    def attempt(_: int) -> bool:
        change = state.change().put(done, was=stored.version).audit("answered", id=done.id)
        try:
            change.work(done, timeout=MINUTE).commit()
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        winners = sum(pool.map(attempt, range(50)))
    assert winners == 1
    assert [line["what"] for line in build.audit_lines(state)] == ["submitted", "answered"]
    assert state.depths()["queued_jobs"] == 2  # one from opening it, one from the winner


def test_a_delivery_that_was_seen_opens_nothing_and_names_the_first(state: State) -> None:
    opened(state)
    again = build.request("RTEST0002")
    copy = state.change().put(again, was="").once("delivery:RTEST0001", again.id, MINUTE)
    with pytest.raises(Taken) as taken:
        copy.commit()
    assert taken.value.value == "RTEST0001"
    assert state.request("RTEST0002") is None


def test_a_commit_whose_answer_got_lost_may_be_sent_again(state: State) -> None:
    """redis-py repeats a command after a lost connection; the second run must see its own token."""
    request = build.request()
    change = state.change().put(request, was="").audit("submitted").once("delivery:x", request.id, MINUTE)
    change.commit()
    change.commit()
    assert len(build.audit_lines(state)) == 1


def test_a_job_of_another_name_is_not_run(state: State) -> None:
    job = HouseJob.create(
        "os.system", args=("true",), connection=state.redis, serializer=state.queue.serializer
    )
    with pytest.raises(PermissionError, match=r"os\.system"):
        _ = job.func
    assert Job.create("os.getpid", connection=state.redis).func is not None  # RQ itself would have called it


def test_jobs_hold_no_pickle(state: State) -> None:
    opened(state)
    raw = state.redis.hget(f"rq:job:{state.queue.job_ids[0]}", "data")
    assert b"RTEST0001" in __import__("zlib").decompress(raw)


def test_a_lease_has_one_holder_and_is_free_after_it(state: State) -> None:
    with state.lease("request:R1") as first, state.lease("request:R1") as second:
        assert (first, second) == (True, False)
    with state.lease("request:R1") as third:
        assert third


def test_a_lease_is_renewed_while_its_holder_lives(state: State) -> None:
    with state.lease("request:R1", timedelta(seconds=3)):
        key = "sre:lease:request:R1"
        # Past its first time to live: a renewal is seen as the remaining time growing again.
        remaining = [state.redis.pttl(key)]
        while remaining[-1] <= remaining[max(len(remaining) - 2, 0)]:
            remaining.append(state.redis.pttl(key))
            assert remaining[-1] > 0
    assert not state.redis.exists(key)


def test_open_requests_without_a_worker_are_found(state: State) -> None:
    opened(state, "RHELD0001")
    opened(state, "RLOST0001")
    opened(state, "RWAIT0001")
    waiting = next(job for job in state.queue.job_ids if "RWAIT0001" in job)
    state.redis.delete(state.queue.key)
    state.queue.push_job_id(waiting)
    state.redis.zadd("sre:open", {"RHELD0001": 0, "RLOST0001": 0, "RWAIT0001": 0})
    with state.lease("request:RHELD0001"):
        assert state.forgotten() == ["RLOST0001"]
        assert state.forgotten() == []  # looked at again only a little later


def test_marks_are_due_by_redis_clock_and_not_by_the_clock_of_who_wrote_them(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    opened(state)
    assert Outbox(state).claim(timedelta(seconds=5)) is not None
    now = state.redis.time()[0] * 1000
    assert now < state.redis.zscore("sre:open", "RTEST0001") < now + 20_000


def test_nothing_a_person_types_is_taken_for_the_clock(state: State) -> None:
    state.change().put(build.request(), was="").audit("submitted", text="@now+5").commit()
    assert build.audit_lines(state)[0]["text"] == "@now+5"


def test_callbacks_on_a_job_are_not_called(state: State) -> None:
    opened(state)
    job = HouseJob.fetch(state.queue.job_ids[0], connection=state.redis, serializer=state.queue.serializer)
    job._success_callback_name = "os.getpid"
    assert job.success_callback is job.failure_callback is job.stopped_callback is None


def test_what_slack_has_is_remembered_as_long_as_the_record(state: State) -> None:
    group = build.group()
    state.change().put(group, was="").commit()
    Outbox(state).note_sent("alert:ATEST", "1:card", Sent(ts="1.1"))
    state.change().put(group, was="1").commit()
    assert state.redis.ttl("sre:sent:alert:ATEST") == -1
    state.change().put(group, was="2", keep=timedelta(days=30)).commit()
    assert state.redis.ttl("sre:sent:alert:ATEST") > 2_500_000


def test_the_heartbeat_knows_the_last_webhook_and_the_latest_start(state: State) -> None:
    own = Own(state, "webhook")
    assert own.read(WebhookHeartbeat(), 0.0) == HeartbeatView(None, None)
    state.beat("bot-start")
    first = own.read(WebhookHeartbeat(), 0.0)
    assert (first.last, first.listening_since) == (None, state.heard("bot-start"))
    state.beat("webhook")
    state.beat("bot-start")
    later = own.read(WebhookHeartbeat(), 0.0)
    assert first.listening_since < later.last < later.listening_since


def test_ids_are_short_typeable_and_do_not_repeat() -> None:
    ids = {new_id("R") for _ in range(2000)}
    assert len(ids) == 2000
    assert all(len(id) == 9 and not set(id[1:]) & set("01IO") for id in ids)


def test_the_front_gives_up_before_slack_does(redis_server: RedisServer) -> None:
    with RedisServer() as gone:
        redis = connect(gone.url, patient=False)
        gone.pause()
        try:
            with pytest.raises(RedisError):
                redis.ping()
        finally:
            gone.resume()
            redis.close()


def test_what_was_given_up_is_not_done_later() -> None:
    """A stopped Redis finds the change in its socket when it goes on."""
    with RedisServer() as server:
        redis = connect(server.url, patient=False)
        state = State(redis, GIVEN_UP)
        opened(state, "RFIRST001")
        server.pause()
        try:
            with pytest.raises(RedisError):
                opened(state, "RLATER001")
            until = time.monotonic() + GIVEN_UP.total_seconds()
            while time.monotonic() < until:
                pass
        finally:
            server.resume()
        while True:
            try:
                assert state.request("RLATER001") is None
                break
            except RedisError:
                continue  # the breaker has not looked again yet
        opened(state, "RAFTER001")
        redis.close()


def test_what_was_committed_survives_a_kill_of_redis() -> None:
    with RedisServer() as server:
        redis = connect(server.url, patient=True)
        state = State(redis)
        for n in range(50):
            opened(state, f"RKILL{n:04}")
        server.kill()
        server.restart()
        assert all(state.request(f"RKILL{n:04}") for n in range(50))
        assert state.depths()["outbox"] == 50
        redis.close()


# --- the outbox ---


def marked(state: State, id: str, *, channel: str = "C1", priority: int = 3) -> str:
    request = build.request(id, place=build.Place(channel))
    state.change().put(request, was="").show(request, priority=priority).commit()
    return f"request:{id}"


LEASE = timedelta(seconds=30)


def test_the_most_urgent_card_of_a_free_channel_comes_first(state: State) -> None:
    outbox = Outbox(state)
    marked(state, "RSLOW0001", channel="C1", priority=5)
    urgent = marked(state, "RPAGE0001", channel="C1", priority=0)
    other = marked(state, "ROTHER001", channel="C2", priority=5)
    claims = [outbox.claim(LEASE), outbox.claim(LEASE), outbox.claim(LEASE)]
    assert [claim.card if claim else None for claim in claims] == [urgent, other, None]


def test_a_card_marked_during_its_claim_is_sent_once_more(state: State) -> None:
    outbox = Outbox(state)
    card = marked(state, "RAGAIN001")
    claim = outbox.claim(LEASE)
    assert claim is not None
    stored = state.request("RAGAIN001")
    assert stored is not None
    state.change().put(stored.record, was=stored.version).show(stored.record).commit()
    outbox.release(claim, again=None)
    again = outbox.claim(LEASE)
    assert again is not None and again.card == card
    outbox.release(again, again=None)
    assert outbox.claim(LEASE) is None


def test_a_claim_that_ran_out_is_taken_over_and_its_first_holder_changes_nothing(state: State) -> None:
    outbox = Outbox(state)
    marked(state, "RDEAD0001")
    dead = outbox.claim(timedelta(milliseconds=1))
    assert dead is not None
    heir = None
    while heir is None:
        heir = outbox.claim(LEASE)
    outbox.release(dead, again=None)
    assert state.depths()["outbox"] == 1
    outbox.release(heir, again=None)
    assert state.depths()["outbox"] == 0


def test_a_claim_is_kept_while_its_call_takes_longer_than_the_lease(state: State) -> None:
    outbox, lease = Outbox(state), timedelta(milliseconds=1500)
    marked(state, "RLONG0001")
    claim = outbox.claim(lease)
    assert claim is not None
    with outbox.holding(claim, lease):
        until = time.monotonic() + 2 * lease.total_seconds()
        while time.monotonic() < until:
            assert outbox.claim(lease) is None
            outbox.wait_for_mail(timedelta(milliseconds=50))
    while outbox.claim(lease) is None:  # given up once nobody renews it
        outbox.wait_for_mail(timedelta(milliseconds=50))


def test_a_channel_stays_closed_after_a_post(state: State) -> None:
    outbox = Outbox(state)
    marked(state, "RONE00001")
    marked(state, "RTWO00001")
    claim = outbox.claim(LEASE)
    assert claim is not None
    outbox.release(claim, again=None, pause=timedelta(seconds=20))
    assert outbox.claim(LEASE) is None


def test_a_budget_lets_a_burst_through_and_then_spreads(state: State) -> None:
    outbox = Outbox(state)
    waits = [outbox.pace("update", 60, 3) for _ in range(6)]
    assert waits[:3] == [timedelta(0)] * 3
    assert all(timedelta(0) < wait <= timedelta(seconds=1) for wait in waits[4:])


def test_a_reminder_that_stands_is_not_put_off(state: State) -> None:
    state.change().remind("told", "R1", timedelta(hours=1)).commit()
    state.change().remind("told", "R2", timedelta(hours=9)).commit()
    assert state.redis.get("sre:once:told") == b"R1"
    assert state.redis.ttl("sre:once:told") <= 3600


def test_only_its_holder_renews_and_frees_a_lease_or_a_channel(state: State) -> None:
    key = "sre:lease:request:R1"
    with state.lease("request:R1", timedelta(milliseconds=300)):
        state.redis.set(key, "somebody-else", px=10_000)
    assert state.redis.get(key) == b"somebody-else"
    outbox = Outbox(state)
    marked(state, "RLANE0001")
    claim = outbox.claim(LEASE)
    assert claim is not None
    state.redis.set("sre:lane:C1", "somebody-else")
    outbox.release(claim, again=None)
    assert state.redis.get("sre:lane:C1") == b"somebody-else"
