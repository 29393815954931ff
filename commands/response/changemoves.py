"""The way of a change request as data: from each stage, what may happen and where that leads.

What does not stand here is refused, and the refusal is written to the audit. The guards (who, when, what was looked at)
are with the verbs; here is only what can follow what.
"""

from collections.abc import Mapping
from enum import StrEnum

from commands.response.changerequest import Stage


class Move(StrEnum):
    """What happens to it."""

    SUBMIT = "submit"
    CLEAR = "clear"  # the pre-checks let it through
    HOLD_UP = "hold up"  # they did not
    AGREE = "agree"
    GRANT = "grant"  # the last approval that it needed
    EDIT = "edit"
    REJECT = "reject"
    CANCEL = "cancel"
    EXPIRE = "expire"
    START = "start"
    FINISH = "finish"  # the last step is done
    LOSE = "lose contact"
    BREAK = "break"  # a step failed, and nobody takes it back
    PASS = "pass"  # noqa: S105 (no password)
    ROLL_BACK = "roll back"
    GIVE_UP = "give up"  # it failed and cannot be taken back
    RECOVER = "recover"
    NOT_RECOVER = "not recover"


MOVES: Mapping[Stage, Mapping[Move, Stage]] = {
    Stage.DRAFT: {
        Move.SUBMIT: Stage.PRECHECKS,
        Move.EDIT: Stage.DRAFT,
        Move.CANCEL: Stage.CANCELED,
    },
    Stage.PRECHECKS: {
        Move.CLEAR: Stage.PENDING,
        Move.HOLD_UP: Stage.DRAFT,
        Move.EDIT: Stage.DRAFT,
        Move.CANCEL: Stage.CANCELED,
    },
    Stage.PENDING: {
        Move.AGREE: Stage.PENDING,
        Move.GRANT: Stage.APPROVED,
        Move.EDIT: Stage.DRAFT,
        Move.REJECT: Stage.REJECTED,
        Move.CANCEL: Stage.CANCELED,
        Move.EXPIRE: Stage.EXPIRED,
    },
    Stage.APPROVED: {
        Move.EDIT: Stage.DRAFT,
        Move.REJECT: Stage.REJECTED,
        Move.CANCEL: Stage.CANCELED,
        Move.EXPIRE: Stage.EXPIRED,
        Move.START: Stage.EXECUTING,
    },
    Stage.EXECUTING: {
        Move.FINISH: Stage.VALIDATING,
        Move.LOSE: Stage.VALIDATING,
        Move.BREAK: Stage.FAILED,
        Move.ROLL_BACK: Stage.ROLLING_BACK,
    },
    Stage.VALIDATING: {
        Move.PASS: Stage.SUCCEEDED,
        Move.ROLL_BACK: Stage.ROLLING_BACK,
        Move.GIVE_UP: Stage.FAILED,
    },
    Stage.ROLLING_BACK: {
        Move.RECOVER: Stage.ROLLED_BACK,
        Move.NOT_RECOVER: Stage.ROLLBACK_FAILED,
    },
    **{stage: {} for stage in tuple(Stage)[7:]},
}


def after(stage: Stage, move: Move) -> Stage | None:
    """Where it leads, None where it may not happen."""
    return MOVES[stage].get(move)
