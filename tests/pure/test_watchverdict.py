"""What a row of samples comes to, and whether a rollback has worked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from watch_world import MINUTE, NAN, RULES, T0, baseline, dark, judge, row, sample

from commands.finding import Light
from commands.sample import Check, Sample
from commands.watch import Judged, Reading
from commands.watchverdict import Outcome, due, finding, recovery, verdict

WATCHING, PASS, FAIL, INCONCLUSIVE, BLIND = Outcome
WHOLE = due(RULES)


def test_a_whole_bake_time_has_a_sample_a_minute_after_the_first() -> None:
    assert WHOLE == 14
    assert due(replace(RULES, bake=timedelta(minutes=30), interval=timedelta(minutes=2))) == 15


@pytest.mark.parametrize(
    ("letters", "now", "at_the_end"),
    [
        ("xx", FAIL, FAIL),
        ("x.x.x", FAIL, FAIL),
        ("x..x.", WATCHING, INCONCLUSIVE),
        ("x.x...........", WATCHING, PASS),  # samples 1 and 3, none later
        ("x..x..x.......", WATCHING, PASS),  # three, but no five that hold them all
        ("x..xx.........", FAIL, FAIL),
        ("..............", WATCHING, PASS),
        (".............x", WATCHING, INCONCLUSIVE),
        ("X", FAIL, FAIL),
        ("x?x", FAIL, FAIL),  # what proves nothing excuses nothing
        ("x#x", FAIL, FAIL),
        ("xx############", FAIL, FAIL),  # Failed wins
        ("??????????????", WATCHING, INCONCLUSIVE),
        ("???????.......", WATCHING, INCONCLUSIVE),  # half of them prove nothing
        ("??????........", WATCHING, PASS),
        ("#####", BLIND, BLIND),
        ("####", WATCHING, BLIND),
        ("#####.........", WATCHING, PASS),
        (".........#####", BLIND, BLIND),
        ("########......", WATCHING, BLIND),
        ("....", WATCHING, INCONCLUSIVE),  # ended early
        ("", WATCHING, INCONCLUSIVE),
    ],
)
def test_a_row_of_samples(letters: str, now: Outcome, at_the_end: Outcome) -> None:
    samples = row(letters)
    assert verdict(samples, RULES).outcome is now
    assert verdict(samples, RULES, is_over=True).outcome is at_the_end
    assert verdict(samples, RULES, is_over=True).samples == samples


@given(st.text(alphabet="#?", max_size=20), st.booleans())
def test_what_was_not_seen_is_neither_a_pass_nor_a_failure(letters: str, is_over: bool) -> None:
    assert verdict(row(letters), RULES, is_over=is_over).outcome not in (PASS, FAIL)


@given(st.text(alphabet=".x?#X", max_size=16), st.text(alphabet=".?#", max_size=6))
def test_a_failure_stays_one_whatever_comes_after(letters: str, later: str) -> None:
    failed = verdict(row(letters), RULES).outcome is FAIL
    assert (verdict(row(letters + later), RULES).outcome is FAIL) is failed


@given(st.text(alphabet=".x?#", max_size=16))
def test_two_in_a_row_or_three_of_five_and_nothing_else_is_a_failure(letters: str) -> None:
    told = letters.replace("?", "").replace("#", "")
    fives = [told[n : n + 5] for n in range(len(told))]
    expected = "xx" in told or any(five.count("x") >= 3 for five in fives)
    assert (verdict(row(letters), RULES).outcome is FAIL) is expected


@pytest.mark.parametrize(
    "samples", [row("x.#?X"), (judge(sample(1, 400), baseline(0), replace(RULES, strict=True)),)]
)
def test_a_verdict_and_its_baseline_survive_a_record(samples: tuple[Judged, ...]) -> None:
    """In strict mode a baseline of nothing is exceeded without bound, and JSON has no infinity."""
    for kept in (verdict(samples, RULES, is_over=True), baseline()):
        as_json: TypeAdapter[Any] = TypeAdapter(type(kept))
        assert as_json.validate_json(as_json.dump_json(kept)) == kept


# --- In words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "used"),
    [
        ("x", "errors: 1 of 2 in a row used, 1 of 3 among 5 used"),
        ("x.x", "errors: 1 of 2 in a row used, 2 of 3 among 5 used"),
        ("xx", "errors: 2 of 2 in a row used, 2 of 3 among 5 used"),
        ("x.x.x", "errors: 1 of 2 in a row used, 3 of 3 among 5 used"),
        ("X", "errors: failed at once"),
    ],
)
def test_a_verdict_says_how_much_of_what_is_allowed_was_used(letters: str, used: str) -> None:
    assert verdict(row(letters), RULES).used == (used,)


def test_a_pass_does_not_hide_its_breaches() -> None:
    found = verdict(row("x.x..........."), RULES, is_over=True)
    assert [note.partition(",")[0] for note in found.notes] == ["sample 1", "sample 3"]
    assert "9 of 2,000 requests" in found.notes[0]
    assert found.used == ("errors: 1 of 2 in a row used, 2 of 3 among 5 used",)


def test_ending_it_before_the_first_sample_proves_nothing() -> None:
    assert "before the first sample" in verdict((), RULES, is_over=True).reason


def test_prometheus_that_does_not_answer_is_named() -> None:
    found = verdict(row("#####"), RULES)
    assert found.reason.startswith("5 of 5 samples could not be read; 12:06 blind: errors not read")
    assert "HTTP 503" in found.reason


@pytest.mark.parametrize(
    ("letters", "is_over", "light", "said"),
    [
        ("..", False, Light.GREEN, "WATCHING: 2 of 14 samples so far"),
        ("x.", False, Light.YELLOW, "WATCHING: 2 of 14 samples so far"),
        ("xx", False, Light.RED, "FAIL: errors 0.45 %"),
        ("##", True, Light.UNKNOWN, "BLIND: 2 of 2 samples"),
        ("??", True, Light.YELLOW, "INCONCLUSIVE: only 0 of 14 samples could be judged"),
        ("." * 14, True, Light.GREEN, "PASS: 14 of 14 samples could be judged"),
    ],
)
def test_a_line_of_an_answer(letters: str, is_over: bool, light: Light, said: str) -> None:
    found = finding(verdict(row(letters), RULES, is_over=is_over))
    assert found.light is light
    assert found.value.startswith(said)
    assert len(found.evidence) == len(letters) and "12:02" in found.evidence[-1]


# --- Several measures -----------------------------------------------------------------------------


def test_a_breach_of_errors_and_one_of_latency_are_not_two_of_either() -> None:
    samples = (judge(sample(9, minute=2)), judge(sample(p95=0.5, minute=3)))
    assert verdict(samples, RULES).outcome is WATCHING
    assert len(verdict(samples, RULES).used) == 2


def test_one_critical_function_has_to_fail_three_times() -> None:
    down = Check("shop answers", False, "HTTP 503")
    twice = tuple(judge(sample(minute=2 + n, checks=(down,))) for n in range(2))
    assert verdict(twice, RULES).outcome is WATCHING
    again = (*twice, judge(sample(minute=4, checks=(Check("shop answers", True),))))
    assert verdict((*again, twice[0]), RULES).outcome is WATCHING
    third = (*twice, twice[0])
    assert verdict(third, RULES).outcome is FAIL
    assert verdict(third, RULES).used == ("critical shop answers: 3 of 3 in a row used",)


# --- Neighbours -----------------------------------------------------------------------------------


def test_what_the_neighbours_have_too_is_no_failure_of_this_change() -> None:
    worse = judge(sample(9))
    both = tuple(judge(sample(9, minute=2 + n), cart=worse) for n in range(3))
    assert verdict(both, RULES).outcome is WATCHING
    assert "not specific to this change" in verdict(both, RULES).reason
    over = verdict(both, RULES, is_over=True)
    assert over.outcome is INCONCLUSIVE and "cart as much worse" in over.reason
    alone = tuple(judge(sample(9, minute=5 + n)) for n in range(2))
    assert verdict((*both, *alone), RULES).outcome is FAIL
    assert verdict((*both, alone[0]), RULES).outcome is WATCHING


def test_a_shared_outage_is_not_failed_at_once() -> None:
    out = judge(sample(2000))
    assert verdict((judge(sample(2000), cart=out),), RULES).outcome is WATCHING
    assert verdict((judge(sample(2000)),), RULES).outcome is FAIL


# --- After a rollback -----------------------------------------------------------------------------

BACK = T0 + 10 * MINUTE


def after(*found: Sample) -> tuple[Sample, ...]:
    return tuple(replace(each, at=BACK + (n + 1) * MINUTE) for n, each in enumerate(found))


@pytest.mark.parametrize(
    ("samples", "minutes", "outcome"),
    [
        (after(sample(4), sample(4)), 2, PASS),  # 0.20 %
        (after(sample(4.8), sample(4.8)), 2, PASS),  # 0.24 % is 1.2 × on the dot
        (after(sample(5), sample(5)), 2, WATCHING),
        (after(sample(5), sample(5)), 10, FAIL),
        (after(sample(4)), 1, WATCHING),
        (after(sample(4, p95=0.24), sample(4, p95=0.24)), 2, PASS),
        (after(sample(4, p95=0.25), sample(4, p95=0.25)), 10, FAIL),
        (after(sample(5), sample(5), sample(4), sample(4)), 4, PASS),
        (after(sample(0, 50), sample(0, 50)), 10, INCONCLUSIVE),
        (after(sample(NAN), sample(NAN)), 10, INCONCLUSIVE),
        (after(dark(), dark()), 10, BLIND),
        ((), 10, INCONCLUSIVE),
        ((), 9.9, WATCHING),
    ],
)
def test_a_rollback_has_worked_when_the_numbers_are_back(
    samples: tuple[Sample, ...], minutes: float, outcome: Outcome
) -> None:
    assert recovery(samples, baseline(), RULES, BACK, BACK + minutes * MINUTE).outcome is outcome


def test_a_sample_that_looks_back_on_the_time_before_the_rollback_does_not_count() -> None:
    early = replace(sample(4), at=BACK + 0.5 * MINUTE)
    found = recovery((early, *after(sample(4))), baseline(), RULES, BACK, BACK + MINUTE)
    assert found.outcome is WATCHING and len(found.samples) == 1


def test_strict_says_so_of_a_sample_too() -> None:
    assert judge(sample(1, 400), baseline(0), replace(RULES, strict=True)).reading is Reading.BREACH
