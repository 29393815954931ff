"""One change for what several roads tell of it, so that none is counted twice and none is forgotten."""

import pytest
from incident_history import DAY, MINUTE, NOVEMBER, at, change

from commands.numbers.changes import changes
from commands.numbers.rollouts import joined
from commands.responsereads import ChangeFacts, Outcome, Road

WEB, CART = ("deployment/shop/web",), ("deployment/shop/cart",)
NOON = at(5, "12:00:00")


def seen(id: str = "web revision 7", **facts: object) -> ChangeFacts:
    return change(id, **{"road": Road.SEEN, "objects": WEB, **facts})


def asked(id: str = "R1", outcome: Outcome = Outcome.SUCCEEDED, **facts: object) -> ChangeFacts:
    return change(id, outcome, **{"road": Road.BOT, "objects": WEB, **facts})


def test_a_rollout_that_nobody_announced_is_a_change_and_is_flagged():
    found = changes(joined((), (seen(),)), (), NOVEMBER)
    assert (found.failure.whole, found.unannounced) == (1, 1)


@pytest.mark.parametrize(("minutes", "count"), [(10, 1), (11, 2)])
def test_what_the_bot_did_and_what_came_of_it_are_one(minutes, count):
    assert len(joined((asked(ended=NOON + minutes * MINUTE),), (seen(),))) == count


def test_a_rollout_of_something_else_is_another_change():
    assert len(joined((asked(),), (seen(objects=CART),))) == 2


def test_a_rollback_is_the_end_of_the_rollout_before_it():
    older = seen("web revision 6", ended=NOON - DAY)
    back = asked(outcome=Outcome.ROLLED_BACK, ended=NOON + 30 * MINUTE, restored=NOON + 30 * MINUTE)
    found = joined((back,), (seen(), older))
    assert [(each.id, each.outcome, each.ended) for each in found] == [
        ("web revision 6", Outcome.SUCCEEDED, NOON - DAY),
        ("R1", Outcome.ROLLED_BACK, NOON),
    ]
    counted = changes(found, (), NOVEMBER)
    assert counted.recovery and counted.recovery.mean == 1800


def test_a_rollback_of_what_nobody_saw_come_is_a_change_of_its_own():
    (found,) = joined((asked(outcome=Outcome.ROLLED_BACK),), (seen(ended=NOON - 8 * DAY, objects=CART),))[1:]
    assert (found.id, found.ended) == ("R1", NOON)


def test_what_the_bot_did_for_a_change_request_is_not_counted_beside_it():
    request = change("CR-1", Outcome.ROLLED_BACK, objects=WEB)
    done = asked("R1", ended=NOON - MINUTE)
    back = asked("R2", Outcome.ROLLED_BACK, ended=NOON + 20 * MINUTE)
    assert [each.id for each in joined((request, back), (seen(),))] == ["CR-1"]
    assert [each.id for each in joined((change("CR-1", objects=WEB), done), (seen(),))] == ["CR-1"]


def test_what_a_change_request_asked_of_the_bot_is_a_part_of_it_however_long_that_took():
    request = change("CR-1", runs=("R1",))
    assert [each.id for each in joined((request, asked(ended=NOON - DAY)), ())] == ["CR-1"]


def test_a_change_that_was_refused_made_no_rollout():
    assert len(joined((asked(outcome=Outcome.REJECTED),), (seen(),))) == 2
