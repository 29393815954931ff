"""Files of a section: kept in the store with the record, and in the bucket, with the hash of what was kept."""

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rude_server import RudeServer, page
from test_aws import REGION, use
from test_engine import NAME, SITE, opened, stored

from bot.state import KEEP, State
from commands.catalog import Catalog
from commands.command import Command, Part, Parts
from commands.errors import Refused, Unreachable
from commands.finding import Light
from commands.model import Args, Attachment, Section, Seen
from commands.reads import EvidenceKept, Now
from commands.site import Backup, ClusterSite
from sandbox import aws as sandbox
from tests.fakes import FakeReader
from workers import keeping
from workers.aws import Bucket
from workers.clients import Own
from workers.engine import Engine

BUCKET = "sre-evidence"
TEXT = "container backend: s3cret €\n"
SHA = hashlib.sha256(TEXT.encode()).hexdigest()
FILE = Attachment(
    "evidence.txt", "Evidence", content=TEXT, keep_in_bucket=True, evidence_of=("uid-1",)
)  # fmt: skip


class WithFiles(Catalog):
    """A catalog with one command whose one part comes with files."""

    def __init__(self, *files: Attachment) -> None:
        self.files = files

    def find(self, args: Args) -> Command:
        return Command("pod", ("evidence",), "x", ("SI-2.4",), self._parts)

    def changes(self, args: Args) -> bool:
        return False

    def _parts(self, args: Args, site: ClusterSite) -> Parts:
        def inquiry() -> Any:
            seen: Seen = yield (Now(),)
            assert seen[Now()]
            return Section("slo", "Evidence", findings=(), attachments=self.files)

        return {"slo": Part("Evidence", inquiry())}


@pytest.fixture(scope="module")
def running() -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        yield server


@pytest.fixture
def moto(running: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> sandbox.Aws:
    running.reset()
    use(monkeypatch, running.endpoint_url)
    place = {"LocationConstraint": REGION}
    running.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    return running


def site(bucket: str = BUCKET, **changes: Any) -> ClusterSite:
    return ClusterSite(region=REGION, backup=Backup(bucket=bucket, **changes))


def kept(state: State, bucket: keeping.Bucket | None, file: Attachment = FILE) -> Section:
    opened(state, sections=(Section("slo", "Evidence"),))
    Engine(state, WithFiles(file), SITE, lambda _: FakeReader(), bucket=lambda _: bucket).answer("RTEST0001")
    return stored(state).sections[0]


def test_a_file_is_in_the_bucket_and_in_the_store_and_its_content_not_in_the_record(
    state: State, moto: sandbox.Aws
) -> None:
    section = kept(state, Bucket(site()))
    [file] = section.attachments
    key = f"evidence/{NAME}/2026-11-23/RTEST0001/evidence.txt"
    assert (file.content, file.sha256, file.size) == ("", SHA, len(TEXT.encode()))
    assert file.bucket == f"s3://{BUCKET}/{key}"
    assert state.file(file.stored) == TEXT.encode()
    stored_there = moto.client("s3").get_object(Bucket=BUCKET, Key=key)
    assert stored_there["Body"].read() == TEXT.encode()
    assert stored_there["Metadata"] == {"sha256": SHA}
    assert TEXT.strip() not in state.redis.hget("sre:request:RTEST0001", "body").decode()
    [finding] = section.findings
    assert (finding.light, finding.value) == (Light.GREEN, file.bucket)
    assert finding.link and BUCKET in finding.link.url and key in finding.link.url
    assert f"SHA-256 {SHA}" in finding.evidence


def test_without_a_bucket_it_is_said_that_it_is_kept_for_thirty_days_only(state: State) -> None:
    section = kept(state, None)
    assert state.file(section.attachments[0].stored) == TEXT.encode()
    [finding] = section.findings
    assert finding.light is Light.YELLOW
    assert finding.value == "no bucket is configured; only in this thread and in the bot's store, for 30 days"
    assert finding.mend == f"set `backup.bucket` of cluster {NAME}"


def test_a_file_that_needs_no_bucket_is_kept_without_a_word(state: State) -> None:
    section = kept(state, None, replace(FILE, keep_in_bucket=False))
    assert section.findings == ()
    assert state.file(section.attachments[0].stored) == TEXT.encode()


class NoBucketThere:
    def put(self, key: str, content: bytes, sha256: str) -> str:
        raise Refused("s3: there is no bucket b", mend="set `backup.bucket`")

    def link(self, key: str) -> str:
        raise AssertionError("nothing to link to")


def test_a_bucket_that_refuses_is_named_and_the_file_is_still_kept(state: State) -> None:
    section = kept(state, NoBucketThere())
    [finding] = section.findings
    assert (finding.light, finding.mend) == (Light.YELLOW, "set `backup.bucket`")
    assert finding.value.startswith("s3: there is no bucket b; only in this thread")
    assert section.attachments[0].stored


HUGE = replace(FILE, content=random.Random(1).randbytes(2_300_000).hex())  # does not get smaller by packing


def test_what_is_too_large_for_the_store_is_in_the_bucket_only(state: State, moto: sandbox.Aws) -> None:
    section = kept(state, Bucket(site()), HUGE)
    [finding] = section.findings
    assert section.attachments[0].stored == ""
    assert finding.light is Light.YELLOW
    assert "too large for the bot's store and for Slack" in finding.value
    assert state.marked("evidence:uid-1")


def test_what_is_too_large_and_has_no_bucket_is_red_and_counts_as_no_evidence(state: State) -> None:
    section = kept(state, None, HUGE)
    [finding] = section.findings
    assert (finding.light, finding.value) == (Light.RED, "not kept: no bucket is configured")
    assert not state.marked("evidence:uid-1")


def test_that_evidence_is_kept_is_known_with_the_record_and_for_as_long(state: State) -> None:
    own = Own(state, "webhook")
    read = EvidenceKept(("uid-1", "uid-2"))
    assert own.read(read, 0) == frozenset()
    kept(state, None)
    assert own.read(read, 0) == frozenset({"uid-1"})
    days = state.redis.ttl("sre:once:evidence:uid-1") / 86_400
    assert KEEP.days - 1 < days <= KEEP.days


def test_a_file_goes_with_its_record(state: State) -> None:
    section = kept(state, None)
    left = state.redis.ttl(f"sre:file:{section.attachments[0].stored}")
    assert abs(left - state.redis.ttl("sre:request:RTEST0001")) <= 1


# --- the bucket itself ------------------------------------------------------------------------------


def test_a_configured_key_encrypts_what_is_put(moto: sandbox.Aws) -> None:
    Bucket(site(kms_key="alias/evidence")).put("evidence/x", b"x", hashlib.sha256(b"x").hexdigest())
    found = moto.client("s3").head_object(Bucket=BUCKET, Key="evidence/x")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "alias/evidence")


def test_a_bucket_that_is_not_there_is_named(moto: sandbox.Aws) -> None:
    with pytest.raises(Refused) as caught:
        Bucket(site("nowhere-at-all")).put("evidence/x", b"x", hashlib.sha256(b"x").hexdigest())
    assert (caught.value.reason, caught.value.mend) == (
        "s3: there is no bucket nowhere-at-all", "set `backup.bucket`",
    )  # fmt: skip


def test_s3_is_given_the_hash_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto compares nothing; S3 answers BadDigest to what arrived otherwise."""
    with RudeServer(
        lambda _: page(400, b"<Error><Code>BadDigest</Code></Error>", "application/xml")
    ) as server:
        use(monkeypatch, server.url)
        with pytest.raises(Unreachable, match="BadDigest"):
            Bucket(site()).put("evidence/x", TEXT.encode(), SHA)
        sent = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert base64.b64decode(sent["x-amz-checksum-sha256"]).hex() == SHA


def test_a_denied_put_names_the_statement_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    with RudeServer(lambda _: page(403, body, "application/xml")) as server:
        use(monkeypatch, server.url)
        with pytest.raises(Refused) as caught:
            Bucket(site()).put("evidence/x", b"x", hashlib.sha256(b"x").hexdigest())
    assert caught.value.reason == "s3: access denied, needs s3:PutObject"
    assert caught.value.mend == (
        '{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::sre-evidence/evidence/*"]}'
    )


def test_nobody_at_the_endpoint_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(Unreachable) as caught:
        Bucket(site()).put("evidence/x", b"x", hashlib.sha256(b"x").hexdigest())
    assert "the S3 endpoint of eu-central-1 cannot be reached" in caught.value.reason
