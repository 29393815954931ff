"""`incident timeline`, `export` and `verify`: pages and their buttons, three files, a broken chain named."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from commands.alertreads import Called
from commands.errors import UsageError
from commands.finding import Light
from commands.incident import timeline
from commands.model import Args, Gap, Section, Seen
from commands.responsereads import EventsOf, HouseZone, IncidentOf
from commands.site import ClusterSite
from tests.pure.test_timeline import message, note, recorded

ID = "INC-2026-11-23-001"


def asked(verb: str, answers: Mapping[Any, Any], name: str = ID, **flags: str) -> Section:
    (part,) = timeline.parts(Args("incident", verb, name, flags), ClusterSite()).values()
    try:
        reads = next(part.inquiry)
        while True:
            names = {each: {"U0ALICE0001": "Alice"} for each in reads if isinstance(each, Called)}
            reads = part.inquiry.send(Seen({**{each: answers.get(each) for each in reads}, **names}))
    except StopIteration as done:
        section: Section = done.value
        return section


def world(count: int = 3) -> dict[Any, Any]:
    incident, events = recorded(*(note(f"n{n}") for n in range(count)), message("see", "1.1"))
    return {IncidentOf(ID): incident, EventsOf(ID): events, HouseZone(): "Europe/Berlin"}


def texts(section: Section) -> list[str]:
    return [each.text for finding in section.findings for each in finding.suggestions]


def test_the_last_page_comes_first_with_the_way_to_the_earlier_ones() -> None:
    section = asked("timeline", world(38))
    assert section.note == "page 2 of 2, 40 lines, times in Europe/Berlin, with the number of each event"
    assert texts(section) == [f"incident timeline {ID} --page 1", f"incident export {ID}"]
    assert len([line for line in section.table if ":" in line]) == 20
    assert section.table[0] == "Tue 24 Nov" and section.table[-1].endswith("U0BOB000001: see")
    first = asked("timeline", world(38), page="1")
    assert first.table[:2] == ("Mon 23 Nov", "23:58:00    1  declared Sev1: checkout")
    assert "Tue 24 Nov" in first.table and texts(first)[0] == f"incident timeline {ID} --page 2"


def test_times_are_told_in_the_zone_that_is_asked_for() -> None:
    assert asked("timeline", world(), zone="UTC").table[1].startswith("22:58:00")


@pytest.mark.parametrize(
    ("flags", "why"), [({"zone": "Europe/Nowhere"}, "is no time zone"), ({"page": "two"}, "takes a number")]
)
def test_what_cannot_be_meant_is_refused(flags: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        asked("timeline", world(), **flags)


def test_an_export_is_three_files_that_hold_everything() -> None:
    section = asked("export", world())
    assert [file.name for file in section.attachments] == [f"{ID}.md", f"{ID}.csv", f"{ID}.json"]
    assert all("n2" in file.content for file in section.attachments)
    assert section.light is Light.GREEN


def test_what_was_merged_into_it_stands_in_its_timeline_by_time_and_says_whose_it_is() -> None:
    answers, other = world(1), "INC-2026-11-23-002"
    _, theirs = recorded(note("seen there too", by="U0CAROL0001"))
    answers |= {EventsOf(other): theirs, IncidentOf(ID): replace(answers[IncidentOf(ID)], merged=(other,))}
    table = [line.split(maxsplit=1)[1] for line in asked("timeline", answers).table if ":" in line]
    assert [each for each in table if other in each] == [
        f"[{other}] declared Sev1: checkout", f"[{other}] U0CAROL0001: seen there too",
    ]  # fmt: skip
    assert other in table[1] and "n0" in table[2], "by their time"
    (markdown, table_file, whole) = asked("export", answers).attachments
    assert "seen there too" in markdown.content and "seen there too" not in whole.content + table_file.content
    dark = asked("timeline", {**answers, EventsOf(other): Gap("the store does not answer")})
    assert dark.light is Light.UNKNOWN


def test_a_changed_event_makes_the_record_red_and_is_named() -> None:
    answers = world()
    events = list(answers[EventsOf(ID)])
    events[2] = replace(events[2], content=replace(events[2].content, text="nothing happened"))
    section = asked("verify", {**answers, EventsOf(ID): tuple(events)})
    (finding,) = section.findings
    assert (
        finding.light is Light.RED and finding.evidence[0] == "event 3 has another content than was written"
    )


def test_a_whole_record_prints_the_hash_of_its_head() -> None:
    answers = world()
    (finding,) = asked("verify", answers).findings
    head = answers[IncidentOf(ID)].head
    assert finding.light is Light.GREEN and finding.evidence == (f"event {head.seq}, {head.hash}",)


@pytest.mark.parametrize("verb", ["timeline", "export", "verify"])
def test_a_store_that_does_not_answer_is_unknown_and_no_incident_is_said_to_be_none(verb: str) -> None:
    dark = asked(verb, {**world(), EventsOf(ID): Gap("the bot's own store does not answer")})
    assert dark.light is Light.UNKNOWN and "store does not answer" in dark.findings[0].value
    nobody = asked(verb, {IncidentOf(ID): None, EventsOf(ID): (), HouseZone(): "UTC"})
    assert nobody.light is not Light.GREEN
    assert "which one?" in asked(verb, {}, name="").findings[0].value
