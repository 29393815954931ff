"""The audit trail on a real Redis: one unbroken chain, every hand in it noticed, its copies in S3."""

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_aws import use

from bot import audit
from bot.secret import Redactor
from bot.state import Conflict, State, connect
from commands import grammar
from commands.audit import COMMANDS, trail, verifying
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args, Section
from commands.reads import AuditChain, AuditPage, AuditProgress, AuditTrail, KeepAudit
from commands.site import Backup, ClusterSite
from sandbox import aws as sandbox
from sandbox.redis_server import RedisServer
from tests import build
from workers.aws import Bucket
from workers.clients import Own
from workers.reader import Reader
from workers.trail import PREFIX, TrailSource, copies
from workers.walk import walk

ROOT = Path(__file__).parents[2]
REGION, BUCKET = "eu-central-1", "shop-backups"
DAY = timedelta(days=1)
Stored = list[tuple[bytes, dict[bytes, bytes]]]


def tell(state: State, *names: str) -> None:
    for name in names:
        state.change().audit("submitted", by=name, text=f"node drain {name}").commit()


def stored(state: State) -> Stored:
    lines: Stored = state.redis.xrange(audit.STREAM)
    return lines


def rewrite(state: State, lines: Stored) -> None:
    """As somebody with a hand in Redis: the stream anew, its head as it was."""
    state.redis.delete(audit.STREAM)
    for _, line in lines:
        state.redis.xadd(audit.STREAM, line)


def asked(state: State, verb: str, bucket: Any = None, **source: Any) -> Section:
    """What the command says, over the real reader."""
    sources = (Own(state, "webhook"), TrailSource(state.trail, bucket, **source))
    (part,) = verifying.parts(Args("audit", verb), ClusterSite()).values()
    return walk(part.inquiry, Reader(sources, timedelta(seconds=60)), time.monotonic() + 60)


def chain(state: State, bucket: Any = None) -> Finding:
    return asked(state, "verify", bucket).findings[0]


# --- One chain ------------------------------------------------------------------------------------


def test_every_line_is_numbered_timed_by_redis_and_continues_the_one_before(state: State) -> None:
    tell(state, "U1", "U2")
    first, second = (dict(line) for _, line in stored(state))
    assert [first[b"seq"], second[b"seq"]] == [b"1", b"2"]
    assert (first[b"prev"].decode(), second[b"prev"]) == (audit.ROOT, first[b"hash"])
    assert [audit.digest(line).encode() for line in (first, second)] == [first[b"hash"], second[b"hash"]]
    assert state.trail.head() == (2, second[b"hash"].decode())
    seconds, micros = state.redis.time()
    assert abs(int(second[b"at"]) - (seconds * 1000 + micros // 1000)) < 5000


def test_of_32_writers_at_once_one_unbroken_chain_comes(state: State) -> None:
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: tell(state, *(f"U{n}x{i}" for i in range(4))), range(32)))
    found = chain(state)
    assert (found.light, found.value.split(",")[0]) == (Light.GREEN, "128 lines")
    assert [int(line[b"seq"]) for _, line in stored(state)] == list(range(1, 129))


def test_several_lines_of_one_change_stand_in_their_order(state: State) -> None:
    state.change().audit("approved", by="U1").audit("applying", by="U2").commit()
    assert [line["what"] for line in build.audit_lines(state)] == ["approved", "applying"]
    assert chain(state).light is Light.GREEN


def test_a_lost_race_leaves_no_line_and_no_gap(state: State) -> None:
    request = build.request()
    state.change().put(request, was="").audit("submitted", id=request.id).commit()
    with pytest.raises(Conflict):
        state.change().put(request, was="").audit("submitted", id=request.id).commit()
    tell(state, "U1")
    assert chain(state).value.startswith("2 lines, the last is 2 ")


@pytest.mark.parametrize("text", ["a\0b\nc", "\ud800 half", "🙂" * 3000, "5:hello4:seq9", ""])
def test_any_text_leaves_the_chain_whole(state: State, text: str) -> None:
    tell(state, "U1")
    state.change().audit("submitted", by="U2", text=text, why=text).commit()
    assert chain(state).light is Light.GREEN


def test_secrets_are_masked_before_they_are_kept(redis_server: RedisServer, state: State) -> None:
    masking = State(connect(redis_server.url, patient=True), redact=Redactor())
    masking.change().audit("submitted", by="U1", text="pod exec --env password=hunter2secret").commit()
    (line,) = build.audit_lines(state)
    assert line["text"] == "pod exec --env password=***"
    masking.redis.close()


def test_what_a_record_says_of_itself_is_in_its_line(state: State) -> None:
    request = build.request(why="kernel update")
    state.change().put(request, was="").audit("submitted", id=request.id, by="U1").commit()
    (line,) = build.audit_lines(state)
    assert (line["cluster"], line["why"]) == ("training", "kernel update")


def test_a_line_about_one_object_says_no_more_of_its_record_than_it_must(state: State) -> None:
    request = build.request(why="kernel update")
    change = state.change().put(request, was="")
    change.audit("applied", id=request.id, objects="pod/shop/web-1", step="evict web-1").commit()
    (line,) = build.audit_lines(state)
    assert set(line) - {"seq", "prev", "at", "hash"} == {"what", "id", "cluster", "objects", "step"}


WRITER = """
import sys
from bot.state import State, connect
state = State(connect(sys.argv[1], patient=True))
print("begun", flush=True)
n = 0
while True:
    n += 1
    state.change().audit("submitted", by=f"U{n}").commit()
"""


def test_a_writer_killed_in_the_middle_leaves_the_chain_whole(
    redis_server: RedisServer, state: State
) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, redis_server.url], stdout=subprocess.PIPE, env=dict(os.environ)
        )
        assert writer.stdout and writer.stdout.readline() == b"begun\n"
        goal = state.trail.head()[0] + 50
        while state.trail.head()[0] < goal:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    found = chain(state)
    assert found.light is Light.GREEN
    assert state.redis.xlen(audit.STREAM) == state.trail.head()[0] >= 150


# --- A hand in it ---------------------------------------------------------------------------------


def changed(lines: Stored) -> Stored:
    lines[2][1][b"by"] = b"U0SOMEBODY"
    return lines


def swapped(lines: Stored) -> Stored:
    lines[2], lines[3] = lines[3], lines[2]
    return lines


def forged(lines: Stored) -> Stored:
    made = {b"seq": b"7", b"prev": lines[-1][1][b"hash"], b"at": b"1", b"what": b"approved", b"by": b"U9"}
    return [*lines, (b"", {**made, b"hash": audit.digest(made).encode()})]


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (changed, "touched: line 3 (*) was changed after it was written"),
        (lambda lines: lines[:2] + lines[3:], "touched: line 3 is missing"),
        (lambda lines: lines[2:], "touched: lines 1 to 2 are missing"),
        (swapped, "touched: line 3 (*) was moved: it stands after line 4"),
        (forged, "touched: line 7 (*) was added from outside: the store counts 6 lines"),
        (lambda lines: lines[:4], "touched: lines 5 to 6 are missing"),
        (lambda lines: [], "touched: lines 1 to 6 are missing"),
    ],
    ids=["changed", "removed", "beginning removed", "swapped", "forged", "end cut", "all removed"],
)
def test_a_hand_in_the_trail_is_named(state: State, meddle: Callable[[Stored], Stored], said: str) -> None:
    tell(state, *"ABCDEF")
    rewrite(state, meddle(stored(state)))
    found = chain(state)
    entries = [entry.decode() for entry, _ in stored(state)]
    shown = found.value
    for entry in entries:
        shown = shown.replace(f"({entry})", "(*)")
    assert (found.light, shown) == (Light.RED, said)
    assert found.alarm.startswith("Somebody touched the audit trail: line")


def test_a_count_that_was_removed_is_noticed_at_once_and_after_the_next_line(state: State) -> None:
    tell(state, "A", "B")
    state.redis.delete(audit.HEAD)
    assert "added from outside: the store counts 0 lines" in chain(state).value
    tell(state, "C")
    assert "line 1 " in chain(state).value


def test_removing_one_entry_of_the_stream_is_noticed(state: State) -> None:
    tell(state, "A", "B", "C")
    state.redis.xdel(audit.STREAM, stored(state)[1][0])
    assert chain(state).value == "touched: line 2 is missing"


def test_lines_of_the_first_version_are_counted_and_need_no_hash(state: State) -> None:
    state.redis.xadd(audit.STREAM, {"what": "submitted", "at": "2026-11-01T08:00:00.000+00:00"})
    tell(state, "A")
    found = chain(state)
    assert found.light is Light.GREEN
    assert found.value.endswith("; 1 line before it began bear no hash")


def test_a_chain_longer_than_one_read_is_followed_in_several(state: State, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "PAGE", 10)
    tell(state, *(f"U{n}" for n in range(35)))
    trail = TrailSource(state.trail, None)
    progress, reads = AuditProgress(), 0
    while not progress.is_over:  # every read is late from its beginning on
        progress, reads = trail.read(AuditChain(progress), time.monotonic()), reads + 1
    assert (progress.lines, progress.faults, progress.missing, reads) == (35, (), (), 4)


def test_lines_written_while_the_chain_is_followed_are_no_fault(state: State, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    tell(state, *"ABCD")
    trail = TrailSource(state.trail, None)
    first = trail.read(AuditChain(), time.monotonic())
    tell(state, *"EF")
    rest = first
    while not rest.is_over:
        rest = trail.read(AuditChain(rest), time.monotonic())
    assert (rest.lines, rest.seq, rest.faults, rest.missing) == (6, 6, (), ())


# --- Looking into it ------------------------------------------------------------------------------


def page(state: State, **wanted: Any) -> AuditPage:
    read = AuditTrail(**{"since": DAY, "limit": 100, **wanted})
    found: AuditPage = TrailSource(state.trail, None).read(read, time.monotonic() + 5)
    return found


def test_a_line_names_who_it_was_beside_the_id_where_that_is_known(state: State) -> None:
    tell(state, "U1", "U2")
    state.remember("called-U1", "Alice\nRequester", timedelta(days=1))
    read = AuditTrail(since=DAY, limit=100)
    found = TrailSource(state.trail, None, called=state.called).read(read, time.monotonic() + 5)
    assert found.called == {"U1": "Alice\nRequester", "U2": ""}
    second, first = (trail.told(line, found.called) for line in found.lines)
    assert " by Alice Requester (U1)" in first and " by U2" in second


def test_lines_are_found_newest_first_by_person_object_and_number(state: State) -> None:
    tell(state, "U1", "U2", "U3")
    state.change().audit("approved", by="U1", objects="node/n7 pod/shop/web-1").commit()
    assert [line.seq for line in page(state).lines] == [4, 3, 2, 1]
    assert [line.seq for line in page(state, who="U1").lines] == [4, 1]
    assert [line.seq for line in page(state, object="pod/web-1").lines] == [4]
    assert [line.seq for line in page(state, object="node/U2").lines] == [2]
    cut = page(state, limit=2)
    assert ([line.seq for line in cut.lines], cut.is_whole) == ([4, 3], False)
    assert page(state, limit=4).is_whole


def test_who_asked_is_found_in_what_others_decided_of_it(state: State) -> None:
    state.change().audit("approved", by="U2", requester="U1").commit()
    assert [[line.seq for line in page(state, who=who).lines] for who in ("U1", "U2", "U3")] == [[1], [1], []]


def test_lines_older_than_asked_for_are_left_out(state: State) -> None:
    old = int((datetime.now(UTC) - DAY).timestamp() * 1000)
    state.redis.xadd(audit.STREAM, {"what": "submitted"}, id=f"{old}-0")
    tell(state, "U1")
    assert len(page(state, since=timedelta(hours=1)).lines) == 1
    assert len(page(state, since=2 * DAY).lines) == 2


def test_the_export_holds_all_that_the_hash_is_made_of(state: State) -> None:
    tell(state, "U1")
    told = json.loads(page(state).lines[0].as_json())
    hash, _, _ = told.pop("hash"), told.pop("entry"), told.pop("time")
    text = "".join(f"{len(part.encode())}:{part}" for pair in told.items() for part in pair)
    assert hashlib.sha1(text.encode()).hexdigest() == hash


def test_the_recipe_of_the_manual_checks_an_export_and_sees_a_change(state: State) -> None:
    tell(state, "U1", "Ü2", "U3")
    (recipe,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "audit.md").read_text(), re.DOTALL)
    lines = [line.as_json() for line in reversed(page(state).lines)]
    for told, code in ((lines, 0), ([lines[0], lines[1].replace("Ü2", "U9"), lines[2]], 1), (lines[::2], 1)):
        text = "\n".join(told).encode()
        assert (
            subprocess.run([sys.executable, "-c", recipe], input=text, capture_output=True).returncode == code
        )


def said(state: State, line: str) -> Section:
    parsed = grammar.parse(line, COMMANDS)
    (part,) = parsed.command.parts(parsed.args, ClusterSite()).values()
    return walk(
        part.inquiry, Reader((TrailSource(state.trail, None),), timedelta(seconds=60)), time.monotonic() + 60
    )


def test_what_is_not_for_everybody_is_counted(state: State) -> None:
    tell(state, "U0ALICE0001", "U0BOB000001")
    source = TrailSource(state.trail, None, withheld=lambda lines: frozenset({lines[0].entry}))
    reader = Reader((source,), timedelta(seconds=60))
    for flag, value in (
        ("", "1 in the last 1 d; 1 line may be about private incidents"),
        (" --private", "2 in the last"),
    ):
        parsed = grammar.parse(f"audit trail{flag}", COMMANDS)
        (part,) = parsed.command.parts(parsed.args, ClusterSite()).values()
        (finding,) = walk(part.inquiry, reader, time.monotonic() + 60).findings
        assert finding.value.startswith(value)


def test_the_trail_is_told_in_lines_and_kept_as_a_file(state: State) -> None:
    tell(state, "U0ALICE0001", "U0BOB000001")
    section = said(state, "audit trail --since 1h --who <@U0BOB000001|bob>")
    (finding,) = section.findings
    assert finding.value == "1 in the last 1 h"
    assert finding.evidence[0].endswith("submitted by U0BOB000001 · node drain U0BOB000001")
    (file,) = section.attachments
    assert [json.loads(each)["by"] for each in file.content.splitlines()] == ["U0BOB000001"]
    assert said(state, "audit trail --who @U0NOBODY001").attachments == ()


@pytest.mark.parametrize(
    "line", ["audit trail --limit 0", "audit trail --limit 5001", "audit trail --who alice"]
)
def test_what_cannot_be_meant_is_said_before_anything_is_read(state: State, line: str) -> None:
    with pytest.raises(UsageError):
        said(state, line)


def test_the_trail_is_for_the_role_security_and_whether_it_is_whole_for_everybody() -> None:
    assert {verb: command.role for command in COMMANDS for verb in command.verbs} == {
        "trail": "security", "verify": "anyone", "copy": "anyone",
    }  # fmt: skip


def test_a_store_that_is_away_is_unknown_and_not_green() -> None:
    with RedisServer() as server:
        state = State(connect(server.url, patient=False))
    section = asked(state, "verify")
    assert section.findings[0].light is Light.UNKNOWN
    state.redis.close()


# --- Copies ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        yield server


@pytest.fixture
def bucket(running: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    running.reset()
    use(monkeypatch, running.endpoint_url)
    place = {"LocationConstraint": REGION}
    running.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    return Bucket(ClusterSite(region=REGION, backup=Backup(bucket=BUCKET)))


def tomorrow() -> datetime:
    return datetime.now(UTC) + DAY


def content(running: sandbox.Aws, key: str) -> bytes:
    body: bytes = running.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def test_what_was_written_until_midnight_is_copied_once(
    state: State, bucket: Bucket, running: sandbox.Aws
) -> None:
    tell(state, "U1", "U2")
    assert asked(state, "copy", bucket).findings[0].value == "nothing to copy yet"
    (finding,) = asked(state, "copy", bucket, now=tomorrow).findings
    hash = state.trail.head()[1]
    assert (finding.light, finding.value) == (Light.GREEN, f"1 new file; copied up to line 2, hash {hash}")
    (key,) = bucket.keys(PREFIX)
    packed = content(running, key)
    assert [json.loads(line)["by"] for line in gzip.decompress(packed).splitlines()] == ["U1", "U2"]
    head = running.client("s3").head_object(Bucket=BUCKET, Key=key)
    assert head["Metadata"]["sha256"] == hashlib.sha256(packed).hexdigest()
    (again,) = asked(state, "copy", bucket, now=tomorrow).findings
    assert again.value.startswith("nothing new; copied up to line 2")
    assert bucket.keys(PREFIX) == [key]


def test_the_next_copy_goes_on_where_the_last_one_ended(
    state: State, bucket: Bucket, running: sandbox.Aws
) -> None:
    tell(state, *"ABCDE")
    (finding,) = asked(state, "copy", bucket, now=tomorrow, in_one=2).findings
    assert finding.value.startswith("3 new files; copied up to line 5")
    texts = b"".join(gzip.decompress(content(running, key)) for key in bucket.keys(PREFIX))
    assert [json.loads(line)["by"] for line in texts.splitlines()] == list("ABCDE")


def test_two_workers_copying_at_once_make_one_file(state: State, bucket: Bucket) -> None:
    tell(state, "A", "B")
    day = tomorrow()
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(lambda _: TrailSource(state.trail, bucket, lambda: day).read(KeepAudit(), 0.0), range(4))
        )
    assert len(bucket.keys(PREFIX)) == 1


def test_a_hand_in_what_is_copied_is_told_and_the_copy_made_all_the_same(
    state: State, bucket: Bucket
) -> None:
    tell(state, "A", "B", "C")
    state.redis.xdel(audit.STREAM, stored(state)[1][0])
    (finding,) = asked(state, "copy", bucket, now=tomorrow).findings
    assert (finding.light, finding.value) == (Light.RED, "touched: line 2 is missing")
    assert finding.alarm
    assert len(bucket.keys(PREFIX)) == 1


def anew(state: State, names: str) -> None:
    """The worst that a hand in Redis can do: another chain, head and all."""
    state.redis.delete(audit.STREAM, audit.HEAD)
    tell(state, *names)


@pytest.mark.parametrize(
    ("names", "what"), [("AXC", "line 3 "), ("AB", "line 3 is missing"), ("AXCDE", "line 3 ")]
)
def test_a_chain_written_anew_is_noticed_by_the_copy_alone(
    state: State, bucket: Bucket, names: str, what: str
) -> None:
    tell(state, *"ABC")
    asked(state, "copy", bucket, now=tomorrow)
    assert chain(state, bucket).light is Light.GREEN
    anew(state, names)
    assert chain(state).light is Light.GREEN
    found = chain(state, bucket)
    assert (found.light, found.value.startswith(f"touched: {what}")) == (Light.RED, True)


def test_verify_says_how_far_the_copies_go(state: State, bucket: Bucket) -> None:
    tell(state, "A")
    assert asked(state, "verify", bucket).findings[1].value.startswith("none yet")
    asked(state, "copy", bucket, now=tomorrow)
    found = asked(state, "verify", bucket).findings[1]
    assert (found.light, found.value) == (
        Light.GREEN, f"1 file compared, the last of {tomorrow():%Y-%m-%d} up to line 1",
    )  # fmt: skip


def test_without_a_bucket_nothing_is_copied_and_verify_says_what_that_means(state: State) -> None:
    tell(state, "A")
    assert asked(state, "copy").findings[0].light is Light.GREEN
    found = asked(state, "verify").findings[1]
    assert (found.light, found.value) == (Light.YELLOW, "no bucket is configured, so nothing is copied")
    assert found.mend.startswith("Set `backup.bucket`")


def test_a_bucket_that_is_not_there_is_named_and_never_green(state: State, bucket: Bucket) -> None:
    gone = Bucket(ClusterSite(region=REGION, backup=Backup(bucket="somebody-elses")))
    tell(state, "A")
    (copied,) = asked(state, "copy", gone, now=tomorrow).findings
    assert (copied.light, copied.value) == (Light.UNKNOWN, "not made: s3: there is no bucket somebody-elses")
    assert asked(state, "verify", gone).findings[1].light is Light.UNKNOWN


def test_other_files_in_the_bucket_are_no_copies(state: State, bucket: Bucket) -> None:
    bucket.put("audit/readme.txt", b"x", hashlib.sha256(b"x").hexdigest())
    assert copies(bucket) == ()
