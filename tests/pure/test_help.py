"""The help pages: derived from what is built, short enough for a phone and for Slack."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commands import help as helping
from commands import words
from commands.catalog import Catalog, Declared
from commands.command import Command, Due, Flag, Parts
from commands.errors import UsageError
from commands.finding import Finding
from commands.model import Args, Gap, Read, Section, Seen
from commands.reads import DeadLetters, DeadLetterView, EffectiveConfig, RunLog, RunView, Whoami, WhoamiView
from commands.site import CHANGES, ClusterSite
from commands.version import VERSION

BERLIN = ZoneInfo("Europe/Berlin")


def _nothing(args: Args, site: ClusterSite) -> Parts:
    return {}


HEALTH = Command(
    word="health",
    verbs=("", "slo", "cluster"),
    summary="the morning check",
    rows=("DH-0.1", "DH-1.0"),
    parts=_nothing,
    examples=("health", "health slo"),
    flags=(Flag("tail", "how many lines", "100"),),
    names="SERVICE",
    schedule=(Due("morning", "30 8 * * *", "health", "daily"),),
)
NODE = Command(
    "node", ("list", "drain"), "nodes", ("T1-1",), _nothing, ("node drain n1",), names="NODE", role="oncall"
)
SMALL = Catalog(
    Declared(command, "x.py") for command in (HEALTH, NODE, *helping.commands((HEALTH, NODE), BERLIN))
)
REAL = Catalog.load(zone=BERLIN)

# Somebody who may submit every change there is.
ALMIGHTY = WhoamiView(changes=frozenset(CHANGES))


def pages(text: str, answer: object = ALMIGHTY, catalog: Catalog = SMALL) -> list[Section]:
    """What help says to a line, when every read is answered with `answer`."""
    found = []
    parsed = catalog.parse(text)
    for key, part in parsed.command.parts(parsed.args, ClusterSite()).items():
        inquiry = part.inquiry
        try:
            reads = next(inquiry)
            inquiry.send(Seen({read: answer for read in reads}))
        except StopIteration as done:
            section: Section = done.value
            assert section.done and section.key == key and section.title == part.title
            found.append(section)
    return found


def text_of(sections: list[Section]) -> str:
    lines = [
        line for section in sections for line in (section.title, section.note, *map(_said, section.findings))
    ]
    return "\n".join(lines)


def _said(finding: Finding) -> str:
    return "\n".join((finding.label, finding.value, *finding.evidence))


def asked(text: str) -> list[Read]:
    parsed = SMALL.parse(text)
    return [
        read
        for part in parsed.command.parts(parsed.args, ClusterSite()).values()
        for read in next(part.inquiry)
    ]


# --- Page one -------------------------------------------------------------------------------------


def test_page_one_shows_what_is_built_in_its_groups() -> None:
    titles = [section.title for section in pages("")]
    assert titles[1:-1] == [words.Group.LOOK, words.Group.CLUSTER, words.Group.RESPOND]
    text = text_of(pages(""))
    assert (
        "`health` the morning check: all four sections\n   `slo · cluster`\n   e.g. `/sre health slo`" in text
    )
    assert "`list · drain*`" in text
    assert "`drain` is `node drain`" in text
    for unbuilt in ("capacity", "uncordon", "monitoring", "rollback"):
        assert unbuilt not in text


@pytest.mark.parametrize("catalog", [SMALL, REAL], ids=["small", "real"])
def test_flags_everywhere_are_those_that_every_command_takes(catalog: Catalog) -> None:
    flags = re.findall(r"`(?:-\w/)?--([\w-]+)[^`]*`", pages("", catalog=catalog)[-1].note)
    assert flags == ["cluster", "incident", "private"]
    for command in catalog.commands:
        for line in (f"{command.word} {verb}".strip() for verb in command.verbs):
            assert catalog.parse(f"{line} --cluster x --private").command is command


@pytest.mark.parametrize("catalog", [SMALL, REAL], ids=["small", "real"])
def test_page_one_fits_a_phone(catalog: Catalog) -> None:
    for section in pages("", catalog=catalog):
        assert max(map(len, section.note.splitlines())) <= helping.WIDTH


def test_page_one_fits_a_phone_when_everything_is_built() -> None:
    everything = tuple(
        Command(w.name, ("", *(v.name for v in w.verbs)), "x", ("GE-1",), _nothing, (w.name,))
        for w in words.WORDS.values()
        if w.name != "help"
    )
    catalog = Catalog(Declared(one, "x.py") for one in (*everything, *helping.commands(everything, UTC)))
    sections = pages("", catalog=catalog)
    assert all(word in text_of(sections) for word in words.WORDS)
    for section in sections:
        assert len(section.note) <= 2800
        assert max(map(len, section.note.splitlines())) <= helping.WIDTH


@pytest.mark.parametrize("text", ["help", "help examples", *(f"help {c.word}" for c in REAL.commands)])
def test_every_static_page_fits_into_one_text_of_slack(text: str) -> None:
    for section in pages(text, catalog=REAL):
        assert section.key.startswith("help")
        assert len(section.note) <= 2800
        assert all(len(_said(finding)) <= 2800 for finding in section.findings)


# --- One word -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["help health", "help HC", "health help", "health --help", "help health slo"]
)
def test_a_word_page(text: str) -> None:
    (page,) = pages(text)
    for line in (
        "`/sre health [verb] [SERVICE] [flags]`",
        "Also typed as hc, healthcheck, morning.",
        "`slo` availability, errors, budget, CPU and their red flags",
        "`--tail 100` how many lines",
        "`/sre health slo`",
        "`30 8 * * *` health",
        "For: anyone",
        "Manual: DH-0.1, DH-1.0",
    ):
        assert line in page.note.splitlines()


def test_where_verbs_are_commands_of_their_own_each_stands_before_what_it_does() -> None:
    (page,) = pages("help node", catalog=REAL)
    said = page.note.splitlines()
    assert "`list` The nodes with their conditions and load, the sick ones first." in said
    assert "`cordon*` `uncordon*` Close a node to new pods, or open it again." in said


def test_a_word_page_marks_what_needs_approval_and_hides_what_is_not_built() -> None:
    (page,) = pages("help node")
    assert "`drain*` move all pods off a node" in page.note
    assert "cordon" not in page.note
    assert "`--why TEXT` the reason, for the record" in page.note
    assert "--since" not in page.note and "--private" not in page.note
    assert "For: oncall" in page.note


@pytest.mark.parametrize("who", [WhoamiView(changes=frozenset({"node cordon"})), Gap("the store is away")])
def test_what_one_may_not_submit_is_hidden_everywhere(who: object) -> None:
    said = "\n".join(text_of(pages(text, who)) for text in ("", "help node", "help examples"))
    assert "drain" not in said
    assert "`list`" in said  # looking is everybody's


def test_a_word_of_which_nothing_is_for_the_asker_says_so() -> None:
    drain = replace(NODE, verbs=("drain",))
    catalog = Catalog(Declared(one, "x.py") for one in (drain, *helping.commands((drain,), UTC)))
    (page,) = pages("help node", WhoamiView(), catalog)
    assert page.note == "Nothing of `node` is for you; `/sre help whoami` says what is."
    assert "Nothing that is for you." in text_of(pages("", WhoamiView(), catalog))


def test_a_shortcut_leads_to_its_word() -> None:
    assert pages("help drain") == pages("help node")


def test_a_misspelt_word_gets_a_question_and_a_button() -> None:
    (page,) = pages("help helth")
    (finding,) = page.findings
    assert finding.label == "Did you mean help health?"
    assert [suggestion.text for suggestion in finding.suggestions] == ["help health"]


def test_a_verb_alone_leads_to_the_one_word_that_has_it() -> None:
    (page,) = pages("help cluster")
    (finding,) = page.findings
    assert [suggestion.text for suggestion in finding.suggestions] == ["help health"]


def test_an_unknown_word_gets_the_words_there_are() -> None:
    assert "`health`, `node`, `help`" in text_of(pages("help frobnicate"))


def test_a_word_not_built_yet_says_so() -> None:
    with pytest.raises(UsageError, match="`/sre capacity` is planned but not built yet"):
        pages("help cap")


@pytest.mark.parametrize("row", sorted(REAL.rows()))
def test_every_row_is_reachable_from_a_help_page(row: str) -> None:
    texts = [
        text_of(pages(f"help {command.word}", catalog=REAL))
        for command in REAL.commands
        if row in command.rows
    ]
    assert texts and all(re.search(rf"(^|[ ,]){re.escape(row)}(,|$)", text, re.MULTILINE) for text in texts)


# --- Examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalog", [SMALL, REAL], ids=["small", "real"])
def test_examples_shows_every_example_and_each_is_runnable(catalog: Catalog) -> None:
    shown = re.findall(r"`(/sre [^`]+)`", text_of(pages("help examples", catalog=catalog)))
    assert shown == [f"/sre {example}" for command in catalog.commands for example in command.examples]
    for line in shown:
        assert catalog.parse(line).command in catalog.commands


def test_examples_are_buttons_only_where_they_change_nothing() -> None:
    offered = [s.text for page in pages("help examples") for f in page.findings for s in f.suggestions]
    assert offered == ["health", "help"]


@pytest.mark.parametrize("catalog", [SMALL, REAL], ids=["small", "real"])
def test_every_line_help_offers_can_be_typed(catalog: Catalog) -> None:
    for text in ("help", "help examples", *(f"help {command.word}" for command in catalog.commands)):
        for line in re.findall(r"`(/sre [^`<\[]+)`", text_of(pages(text, catalog=catalog))):
            catalog.parse(line)


# --- The bot itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("help schedule", RunLog()),
        ("help whoami", Whoami()),
        ("help config", EffectiveConfig()),
        ("help outbox", DeadLetters()),
    ],
)
def test_what_is_not_known_is_said(text: str, read: Read) -> None:
    assert asked(text) == [read]
    said = text_of(pages(text, Gap("the store does not answer", "redis: url")))
    assert "Cannot be read: the store does not answer\n→ redis: url" in said


DUE, NEXT = datetime(2026, 3, 27, 7, 30, tzinfo=UTC), datetime(2026, 3, 30, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run", "lines"),
    [
        pytest.param(
            RunView("morning", "health", "30 8 * * *", NEXT, DUE, DUE, "answered"),
            [
                "✓ *morning* `health`",
                "   last Fri 27 Mar 08:30 CET answered",
                "   next Mon 30 Mar 08:30 CEST",
            ],
            id="local time, on both sides of the change of clocks",
        ),
        pytest.param(
            RunView("morning", "health", "30 8 * * *", NEXT, DUE, None, "", overdue=True),
            ["✗ *morning* `health`", "   OVERDUE since Fri 27 Mar 08:30 CET", "   never ran"],
            id="overdue",
        ),
        pytest.param(
            RunView("morning", "health", "30 8 * * *", NEXT, overdue=True),
            ["✗ *morning* `health`", "   OVERDUE", "   never ran"],
            id="overdue and never run",
        ),
        pytest.param(RunView("a", "health", "", NEXT, DUE, DUE, "failed"), ["✗ *a* `health`"], id="failed"),
        pytest.param(RunView("a", "health", "", NEXT, DUE, None, "missed"), ["✗ *a* `health`"], id="missed"),
        pytest.param(RunView("a", "health", "", NEXT, DUE, DUE, "reading"), ["… *a* `health`"], id="running"),
        pytest.param(RunView("a", "health", "", NEXT), ["· *a* `health`", "   never ran"], id="new"),
    ],
)
def test_schedule(run: RunView, lines: list[str]) -> None:
    (page,) = pages("help schedule", (run,))
    assert page.note.splitlines()[: len(lines)] == lines


def test_an_empty_calendar() -> None:
    assert "Nothing is scheduled." in text_of(pages("help schedule", ()))


NO_CHANGES = "Changes: none. The config key `access` says who may ask for and approve them."


@pytest.mark.parametrize(
    ("who", "lines"),
    [
        (
            WhoamiView(),
            [
                "Your roles: none, which is enough to look at everything",
                "Not for you: `node list`, `node drain` (`oncall`)",
                NO_CHANGES,
            ],
        ),
        (
            WhoamiView(
                ("oncall", "approvers"), grants=("ask for `deploy *` (rule 1 of `access`, as `oncall`)",)
            ),
            [
                "Your roles: `oncall`, `approvers`",
                "• You may ask for `deploy *` (rule 1 of `access`, as `oncall`)",
            ],
        ),
        (
            WhoamiView(("oncall",), unsure=("approvers",)),
            [
                "Your roles: `oncall`",
                "Not known, because Slack has not told lately who is in a user group: `approvers`",
                NO_CHANGES,
            ],
        ),
    ],
)
def test_whoami(who: WhoamiView, lines: list[str]) -> None:
    lines = [*lines, f"I am SRE Bot {VERSION}."]
    assert [page.note.splitlines() for page in pages("help whoami", who)] == [lines]


def test_config_comes_whole_in_pieces_slack_takes() -> None:
    lines = [f"  key_{n}: <&>{'x' * 60}" for n in range(200)]
    (page,) = pages("help config", "\n".join(lines))
    pieces = [fact for finding in page.findings for fact in finding.evidence]
    assert [
        line for piece in pieces for line in piece.removeprefix("```\n").removesuffix("\n```").split("\n")
    ] == lines
    for piece in pieces:
        assert len(piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) <= 2900


def test_config_cannot_end_its_own_code_block() -> None:
    assert text_of(pages("help config", "a: ```")).count("```") == 2


def test_outbox() -> None:
    assert "everything was delivered" in text_of(pages("help outbox", ()))
    letter = DeadLetterView("R-1", "#sre-daily", "channel_not_found", DUE, 9)
    text = text_of(pages("help outbox", (letter,) * 21))
    assert "✗ `R-1` for #sre-daily · 9 tries\n   since Fri 27 Mar 08:30 CET: channel_not_found" in text
    assert "and 1 more" in text


def test_help_is_answered_in_the_acknowledgement() -> None:
    assert SMALL.parse("help").command.immediate
