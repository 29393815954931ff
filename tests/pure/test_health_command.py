"""The `health` command as a whole: what its verbs read, its calendar, and one dead source among many."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from health_answers import NOW, SITE, all_answers, section

from commands import health
from commands.catalog import Catalog
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Args, Gap
from commands.reads import Now

FOUR = ["slo", "cluster", "monitoring", "app"]
(COMMAND,) = health.COMMANDS


def parts(verb="", **flags):
    return COMMAND.parts(Args("health", verb, flags=flags), SITE)


@pytest.mark.parametrize("verb, keys", [("", FOUR), ("all", FOUR), *[(verb, [verb]) for verb in FOUR]])
def test_the_bare_word_reads_all_four_parts_and_a_verb_its_own(verb, keys):
    assert list(parts(verb)) == keys


def test_a_green_world_is_four_green_sections_with_the_titles_announced():
    for part in parts().values():
        found = section(part.inquiry, all_answers())
        assert (found.title, found.light) == (part.title, Light.GREEN)


def test_any_one_source_that_is_silent_makes_no_section_green_that_needed_it_and_crashes_none():
    """Each read in turn becomes a Gap; whatever then reads green must not have asked for it."""
    for dead in all_answers():
        answers = _Silent(all_answers() | {dead: Gap("nobody answers", "mend")})
        sections = [section(part.inquiry, answers) for part in parts().values()]
        lines = [line for found in sections for line in found.findings]
        told = [line for line in lines if "nobody answers" in repr(line)]
        assert all(line.light is Light.UNKNOWN for line in told), dead
        # A source with a stand-in, or one that only says how far back the data goes, is told of in a note
        # or in the evidence of the stand-in.
        assert told or any("nobody answers" in found.note for found in sections) or dead not in answers.asked


class _Silent(dict):
    """Answers a fallback read with silence too, and remembers what was asked."""

    def __init__(self, answers):
        super().__init__(answers)
        self.asked = set()

    def __getitem__(self, read):
        self.asked.add(read)
        return super().__getitem__(read)

    def __missing__(self, read):
        return Gap("nobody answers")


def test_all_sources_silent_is_unknown_everywhere_and_never_green():
    answers = _Silent({Now(): NOW})
    for part in parts().values():
        assert {line.light for line in section(part.inquiry, answers).findings} == {Light.UNKNOWN}


def test_an_unknown_service_names_the_known_ones():
    with pytest.raises(UsageError, match="backend"):
        parts("slo", service="nosuch")


def test_a_service_nobody_calls_has_no_health_of_its_own():
    with pytest.raises(UsageError, match=r"traffic-generator.*backend"):
        parts("slo", service="traffic-generator")


def test_another_service_is_asked_about_by_its_own_names():
    pay = replace(SITE.service("backend"), name="pay", namespace="pay", service="pay-svc")
    site = replace(SITE, services={**SITE.services, "pay": pay})
    (part,) = COMMAND.parts(Args("health", "slo", flags={"service": "pay"}), site).values()
    assert part.title == "SLO · pay"
    assert 'namespace="pay",service="pay-svc"' in next(part.inquiry)[0].expr


def test_the_heartbeat_flag_asks_for_the_beat_alone():
    assert list(parts("monitoring", heartbeat="")) == ["heartbeat"]


def test_the_calendar_has_the_morning_the_weekend_the_week_and_the_five_minute_checks():
    calendar = {due.name: (due.cron, due.text, due.is_quiet) for due in COMMAND.schedule}
    assert calendar == {
        "morning-health": ("30 8 * * 1-5", "health", False),
        "weekend-health": ("30 8 * * 6,0", "health", True),
        "weekly-trend": ("35 8 * * 1", "health trend", False),
        "slo-red-flags": ("*/5 * * * *", "health slo", True),
        "alert-delivery": ("*/5 * * * *", "health monitoring --heartbeat", True),
    }
    assert {due.channel for due in COMMAND.schedule} == {"daily"}


def test_every_finding_answers_a_row_the_command_declares():
    keys = {line.key for part in parts().values() for line in section(part.inquiry, all_answers()).findings}
    assert keys <= set(COMMAND.rows)
    assert len(COMMAND.rows) == len(set(COMMAND.rows))


def test_the_catalog_accepts_it_and_its_scheduled_lines_parse():
    catalog = Catalog.load()
    assert COMMAND in catalog.commands
    for due in COMMAND.schedule:
        assert catalog.parse(due.text).command is COMMAND


def test_nothing_here_starts_a_process_or_reads_a_clock():
    files = [*Path(health.__file__).parent.glob("*.py"), Path(health.__file__).parents[1] / "queries.py"]
    for file in files:
        for item in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(item, ast.Import):
                names = [alias.name for alias in item.names]
            elif isinstance(item, ast.ImportFrom):
                names = [item.module or ""]
            assert not {n.split(".")[0] for n in names} & {"subprocess", "os", "time", "random", "logging"}
            if isinstance(item, ast.Attribute):
                assert item.attr not in {"now", "utcnow", "today"}, file
