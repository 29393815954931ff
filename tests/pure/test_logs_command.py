"""`logs`: lines of several pods by time, errors by family and pattern, whole traces, bounds on every side."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.errors import UsageError
from commands.finding import Light
from commands.loglines import (
    counts,
    entries,
    families,
    grouped,
    headline,
    is_error,
    merged,
    pattern,
    spoken,
    telling,
)
from commands.logs import COMMANDS
from commands.model import Args, Gap, Section
from commands.podreads import ContainerLog, LogText, PodDetails, PodRow
from tests.pure.pod_scenes import GAP, SITE, container, pod, row, running, told, world

AT = "2026-11-23T08:{:02}:{:02}.5Z "
JAVA = (
    "java.lang.IllegalStateException: no order\n"
    "\tat com.shop.Orders.find(Orders.java:42)\n"
    "\tat com.shop.Web.get(Web.java:7)\n"
    "Caused by: java.sql.SQLException: Connection is closed\n"
    "\tat com.zaxxer.hikari.Pool.get(Pool.java:9)\n"
    "\t... 12 more"
)
PYTHON = (
    "Traceback (most recent call last):\n"
    '  File "/app/db.py", line 3, in connect\n'
    "    return pool.get()\n"
    "psycopg2.OperationalError: timeout expired\n"
    "\n"
    "During handling of the above exception, another exception occurred:\n"
    "\n"
    "Traceback (most recent call last):\n"
    '  File "/app/web.py", line 9, in get\n'
    "RuntimeError: no database"
)
GO = (
    "panic: runtime error: invalid memory address or nil pointer dereference\n"
    "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47]\n"
    "\n"
    "goroutine 1 [running]:\n"
    "main.main()\n"
    "\t/src/main.go:10 +0x1d"
)
RUST = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with `RUST_BACKTRACE=1`"
NODE = "TypeError: Cannot read properties of undefined\n    at get (/app/web.js:3:9)\n    at next (/app/x.js:1:1)"


def timed(text: str, minute: int = 0) -> str:
    lines = enumerate(text.split("\n"))
    return "".join(f"{AT.format(minute + n // 60, n % 60)}{line}\n" for n, line in lines)


@pytest.mark.parametrize(
    "trace", [JAVA, PYTHON, GO, RUST, NODE], ids=["java", "python", "go", "rust", "node"]
)
def test_a_trace_is_kept_whole_between_the_lines_around_it(trace: str) -> None:
    found = entries(timed(f"before\n{trace}\nafter"))
    assert [entry.text for entry in found] == ["before", trace, "after"]
    assert families(found[1])[0] == "trace"


@pytest.mark.parametrize(
    ("line", "family"),
    [
        ("ERROR could not obtain a connection from the connection pool", ("db",)),
        ("FATAL: sorry, too many clients already", ("db",)),
        ("ERROR upstream timed out after 30 s", ("timeout",)),
        ("context deadline exceeded", ("timeout",)),
        ("ERROR psycopg2 read timeout", ("db", "timeout")),
        ("INFO connected to database", ()),
        ("GET /orders 200", ()),
        ("0 errors", ()),
        ('{"level":"info","msg":"retry after timeout=5s"}', ()),
    ],
)
def test_a_line_is_counted_into_its_families(line: str, family: tuple[str, ...]) -> None:
    assert families(entries(line)[0]) == family


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ('{"level":"error","msg":"x"}', True),
        ('10.0.0.1 - - "GET /x HTTP/1.1" 503 12', True),
        ("[ERROR] x", True),
        ("WARN slow", False),
        ("2026-11-23 08:00:00,123 INFO error_count=0", False),
    ],
)
def test_what_is_an_error(line: str, bad: bool) -> None:
    assert is_error(entries(line)[0]) is bad


def test_lines_that_differ_in_numbers_and_ids_alone_are_one_kind() -> None:
    lines = [
        f"ERROR order {n} of 10.0.0.{n}:5432 refused, id 4f0c9d1e-1111-4a52-9d7e-0a1b2c3d4e{n:02}"
        for n in range(9)
    ]
    found = grouped(entries("\n".join([*lines, "ERROR other"])))
    assert [number for number, _ in found] == [9, 1]
    assert pattern(found[0][1]) == "ERROR order <n> of <address> refused, id <id>"


def test_what_a_trace_comes_down_to() -> None:
    assert headline(entries(PYTHON)[0]) == "RuntimeError: no database"
    assert headline(entries(JAVA)[0]) == "java.lang.IllegalStateException: no order"
    assert telling(entries(f"starting\n{PYTHON}\nbye")) == "RuntimeError: no database"
    assert telling(entries("starting\nready")) == "ready"
    assert telling(()) == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"ts":"2026-11-23T08:00:00Z","level":"error","msg":"payment backend: timeout"}', "payment backend: timeout"),
        ('{"message":"no start","error":"open /data: permission denied"}', "no start: open /data: permission denied"),
        ('{"level":"error","err":{"message":"no route","code":7}}', "no route"),
        ('{"msg":"boom","error":"boom"}', "boom"),
        ('{"level":"error","code":7}', '{"level":"error","code":7}'),
        ('{"msg": 7}', '{"msg": 7}'),
        ('{"level":"error","msg":"cut o', '{"level":"error","msg":"cut o'),
        ("plain words", "plain words"),
    ],
)  # fmt: skip
def test_of_a_line_in_json_its_message_and_error_are_quoted(line: str, said: str) -> None:
    (entry,) = entries(line)
    assert spoken(entry) == said and telling((entry,)) == said


def test_lines_of_several_logs_are_in_the_order_of_their_times() -> None:
    one = entries("2026-11-23T08:00:01Z a\n2026-11-23T08:00:05Z d\n", "p1")
    two = entries("2026-11-23T08:00:02Z b\nno time\n2026-11-23T08:00:06Z e\n", "p2")
    assert [entry.text for entry in merged((one, two))] == ["a", "b", "no time", "d", "e"]


def test_what_is_no_date_and_what_cannot_be_seen_does_no_harm() -> None:
    found = entries("2026-99-99T08:00:01Z a\n\x1b[31mred\x1b[0m\x07\n")
    assert [(entry.at, entry.text) for entry in found] == [(None, "2026-99-99T08:00:01Z a"), (None, "red")]


# --- The command ------------------------------------------------------------------------------------------

PODS = tuple(f"web-5d9f8c7b6d-{letter * 5}" for letter in "bcd")
ROWS: tuple[PodRow, ...] = (
    *(row(name, "Running", "1/1") for name in PODS),
    row("backend-0", "Running", "1/1"),
)


def details(read: PodDetails) -> tuple[Any, ...]:
    return (replace(pod(running(), running("migrate", kind="init"), status="Running"), name=read.name),)


def answered(name: str = "web", log: Any = None, **more: Any) -> Section:
    flags = {key: value for key, value in more.items() if key.islower()}
    answers = {key: value for key, value in more.items() if not key.islower()}
    (part,) = COMMANDS[0].parts(Args("logs", "", name, {"namespace": "shop", **flags}), SITE).values()
    held = world(PodRows=ROWS, PodDetails=details, ContainerLog=log or LogText(timed("one\ntwo")))
    section = told(part.inquiry, {**held, **answers})
    assert isinstance(section, Section)
    return section


def test_three_pods_are_merged_and_each_line_names_its_pod() -> None:
    asked: list[ContainerLog] = []

    def log(read: ContainerLog) -> LogText:
        asked.append(read)
        second = PODS.index(read.pod)
        return LogText(f"2026-11-23T08:00:0{second}Z first\n2026-11-23T08:00:1{second}Z second\n")

    section = answered(log=log)
    assert [line.split()[1:] for line in section.table] == [
        [letter * 5, word] for word in ("first", "second") for letter in "bcd"
    ]
    assert section.findings[0].value == "6 lines of 3 pods, 08:00:00 to 08:00:12 UTC"
    assert {(read.container, read.lines) for read in asked} == {("app", 100)}


def test_what_is_longer_than_a_block_is_a_file() -> None:
    section = answered(log=LogText(timed("\n".join(f"line {n} {'x' * 60}" for n in range(100)))), tail="100")
    assert sum(map(len, section.table)) <= 2900
    assert section.table[0].startswith("… ") and section.table[0].endswith("lines before these in web.log")
    assert section.table[-1].split()[-2] == "99"
    assert len(section.attachments[0].content.splitlines()) == 300


def test_errors_are_grouped_with_counts_and_families() -> None:
    text = "\n".join(f"ERROR order {n} refused" for n in range(4)) + "\nready\nERROR upstream timed out"
    section = answered(log=LogText(timed(f"{text}\n{PYTHON}")), grep="errors")
    groups = next(each for each in section.findings if each.key == "TF-1.2")
    assert groups.value == "3 kinds of errors"
    assert groups.evidence[0].startswith("12 × ERROR order 3 refused (last 08:00:03)")
    counted = next(each for each in section.findings if each.key == "T1-2.1")
    assert counted.value == "timeout 6, trace 3, db 3"
    assert not any("ready" in line for line in section.table)
    assert any("RuntimeError: no database" in line for line in section.table)


def test_a_text_is_a_text_and_no_pattern() -> None:
    section = answered(log=LogText(timed("a.c\nabc\nA.C again")), grep="a.c")
    assert section.findings[0].value.startswith("6 lines of 3 pods with “a.c”")
    assert not any("abc" in line for line in section.table)


def test_of_what_is_found_the_last_lines_of_each_pod_are_shown() -> None:
    section = answered(log=LogText(timed("\n".join(f"hit {n}" for n in range(50)))), grep="hit", tail="2")
    assert section.findings[0].value.startswith("6 lines")
    assert section.note == "looked through at most the last 5000 lines and 1365 kB of each log"


def test_a_run_before_that_never_was_is_said_kindly() -> None:
    missing = LogText("", missing='previous terminated container "app" in pod "web" not found')
    section = answered(log=missing, previous="")
    said = next(each for each in section.findings if each.key == "T3-5.3")
    assert "never ended before" in said.value
    assert said.light is Light.GREEN


def test_follow_is_taken_and_answered_as_bounded() -> None:
    assert "bounded, not followed: as of 08:30:00 UTC" in answered(follow="").note


def test_one_container_is_asked_for_by_its_name_alone() -> None:
    asked: list[ContainerLog] = []

    def log(read: ContainerLog) -> LogText:
        asked.append(read)
        return LogText("")

    answered(log=log, container="migrate")
    assert {read.container for read in asked} == {"migrate"}


def test_a_pod_that_waits_for_its_init_container_shows_that_one_too() -> None:
    stuck = pod(
        replace(container("migrate"), kind="init"), running(), phase="Pending", status="Init:CrashLoopBackOff"
    )
    section = answered(PodDetails=lambda read: (replace(stuck, name=read.name),))
    assert any("/migrate" in line for line in section.table)


def test_since_is_asked_of_the_api() -> None:
    asked: list[ContainerLog] = []

    def log(read: ContainerLog) -> LogText:
        asked.append(read)
        return LogText("")

    section = answered(log=log, since="15m")
    assert {read.since for read in asked} == {timedelta(minutes=15)}
    assert "of the last 15 min" in section.note


def test_many_pods_are_bounded_and_that_is_said() -> None:
    many = tuple(row(f"web-{n}", "Running", "1/1") for n in range(30))
    section = answered(PodRows=many)
    assert section.findings[0].value.startswith("40 lines of 20 of 30 pods")


def test_logs_that_may_not_be_read_are_unknown_and_the_others_show() -> None:
    def log(read: ContainerLog) -> LogText | Gap:
        return GAP if read.pod == PODS[0] else LogText(timed("one"))

    section = answered(log=log)
    assert [each.mend for each in section.findings if each.light is Light.UNKNOWN] == ["grant it"]
    assert len(section.table) == 2


def test_a_name_nobody_has_offers_the_nearest() -> None:
    section = answered("backen")
    assert section.findings[0].value == "no pod of backen in shop"
    assert any(step.text.startswith("logs shop/backend") for step in section.findings[0].suggestions)


@pytest.mark.parametrize("tail", ["0", "2001"])
def test_a_tail_out_of_range_is_refused(tail: str) -> None:
    with pytest.raises(UsageError):
        answered(tail=tail)


def test_counts_are_of_errors_only() -> None:
    assert counts(entries("INFO database up\nERROR database gone\n"))["db"] == 1
