"""Alert groups, storms, notices and triages as Slack messages: how each kind looks, and what no text can do."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import TEXT, check, drawn, golden

from bot import blocks, render
from bot.alertcard import silence_view
from bot.blocks import Message, moment
from bot.care import SNOOZE
from bot.secret import Redactor
from commands import phrase
from commands.finding import Finding, Light, Suggestion
from commands.ledger import Line
from commands.model import (
    Alert,
    AlertGroup,
    Attachment,
    Care,
    Cause,
    Confidence,
    Notice,
    Record,
    Request,
    Section,
    Seen,
    Severity,
)  # fmt: skip
from commands.responsereads import HouseZone
from commands.site import ClusterSite
from commands.triage import listing
from sandbox.slack import limits
from tests import build
from tests.alert_cards import ACKED, CAUSE, GROUPS, ID, KINDS, STORM, after, alert, group, triage


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_looks_as_it_did(name: str) -> None:
    golden(name, drawn(KINDS[name]))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_keeps_to_the_limits_of_slack(name: str) -> None:
    check(drawn(KINDS[name]))


def card(record: Record) -> Message:
    return drawn(record)[0]


def said(record: Record) -> str:
    return json.dumps(card(record).blocks, ensure_ascii=False)


def elements(message: Message) -> list[dict[str, Any]]:
    return [each for block in message.blocks if block["type"] == "actions" for each in block["elements"]]


def pressed(record: Record) -> list[str]:
    return [each["action_id"] for each in elements(card(record))]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (group(), "· firing"),
        (group(alert(), alert("b")), "· 2 firing"),
        (group(repeats=1, heard=after(hours=4)), "· still firing (2x, 4 h)"),
        (group(alert(), alert("b"), repeats=2, heard=after(hours=8)), "· 2 firing · still firing (3x, 8 h)"),
        (group(flaps=2), "· firing · flapping 2"),
        (group(alert(), alert("b"), alert("c", ends_after=timedelta(minutes=4))), "· 2 firing / 1 resolved"),
        (
            group(alert(ends_after=timedelta(minutes=25)), updated=after(minutes=25)),
            "· resolved after 25 min",
        ),
        (group(truncated=37), "· firing · 37 more not listed"),
    ],
)
def test_the_first_line_says_where_it_stands(record: AlertGroup, words: str) -> None:
    headline = card(record).blocks[0]["text"]["text"].split("\n")[0]
    assert headline.endswith(words)


@pytest.mark.parametrize(
    ("severity", "sign"), [(Severity.CRITICAL, "🔴"), (Severity.WARNING, "🟠"), (Severity.INFO, "🔵")]
)
def test_how_grave_it_is_is_seen_by_its_colour(severity: Severity, sign: str) -> None:
    assert card(group(severity=severity)).text.startswith(sign)
    over = group(alert(ends_after=timedelta(minutes=5)), severity=severity)
    assert card(over).text.startswith("✅")


def test_a_notification_says_what_is_wrong_and_where() -> None:
    assert card(group()).text == (
        "🔴 KubePodCrashLooping: firing · Pod shop/web-7d4b9c-x1 (app) restarts again and again"
        " · training · shop · pod web-7d4b9c-x1"
    )


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"summary": "S", "description": "D"}, "S"),
        ({"summary": " ", "description": "D\nmore"}, "D more"),
        ({"message": "M"}, "M"),
    ],
)
def test_it_says_in_words_what_the_alert_says(annotations: dict[str, str], words: str) -> None:
    assert f"\\n{words}\\n" in said(group(replace(alert(), annotations=annotations)))


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        ((alert(),), "training · shop · pod web-7d4b9c-x1"),
        ((alert(node="ip-10-0-2-82.eu-central-1.compute.internal"),), "pod web-7d4b9c-x1 · on ip-10-0-2-82"),
        ((alert(), alert("b")), "training · shop · 2 pods"),
        ((alert(), alert("b", namespace="monitoring")), "training · 2 namespaces · 2 pods"),
        ((build.alert("X", deployment="web", namespace="shop"),), "training · shop · deployment web"),
        ((build.alert("X", node="n1"),), "training · node n1"),
        ((build.alert("X", instance="10.0.2.82:9100"),), "training · instance 10.0.2.82:9100"),
        ((build.alert("X", namespace="db", persistentvolumeclaim="data-0"),), "· db · volume claim data-0"),
        ((build.alert("X"),), "training"),
    ],
)
def test_it_says_where(alerts: tuple[Alert, ...], words: str) -> None:
    assert f"{words} · since" in said(group(*alerts))


def typed(record: Record) -> list[str]:
    return [each["value"] for each in elements(card(record)) if each["action_id"].startswith("submit")]


def test_the_cause_names_how_sure_it_is_and_offers_two_commands() -> None:
    shown = card(group(cause=CAUSE))
    assert f"*Probable cause:* {CAUSE.text}" in json.dumps(shown.blocks, ensure_ascii=False)
    assert typed(group(cause=CAUSE, severity=Severity.WARNING)) == [
        each.text for each in CAUSE.suggestions[:2]
    ]
    assert "*Possible cause:*" in said(group(cause=replace(CAUSE, confidence=Confidence.POSSIBLE)))
    assert "*Cause, certain:*" in said(group(cause=replace(CAUSE, confidence=Confidence.CERTAIN)))


def test_what_is_critical_offers_an_incident_about_it() -> None:
    declare = f"incident declare --alert {ID}"
    assert typed(group(severity=Severity.CRITICAL)) == [declare]
    assert typed(group(severity=Severity.CRITICAL, cause=CAUSE)) == [CAUSE.suggestions[0].text, declare]
    assert typed(group(severity=Severity.WARNING)) == []


def test_without_a_cause_it_says_where_the_facts_are_and_only_where_there_are_any() -> None:
    assert "No cause named: the facts are in the thread." in said(group(triage="TTEST0001"))
    assert "thread" not in said(group())


def test_while_the_cause_is_looked_for_it_promises_no_facts() -> None:
    looking = said(group(triage="TTEST0001", looking=True))
    assert "Looking for the cause…" in looking and "thread" not in looking
    assert "Looking" not in said(group(triage="TTEST0001", looking=True, cause=CAUSE))


def test_its_buttons_carry_the_group_and_the_episode() -> None:
    shown = elements(card(group(episode=3)))
    own = {
        each["action_id"]: each["value"]
        for each in shown
        if each["action_id"].startswith("alert:") and "value" in each
    }
    assert own == dict.fromkeys(["alert:ack", "alert:own", "alert:silence"], f"{ID} 3")
    assert seldom(group(episode=3)) == {
        "Snooze for 30 min": f"snooze {ID} 3",
        "Mark as actionable": f"mark {ID} 3 actionable",
        "Mark as informational": f"mark {ID} 3 informational",
        "Mark as false alarm": f"mark {ID} 3 false alarm",
    }
    assert timedelta(minutes=30) == SNOOZE
    assert [each["text"]["text"] for each in shown if "url" in each] == ["Runbook"]


def seldom(record: AlertGroup) -> dict[str, str]:
    (menu,) = [each for each in elements(card(record)) if each["action_id"] == "alert:more"]
    return {each["text"]["text"]: each["value"] for each in menu["options"]}


def test_where_else_it_can_be_looked_at_is_the_small_print() -> None:
    graph, manager, origin = (each["text"] for each in card(group()).blocks[-1]["elements"])
    assert graph == "<https://prometheus.example/graph?g0.expr=x|Graph>"
    assert manager == "<https://alertmanager.example|Alertmanager>" and origin.endswith(ID)
    unsafe = json.dumps(card(group(external_url="javascript:alert(1)")).blocks[-1])
    assert "Alertmanager" not in unsafe and "javascript" not in unsafe


def test_what_somebody_has_done_needs_no_button_any_more() -> None:
    assert pressed(group(care=ACKED))[:3] == ["alert:own", "alert:silence", "alert:more"]
    assert seldom(group(care=ACKED))["Hand over…"] == f"hand {ID} 1"
    assert "Take over" in said(group(care=ACKED)) and '"Own"' not in said(group(care=ACKED))
    assert "Snooze for 30 min" not in seldom(group(severity=Severity.WARNING))


@pytest.mark.parametrize("name", GROUPS)
def test_no_row_has_more_than_five_buttons_and_there_are_two_at_most(name: str) -> None:
    rows = [block["elements"] for block in card(GROUPS[name]).blocks if block["type"] == "actions"]
    assert len(rows) <= 2 and all(len(row) <= 5 for row in rows)


def test_of_what_is_over_only_the_mark_is_left() -> None:
    over = group(
        alert(ends_after=timedelta(minutes=5)), updated=after(minutes=5), cause=CAUSE, mention="U0ALICE0001"
    )
    assert pressed(over) == ["alert:mark"]
    assert CAUSE.text in said(over)
    assert "<@U0ALICE0001>" not in said(over)


@pytest.mark.parametrize(
    ("member", "mentioned"), [("U0ALICE0001", "<@U0ALICE0001> "), ("S0ONCALL", "<!subteam^S0ONCALL> "), ("", ""),
                              ("!channel", ""), ("U1> <!channel", "")],
)  # fmt: skip
def test_its_opening_mentions_who_is_meant_and_its_replies_nobody(member: str, mentioned: str) -> None:
    record = group(mention=member, lines=(build_line("resolved"),))
    opening, reply = drawn(record)
    assert opening.text.startswith(f"{mentioned}🔴")
    assert opening.blocks[0]["text"]["text"].startswith(f"{mentioned}🔴")
    assert "<@" not in reply.text and "<!sub" not in reply.text


def build_line(text: str) -> Line:
    return Line("1", text, build.NOW)


def test_a_group_of_three_hundred_is_one_card_and_four_replies() -> None:
    opening = drawn(KINDS["alerts-300"])
    replies = drawn(KINDS["alerts-triage-300"])
    assert len(opening) == 1
    assert [message.key for message in replies] == [
        "section:cause", "section:context", "file:graph:0", "file:list:0",
    ]  # fmt: skip
    assert all(message.in_thread for message in replies)
    assert len(opening) + len(replies) <= 1 + 5


def test_of_a_large_group_the_card_says_where_most_of_it_is() -> None:
    shown = said(KINDS["alerts-300"])
    assert "*Most of the 300*" in shown
    assert "*namespace* 128 × shop, 86 × kube-system, 86 × monitoring" in shown
    assert "pod-17" not in shown


def test_of_a_large_group_nothing_is_counted_that_is_another_everywhere() -> None:
    alerts = tuple(build.alert(namespace="shop", pod=f"web-{n}") for n in range(12))
    assert "Most of" not in said(group(alerts=alerts))
    asked = listing.told(group(alerts=alerts), ClusterSite())
    next(asked)
    with pytest.raises(StopIteration) as end:
        asked.send(Seen({HouseZone(): "Europe/Berlin"}))
    assert end.value.value.findings == () and len(end.value.value.attachments) == 1
    assert "firing  2026-11-23 09:30:00 CET  alertname=" in end.value.value.attachments[0].content


def test_a_time_in_the_text_of_a_cause_is_shown_as_the_times_of_its_card() -> None:
    """In each reader's own zone; what is written so in a label or is no time stays as it is."""
    told = replace(
        CAUSE, text=f"rollout 12 min before it began ({phrase.moment(build.NOW)}) & 2026-99-99 08:30 UTC"
    )
    shown = f"rollout 12 min before it began ({moment(build.NOW)}) &amp; 2026-99-99 08:30 UTC"
    assert f"*Probable cause:* {shown}" in card(group(cause=told)).blocks[0]["text"]["text"]
    facts = (f"since {phrase.moment(build.NOW)}",)
    (reply,) = drawn(
        triage(Section("cause", "C", True, (Finding("k", "L", Light.RED, facts[0], evidence=facts),)))
    )
    assert reply.blocks[0]["text"]["text"].count(f"since {moment(build.NOW)}") == 2


def test_up_to_ten_alerts_are_listed_by_what_tells_them_apart() -> None:
    shown = said(group(alert(), alert("web-b", ends_after=timedelta(minutes=4))))
    assert "🔴 `pod=web-7d4b9c-x1` · since" in shown
    assert "✅ `pod=web-b` · resolved after 4 min" in shown


def test_the_thread_of_the_episode_before_is_linked_where_the_workspace_is_known() -> None:
    record = KINDS["alerts-again"]
    linked = render.messages(record, str, "https://sre.slack.com/")[0]
    assert "https://sre.slack.com/archives/C0SREALERTS/p1795595400000100|" in json.dumps(linked.blocks)
    assert "further up in this channel" in said(record)


def test_one_that_is_told_in_a_storm_is_one_message_in_its_thread() -> None:
    for name in ("alerts-storm-member", "alerts-storm-member-resolved"):
        (only,) = drawn(KINDS[name])
        assert only.in_thread and len(only.blocks) <= 3
    assert "alert triage" in said(KINDS["alerts-storm-member"])


def test_a_storm_counts_what_fires_and_lists_all_in_a_file() -> None:
    shown, file = drawn(STORM)
    assert shown.text == "⚠️ Alert storm: 84 alert groups, 61 firing"
    told = json.dumps(shown.blocks, ensure_ascii=False)
    assert "*Alert*  40 × KubePodCrashLooping, 12 × KubePodNotReady, 9 × TargetDown" in told
    assert "*Node*  51 × ip-10-0-2-82, 4 × ip-10-0-2-83" in told and "6 others" in told
    assert "critical ones have their own cards" in told
    assert file.in_thread and file.file == STORM.listing
    assert len(drawn(replace(STORM, listing=None))) == 1
    last = replace(STORM, members=1, firing=1, listing=None)
    assert drawn(last)[0].text == "⚠️ Alert storm: 1 alert group, 1 firing"


def test_a_newer_list_of_a_storm_is_another_file() -> None:
    assert STORM.listing
    newer = replace(STORM, listing=replace(STORM.listing, stored="STTEST001:list:2"))
    assert drawn(newer)[1].key != drawn(STORM)[1].key


def test_a_triage_has_no_summary_and_says_nothing_where_nothing_was_found() -> None:
    assert [m.key for m in drawn(KINDS["alerts-triage"])] == [
        "section:cause",
        "section:context",
        "file:graph:0",
    ]
    assert [m.key for m in drawn(KINDS["alerts-triage-half"])] == ["section:cause"]
    assert drawn(triage(Section("graph", "Graph", True))) == ()


def test_a_triage_that_failed_says_so() -> None:
    (only,) = drawn(KINDS["alerts-triage-failed"])
    assert "E2345678" in only.text and "failed" in only.text


def test_a_triage_leads_with_the_cause_and_shows_eight_lines_of_evidence() -> None:
    reply = drawn(KINDS["alerts-triage"])[0]
    words = reply.blocks[0]["text"]["text"].split("\n")
    assert words[0].startswith("*Probable cause:* web-7d4b9c-x1/app was killed")
    assert sum("BackOff" in line for line in words) == 8
    assert "      • and 3 more" in words
    assert "      → add `get pods/log`" in words


def test_what_changed_is_told_under_its_own_title_and_not_as_another_cause() -> None:
    rolled = Cause("rollout of revision 7 came 4 min before", Confidence.LIKELY)
    (reply,) = drawn(triage(Section("context", "What changed", True, (build.finding(),), cause=rolled)))
    assert reply.text == "*What changed*"
    assert "rollout of revision 7" not in str(reply.blocks)


def test_a_table_too_long_for_one_message_ends_with_a_whole_line() -> None:
    rows = tuple(f"row-{n:04}  {'x' * 60}" for n in range(200))
    (reply,) = drawn(triage(Section("cause", "C", True, (build.finding(),), table=rows)))
    text = reply.blocks[1]["elements"][0]["elements"][0]["text"].split("\n")
    assert set(text[:-1]) <= set(rows)
    assert text[-1] == f"… {200 - len(text) + 1} more"


def test_a_file_whose_section_only_explains_it_is_one_message() -> None:
    (only,) = drawn(triage(Section("list", "All", True, (Finding("k", "By node", Light.YELLOW, "2"),), attachments=(
        Attachment("l.txt", "12 alerts", stored="k", size=9),))))  # fmt: skip
    assert only.file and only.text == "📎 12 alerts\n*All*\n🟡 *By node*  2"


def test_a_file_that_was_not_kept_is_told_by_its_section() -> None:
    lost = Section(
        "graph", "Graph", True, (build.finding(Light.RED, label="Kept"),), attachments=(Attachment("g", "G"),)
    )
    assert [message.key for message in drawn(triage(lost))] == ["section:graph"]


@pytest.mark.parametrize("text", ["```one", "```" + "x" * 9000, "a\n```b\n```c\n```d", "x" * 2998 + "``````"])
def test_no_code_fence_stays_open(text: str) -> None:
    block = blocks.paragraph(text)
    assert block["text"]["text"].count("```") % 2 == 0
    assert len(block["text"]["text"]) <= blocks.SECTION


@pytest.mark.parametrize("name", ["alerts-injection", "alerts-triage-hostile"])
def test_foreign_text_can_neither_mention_nor_link_nor_run(name: str) -> None:
    messages = drawn(KINDS[name])
    told = " ".join([*(message.text for message in messages), *marked_up([m.blocks for m in messages])])
    for evil in ("<!channel>", "<@U0BOB000001>", "<https://evil", "<script>"):
        assert evil not in told
    urls = [each["url"] for message in messages for each in elements(message) if "url" in each]
    assert all(url.startswith("https://") for url in urls)


def marked_up(node: Any) -> list[str]:
    """Every text in which Slack looks for mentions, links and marks."""
    if isinstance(node, dict):
        own = [node["text"]] if node.get("type") == "mrkdwn" else []
        return own + [text for value in node.values() for text in marked_up(value)]
    return [text for each in node for text in marked_up(each)] if isinstance(node, list | tuple) else []


def test_secrets_are_masked_in_every_text_of_a_card() -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    sick = replace(alert(key), annotations={"summary": f"password=hunter2 {key}"})
    record = group(sick, alert("b"), cause=Cause(f"token={key}", Confidence.LIKELY), route=key)
    told = json.dumps([[m.text, m.blocks] for m in render.messages(record, Redactor())])
    assert key not in told and "hunter2" not in told


def test_the_window_of_a_silence_asks_for_how_long_and_why() -> None:
    view = silence_view(f"{ID} 3")
    limits.view(json.loads(json.dumps(view)))
    assert (view["callback_id"], view["private_metadata"]) == ("silence", f"{ID} 3")
    times, reason = view["blocks"]
    assert [each["value"] for each in times["element"]["options"]] == ["30m", "1h", "2h", "4h"]
    assert times["element"]["initial_option"]["value"] == "1h"
    assert reason["block_id"] == "reason"


LABELS = st.dictionaries(TEXT, TEXT, max_size=5)
ALERTS = st.lists(st.tuples(LABELS, LABELS, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(ALERTS, LABELS, TEXT, st.booleans())
def test_no_alert_breaks_a_limit_of_slack(
    told: list[tuple[dict[str, str], dict[str, str], bool]], labels: dict[str, str], text: str, in_storm: bool
) -> None:
    made = [
        replace(
            alert(ends_after=timedelta(minutes=3) if over else None),
            labels=own,
            annotations={**said, "summary": text},
        )
        for own, said, over in told
    ]
    record = group(
        *made, group_labels=labels, receiver=text, route=text, cluster=text, external_url=text, mention=text,
        cause=Cause(text, Confidence.LIKELY, (Suggestion(text or "x", text or "x"),) * 3), storm=text if in_storm else "",
        care=Care(owner=text), lines=(build_line(text),),
    )  # fmt: skip
    check(drawn(record))
    check(drawn(Notice("N1", "C1", text, build.NOW, text)))


EVIDENCE = st.lists(TEXT, max_size=12).map(tuple)
FINDINGS = st.lists(
    st.builds(Finding, TEXT, TEXT, st.sampled_from(Light), TEXT, TEXT, EVIDENCE), max_size=12
).map(tuple)


@settings(max_examples=40, deadline=None)
@given(FINDINGS, st.lists(TEXT, max_size=40).map(tuple), TEXT, st.booleans())
def test_no_triage_breaks_a_limit_of_slack(
    findings: tuple[Finding, ...], table: tuple[str, ...], text: str, has_file: bool
) -> None:
    files = (Attachment(text, text, stored="k"),) if has_file else ()
    for found in (None, Cause(text, Confidence.LIKELY)):
        part = Section("cause", text, True, findings, text, files, table, found)
        request: Request = triage(part)
        check(drawn(request))


def test_all_kinds_are_told_apart() -> None:
    assert len({json.dumps([m.blocks for m in drawn(record)]) for record in GROUPS.values()}) == len(GROUPS)
