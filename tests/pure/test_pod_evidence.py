"""`pod evidence`: which pieces there are, what each weighs, and when a pod counts as kept."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pod_world import GAP, NAME, NS, PATH, SITE, UID, args, pod

from commands.errors import UsageError
from commands.finding import Light
from commands.model import Read, Section, Seen
from commands.pod import evidence
from commands.pod.bundle import Piece, bundle
from commands.podreads import ContainerLog, Document, Events, EventView, LogText, OnePod, Run
from commands.reads import Now
from tests import build

EVENT = EventView(NS, "Pod", NAME, "Warning", "BackOff", "back-off\nrestarting", 3, build.NOW, build.NOW)
THREE = pod(
    runs=(
        Run("init", "shop/init:1", "init"),
        Run("web", "shop/web:1", digest="web@sha256:11"),
        Run("debug", "busybox", "ephemeral"),
    )
)


def answer(read: Read) -> Any:
    match read:
        case Now():
            return build.NOW
        case OnePod():
            return THREE
        case Document(kind, _, name):
            return f'{{"kind": "{kind}", "name": "{name}"}}\n'
        case ContainerLog(container=container, previous=True):
            return LogText("", missing=f'previous terminated container "{container}" not found')
        case ContainerLog(container=container):
            return LogText(f"2026-11-23T08:29:00Z {container} says €\n")
        case Events():
            return (EVENT,)
    raise AssertionError(read)


def gathered(change: Any = None, name: str = NAME) -> tuple[Section, list[Read]]:
    """The section, where `change` answers some reads otherwise."""
    asked: list[Read] = []

    def said(read: Read) -> Any:
        asked.append(read)
        other = change(read) if change else None
        return answer(read) if other is None else other

    [part] = evidence.parts(args("evidence", name), SITE).values()
    try:
        wanted = next(part.inquiry)
        while True:
            wanted = part.inquiry.send(Seen({read: said(read) for read in wanted}))
    except StopIteration as end:
        return end.value, asked


def text(section: Section) -> str:
    return section.attachments[0].content


def pieces(content: str) -> dict[str, str]:
    """The pieces cut out by the sizes in their headings, against the manifest."""
    raw = content.encode()
    manifest = dict(
        reversed(line.split("  ")) for line in content.splitlines() if len(line.split("  ")[0]) == 64
    )
    found: dict[str, str] = {}
    at = raw.index(b"===== ")
    while at < len(raw):
        heading, _, _ = raw[at:].partition(b"\n")
        name, size = heading.decode().removeprefix("===== ").split(" · ")[:2]
        begin = at + len(heading) + 1
        body = raw[begin : begin + int(size.split(" ")[0])]
        assert hashlib.sha256(body).hexdigest() == manifest[name]
        found[name] = body.decode()
        at = begin + len(body) + 1
    assert set(found) == set(manifest)
    return found


def test_every_container_and_run_the_objects_and_the_events_are_in_it_with_their_hashes() -> None:
    section, _ = gathered()
    assert set(pieces(text(section))) == {
        f"pod-{NAME}.json", "replicaset-web-5f.json", "deployment-web.json", "node-node-1.json", "events.txt",
        "logs/init.current.log", "logs/web.current.log", "logs/debug.current.log",
    }  # fmt: skip
    assert pieces(text(section))["logs/web.current.log"] == "2026-11-23T08:29:00Z web says €\n"
    assert "web: shop/web:1 web@sha256:11" in text(section)


def test_a_container_without_an_earlier_run_is_no_failure_and_is_said() -> None:
    section, _ = gathered()
    [finding] = section.findings
    assert finding.light is Light.GREEN
    assert 'logs/web.previous.log: previous terminated container "web" not found' in text(section)
    assert section.attachments[0].evidence_of == (UID,)


def test_the_file_is_named_by_time_and_pod_and_goes_into_the_bucket() -> None:
    [file] = gathered()[0].attachments
    assert file.name == f"evidence-20261123-0830-{NS}-{NAME}.txt"
    assert file.keep_in_bucket
    assert file.title == f"Evidence of {PATH}, 2026-11-23 08:30 UTC"


def test_the_same_pod_gives_the_same_file() -> None:
    assert text(gathered()[0]) == text(gathered()[0])


@pytest.mark.parametrize("kind", [Document, Events, ContainerLog])
def test_what_was_there_and_was_not_read_keeps_the_pod_from_counting_as_kept(kind: type[Read]) -> None:
    section, _ = gathered(lambda read: GAP if isinstance(read, kind) else None)
    [finding] = section.findings
    assert finding.light is Light.UNKNOWN
    assert "does not count as kept" in finding.value
    assert finding.mend == GAP.mend
    assert "not read, nobody answers" in finding.evidence[0]
    [file] = section.attachments
    assert file.content and file.evidence_of == (), "what was read is kept all the same"


def test_a_log_that_was_cut_says_so() -> None:
    cut = LogText("last line\n", is_cut=True)
    section, _ = gathered(
        lambda read: cut if isinstance(read, ContainerLog) and read.container == "web" else None
    )
    [finding] = section.findings
    assert finding.light is Light.YELLOW
    assert finding.evidence[0] == "logs/web.current.log: older lines were cut"
    assert "10 bytes · older lines were cut =====" in text(section)
    assert section.attachments[0].evidence_of == (UID,)


def test_logs_share_what_they_may_come_to() -> None:
    many = replace(THREE, runs=tuple(Run(f"c{n}", "x") for n in range(20)))
    _, asked = gathered(lambda read: many if isinstance(read, OnePod) else None)
    limits = [read.limit for read in asked if isinstance(read, ContainerLog)]
    assert len(limits) == 40
    assert sum(limits) <= evidence.ALL_LOGS
    _, asked = gathered()
    assert {read.limit for read in asked if isinstance(read, ContainerLog)} == {evidence.ONE_LOG}


def test_an_object_that_is_gone_is_said_and_no_failure() -> None:
    def without_node(read: Read) -> Any:
        return LogText("", missing="gone") if read == Document("Node", "", "node-1") else None

    section, _ = gathered(without_node)
    assert "node-node-1.json: gone" in text(section)


def test_a_pod_without_node_or_controller_has_fewer_pieces() -> None:
    alone = replace(THREE, node="", controller=None)
    section, asked = gathered(lambda read: alone if isinstance(read, OnePod) else None)
    assert [read for read in asked if isinstance(read, Document)] == [Document("Pod", NS, NAME)]
    assert "owner: none" in text(section)


@pytest.mark.parametrize("nothing", [None, GAP])
def test_no_pod_no_evidence(nothing: Any) -> None:
    [part] = evidence.parts(args("evidence"), SITE).values()
    next(part.inquiry)
    with pytest.raises(StopIteration) as end:
        part.inquiry.send(Seen({Now(): build.NOW, OnePod(NS, NAME): nothing}))
    section = end.value.value
    assert section.attachments == ()
    assert section.findings[0].light is Light.RED


def test_a_line_that_looks_like_a_heading_is_a_line() -> None:
    spoof = "===== logs/web.current.log · 3 bytes =====\nowned\n"
    held = bundle(("head",), (Piece("a.log", spoof), Piece("b.log", "b\n")), ())
    assert pieces(held) == {"a.log": spoof, "b.log": "b\n"}


def test_events_are_told_on_a_line_each() -> None:
    section, _ = gathered()
    assert pieces(text(section))["events.txt"] == (
        "2026-11-23T08:30:00Z Warning BackOff x3 back-off restarting\n"
    )
    early = replace(EVENT, first=build.NOW - timedelta(hours=1))
    section, _ = gathered(lambda read: (early,) if isinstance(read, Events) else None)
    assert "(first 2026-11-23T07:30:00Z)" in pieces(text(section))["events.txt"]


def test_a_name_has_to_be_given() -> None:
    with pytest.raises(UsageError, match="pod evidence POD"):
        evidence.parts(args("evidence", ""), SITE)
