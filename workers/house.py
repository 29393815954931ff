"""What every turn at a change needs, and how a change ends. Used by workers/change.py and workers/applying.py."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from bot.audit import named
from bot.state import KEEP, State, Stored
from commands.catalog import Catalog
from commands.change import Change
from commands.effects import Effect, Outcome
from commands.finding import Finding, Suggestion
from commands.model import Request
from commands.plan import Step
from commands.site import ClusterSite, Site
from workers.walk import Reader

log = logging.getLogger(__name__)


class Effects(Protocol):
    """Carries effects out in one cluster; raises Unanswered when the outcome is not known."""

    def apply(self, effect: Effect, deadline: float) -> Outcome: ...


class Lost(Exception):
    """Another worker has the change now."""


@dataclass(frozen=True, slots=True)
class House:
    """What every turn needs. reader and effects: of a cluster by its name. stopping: this process was asked
    to end."""

    state: State
    catalog: Catalog
    site: Site
    reader: Callable[[str], Reader]
    effects: Callable[[str], Effects]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep
    stopping: Callable[[], bool] = lambda: False

    def cluster(self, request: Request) -> ClusterSite:
        return self.site.cluster_for("", request.cluster)

    def offered(self, suggestions: Iterable[Suggestion], cluster: str) -> tuple[Suggestion, ...]:
        """Those that would do something when pressed, in this cluster."""
        return self.catalog.offered(suggestions, self.site.told_apart(cluster))

    def with_buttons(self, finding: Finding, cluster: str) -> Finding:
        return replace(finding, suggestions=self.offered(finding.suggestions, cluster))

    def change_of(self, request: Request) -> Change:
        """What its command declares; raises LookupError where that changes nothing (any more)."""
        change = self.catalog.find(request.args).change
        if change is None:
            raise LookupError(f"{request.args.word} changes nothing")
        return change

    def end(
        self,
        stored: Stored[Request],
        request: Request,
        why: str,
        proved: Iterable[Step] = (),
        **facts: str,
    ) -> None:
        """Write the last state of a change down; who waits behind it may go on."""
        ended = replace(request, finished=request.finished or self.now())
        change = self.state.change().put(ended, was=stored.version, keep=KEEP)
        change.show(ended, priority=1)
        change.close(stored.record)  # whose plan was lined up: one made anew may have other locks
        for step in proved:
            change.audit("proved", id=ended.id, objects=named(step.effect.target), step=step.key)
        if ended.ended_by:  # cancelled: by somebody, for a reason
            facts = {**facts, "by": ended.ended_by, "requester": ended.actor.user}
        change.audit(ended.state.value, **{**said_of(ended), "reason": ended.ended_why or why, **facts})
        change.commit()
        log.info("%s %s: %s", ended.id, ended.state, ended.ended_why or why)


def command_of(request: Request) -> str:
    """As metrics and traces name it: "node drain"."""
    return f"{request.args.word} {request.args.verb}".strip()


def said_of(request: Request) -> dict[str, str]:
    """What every audit line of a change says, beside what its record says of itself (bot/audit.py)."""
    return {"id": request.id, "by": request.actor.user, "text": request.text}
