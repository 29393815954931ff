"""What is remembered of an answer, for whoever is delivered twice: no secret that was typed."""

from bot.state import State
from tests.build import ALICE
from tests.edges.change_desk import LINE, Changes


def test_a_secret_is_masked_in_the_answer_that_is_remembered(state: State) -> None:
    state.redact = lambda text: text.replace("hunter2", "[redacted]")
    post = Changes(state)
    assert post.type("incident declare sev3 hunter2 is public").accepted
    assert post.type(f"change new {LINE.replace('checkout 2.0', 'hunter2 is rotated')}").accepted
    first, second = (state.mark(f"delivery:{ALICE.user} {n}") for n in (1, 2))
    assert "[redacted] is public" in first and "is written" in second
    assert "hunter2" not in first + second
