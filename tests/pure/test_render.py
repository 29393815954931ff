"""Records → Slack messages: golden pictures, Slack's limits by fuzzing, and nothing foreign unescaped."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import blocks, render
from bot.secret import Redactor
from commands.finding import Finding, Light, Link, Suggestion
from commands.ledger import Line
from commands.model import Attachment, Cause, Confidence, Flag, Place, Record, Section, Whisper
from commands.model import State as Standing
from sandbox.slack import limits
from tests import build
from tests.request_cards import ANSWERED, RECORDS, judged

GOLDEN = Path(__file__).parents[1] / "golden"


def drawn(record: Record) -> tuple[blocks.Message, ...]:
    return render.messages(record, lambda text: text)


def golden(name: str, messages: tuple[blocks.Message, ...]) -> None:
    """UPDATE_GOLDEN=1 writes them anew; look at the difference before you commit it."""
    shown = [
        {
            "key": m.key,
            "text": m.text,
            "in_thread": m.in_thread,
            "whisper_to": m.whisper_to,
            "blocks": m.blocks,
            **({"file": m.file.stored} if m.file else {}),
        }
        for m in messages
    ]
    text = json.dumps(shown, ensure_ascii=False, indent=1) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text


@pytest.mark.parametrize("name", RECORDS)
def test_cards_look_as_they_did(name: str) -> None:
    golden(name, drawn(RECORDS[name]))


def test_a_quiet_run_shows_nothing_until_it_has_news_or_failed() -> None:
    quiet = build.request(state=Standing.ANSWERED, sections=judged(), is_quiet=True)
    assert drawn(quiet) == ()
    assert drawn(replace(quiet, has_news=True)) != ()
    assert drawn(replace(quiet, state=Standing.FAILED, reference="E1")) != ()


def test_unknown_is_never_drawn_green() -> None:
    silent = build.section("slo", build.finding(Light.UNKNOWN, value="no answer"))
    card = drawn(build.request(state=Standing.ANSWERED, sections=(silent, build.section("cluster"))))[0]
    assert card.text == "⚪ health · training: 1/2 green · checks: 1 unknown"


def test_of_one_part_that_is_well_the_card_says_what_was_found() -> None:
    """Who asked a question reads its answer without opening the thread."""
    nodes = build.finding(label="Nodes", value="3 of 3 Ready", suggestions=(Suggestion("Top", "node top"),))
    answered = replace(ANSWERED, sections=(build.section("nodes", nodes, title="Nodes"),), flags=())
    shown = json.dumps(drawn(answered)[0].blocks, ensure_ascii=False)
    assert "🟢 *Nodes*  3 of 3 Ready" in shown and "node top" in shown
    assert "1/1" not in shown


def test_of_much_that_is_well_the_card_says_the_first_and_how_much_more() -> None:
    many = [build.finding(label=f"Pod {n}", value="Running") for n in range(4)]
    last = replace(many[3], suggestions=(Suggestion("Events", "pod events"),))
    section = build.section("pods", *many[:3], last, title="Pods")
    shown = json.dumps(drawn(replace(ANSWERED, sections=(section,), flags=()))[0].blocks)
    assert "*Pod 2*" in shown and "*Pod 3*" not in shown
    assert "and 1 more, in the thread" in shown and "pod events" in shown


def test_machines_of_aws_are_called_as_people_call_them() -> None:
    whole = "ip-10-0-2-82.eu-central-1.compute.internal"
    full = build.finding(
        Light.RED, label="Disks", value=f"95 % on {whole}", evidence=(f"{whole}: 95 % used",),
        suggestions=(Suggestion(f"Drain {whole}", f"node drain {whole}"),),
        mend=f"kubectl describe node {whole}",
    )  # fmt: skip
    section = build.section("disks", full, title=f"Node {whole}")
    card, detail = drawn(replace(ANSWERED, text=f"node show {whole}", sections=(section,), flags=()))
    assert "🔴 node show ip-10-0-2-82 ·" in card.text
    shown = json.dumps(detail.blocks)
    assert shown.count(whole) == 2, "what is typed and what is pasted keep the whole name"
    assert "*Node ip-10-0-2-82*" in shown and "Drain ip-10-0-2-82" in shown


def test_one_silent_source_takes_one_line_of_the_card() -> None:
    text = json.dumps(drawn(ANSWERED)[0].blocks, ensure_ascii=False)
    assert text.count("no answer in 5 s") == 1
    assert "Success rate, Error budget" in text


def test_a_mend_that_serves_several_findings_is_said_once() -> None:
    text = json.dumps(drawn(ANSWERED)[1].blocks, ensure_ascii=False)
    assert text.count("set `monitoring.prometheus.url`") == 1


def test_the_alarm_says_so_when_nobody_is_on_call() -> None:
    alarm = drawn(replace(ANSWERED, mention=""))[-1]
    assert "roles.oncall" in json.dumps(alarm.blocks)


@pytest.mark.parametrize("secret", ["p<ss&word", "x" * 40])
def test_a_secret_is_masked_before_it_is_escaped_or_cut(secret: str) -> None:
    def redact(text: str) -> str:
        return text.replace(secret, "***")

    long = build.finding(Light.RED, value="v" * 590 + secret, evidence=("token:", f"said {secret}"))
    for each in render.messages(
        build.request(state=Standing.ANSWERED, sections=(build.section("slo", long),)), redact
    ):
        said = json.dumps([each.text, each.blocks], ensure_ascii=False)
        assert secret not in said and blocks.escape(secret) not in said and secret[:20] not in said


def test_what_turns_or_hides_text_is_shown_by_its_number() -> None:
    finding = Finding(
        "DH-1", "Cause \u202eevil", Light.RED, "a\u200bb", evidence=("\ufeffx", "👩\u200d🚒 ⚠️ Jürgen")
    )
    request = build.request(sections=(Section("s", "S", True, (finding,), table=("t\u2066",)),))
    drawn = json.dumps([(m.text, m.blocks) for m in render.messages(request, str)], ensure_ascii=False)
    assert not set("\u202e\u200b\ufeff\u2066") & set(drawn)
    assert "⟨U+202E⟩evil" in drawn and "⟨U+2066⟩" in drawn and "👩\u200d🚒 ⚠️ Jürgen" in drawn


def test_redaction_of_one_line_leaves_the_next_one_alone() -> None:
    redact = Redactor()
    finding = build.finding(Light.RED, evidence=("the header was token:", "🔴 and this is another fact"))
    detail = render.messages(
        build.request(state=Standing.ANSWERED, sections=(build.section("slo", finding),)), redact
    )[1]
    assert "🔴 and this is another fact" in json.dumps(detail.blocks, ensure_ascii=False)


HOSTILE = "<!channel> <@U0BOB000001> <https://evil|https://bank> & <script>alert(1)</script>"


@pytest.mark.parametrize(
    "record",
    [
        build.request(text=HOSTILE, state=Standing.ANSWERED, sections=(
            build.section("slo", build.finding(
                Light.RED, label=HOSTILE, value=HOSTILE, threshold=HOSTILE, evidence=(HOSTILE,), mend=HOSTILE, alarm=HOSTILE,
            ), title=HOSTILE, note=HOSTILE),
        ), flags=(Flag("x", HOSTILE),)),
        build.group(build.alert(HOSTILE, pod=HOSTILE), receiver=HOSTILE, group_labels={HOSTILE: HOSTILE},
                    lines=(Line("1", HOSTILE, build.NOW),)),
        build.whisper(HOSTILE),
    ],
)  # fmt: skip
def test_foreign_text_can_neither_mention_nor_link(record: Record) -> None:
    said = json.dumps([[m.text, m.blocks] for m in drawn(record)], ensure_ascii=False)
    assert "<!channel>" not in said and "<@U0BOB000001>" not in said and "<https://evil" not in said


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://a b", "https://a|b", "https://a>b", ""]
)
def test_a_url_a_browser_should_not_follow_is_no_link(url: str) -> None:
    linked = build.section("slo", build.finding(link=Link("Dashboard", url)))
    shown = json.dumps([m.blocks for m in drawn(build.request(state=Standing.ANSWERED, sections=(linked,)))])
    assert '"url"' not in shown
    assert blocks.link(url, "runbook") == "runbook"


TEXT = st.text(max_size=30) | st.sampled_from(
    [HOSTILE, HOSTILE * 40, "x" * 60_000, "&" * 4000, "\n" * 500, ""]
)
FINDING = st.builds(
    Finding, key=st.just("DH-1.5"), label=TEXT, light=st.sampled_from(Light), value=TEXT, threshold=TEXT,
    evidence=st.lists(TEXT, max_size=12).map(tuple), alarm=TEXT, mend=TEXT,
    suggestions=st.lists(st.builds(Suggestion, TEXT.filter(bool), TEXT.filter(bool)), max_size=9).map(tuple),
    link=st.none() | st.builds(Link, TEXT.filter(bool), st.sampled_from(["https://x/" + "y" * 5000, "https://x"])),
)  # fmt: skip
SECTIONS = st.lists(
    st.builds(
        Section, st.sampled_from(["slo", "help"]), TEXT, st.just(True), st.lists(FINDING, max_size=40).map(tuple), TEXT
    ),
    max_size=4,
).map(tuple)  # fmt: skip


def check(messages: tuple[blocks.Message, ...]) -> None:
    for message in messages:
        assert len(message.text) <= 4000
        limits.message_blocks([_plain(block) for block in message.blocks])


def _plain(block: Any) -> Any:
    return json.loads(json.dumps(block))


@settings(max_examples=60, deadline=None)
@given(SECTIONS)
def test_no_answer_breaks_a_limit_of_slack(sections: tuple[Section, ...]) -> None:
    check(drawn(build.request(state=Standing.ANSWERED, sections=sections, flags=(Flag("x", "y" * 9000),))))
    check((replace(drawn(Whisper("W1", "U1", Place("C1"), "t" * 9000, sections))[0]),))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(TEXT, TEXT, max_size=5), min_size=1, max_size=30), TEXT)
def test_no_alert_breaks_a_limit_of_slack(labels: list[dict[str, str]], text: str) -> None:
    made = [
        replace(build.alert(), labels=each, annotations={"summary": text, "runbook_url": text})
        for each in labels
    ]
    check(
        drawn(build.group(*made, group_labels=labels[0], receiver=text, lines=(Line("1", text, build.NOW),)))
    )


def test_a_cause_stands_on_the_card_and_over_its_facts() -> None:
    """Who asks for a diagnosis reads what is the matter, as under the alert's own card."""
    cause = Cause("web-7 was killed at its limit of 256 MiB", Confidence.LIKELY)
    section = build.section("cause", build.finding(Light.RED), title="KubePodCrashLooping", cause=cause)
    for message in drawn(replace(ANSWERED, text="alert triage A1", sections=(section,), flags=())):
        assert "*Probable cause:* web-7 was killed" in json.dumps(message.blocks)
    verdict = build.finding(Light.RED, label="Verdict", value=f"likely: {cause.text}")
    for message in drawn(replace(ANSWERED, sections=(replace(section, findings=(verdict,)),), flags=())):
        assert json.dumps(message.blocks).count("web-7 was killed") == 1


def test_a_part_without_findings_is_not_judged_and_its_picture_speaks_for_itself() -> None:
    file = Attachment("graph.png", "HighErrorRate", "", stored="file:1", sha256="abc", size=9, is_image=True)
    graph = replace(build.section("graph", title="Graph", attachments=(file,)), findings=())
    rest = replace(build.section("list", title="All of its alerts"), findings=())
    card, detail, picture = drawn(replace(ANSWERED, sections=(*judged()[1:], graph, rest), flags=()))
    assert card.text.startswith("🟡") and "0/1 green" in card.text
    assert "Graph" not in json.dumps([card.blocks, detail.blocks], ensure_ascii=False)
    assert (picture.text, picture.file) == ("HighErrorRate", file)


def test_a_label_whose_name_gives_it_away_is_masked() -> None:
    """Neither text looks like a secret by itself: the name and the value are two."""
    alerts = [
        replace(build.alert("X"), labels={"alertname": "X", "db_password": p, "pod": p[:4]})
        for p in ("hunter21", "dragon21")
    ]
    shown = render.messages(build.group(*alerts), Redactor())
    told = json.dumps([message.blocks for message in shown])
    assert "hunter21" not in told and "dragon21" not in told and "pod=hunt" in told
