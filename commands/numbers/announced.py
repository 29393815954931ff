"""A change request as the numbers count it, once it is over."""

from collections.abc import Mapping

from commands.response.changerequest import ChangeRequest, Stage
from commands.responsereads import ChangeFacts, Outcome

_OUTCOMES: Mapping[Stage, Outcome] = {
    Stage.SUCCEEDED: Outcome.SUCCEEDED,
    Stage.ROLLED_BACK: Outcome.ROLLED_BACK,
    Stage.ROLLBACK_FAILED: Outcome.ROLLBACK_FAILED,
    Stage.FAILED: Outcome.FAILED,
    Stage.REJECTED: Outcome.REJECTED,
    Stage.CANCELED: Outcome.CANCELED,
    Stage.EXPIRED: Outcome.EXPIRED,
}


def facts_of(change: ChangeRequest, objects: tuple[str, ...]) -> ChangeFacts | None:
    """None while it is under way. objects: what its service is, as the audit trail names it.

    It counts when it was carried out; one that was never begun did not touch production. What was done in an incident
    without the usual approval is an emergency, and repairs that incident.
    """
    outcome = _OUTCOMES.get(change.stage)
    if outcome is None:
        return None
    if outcome is Outcome.FAILED and change.started is None:
        outcome = Outcome.PRECHECK_FAILED
    return ChangeFacts(
        id=change.id,
        service=change.payload.service,
        outcome=outcome,
        ended=change.done or change.ended or change.updated,
        restored=change.restored,
        is_emergency=bool(change.emergency),
        hotfix_for=change.emergency,
        objects=objects,
        runs=tuple(each.request for each in change.linked),
    )
