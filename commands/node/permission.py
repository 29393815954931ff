"""Whether the cluster lets the bot touch a node at all, asked before anybody is asked to approve that.

By a dry run of the first effect alone, which says what right is missing. Evictions are not tried: their dry run counts
no budget and would stand in the way of who evicts meanwhile. Pure. Called by the plans of cordon, uncordon and drain.
"""

from collections.abc import Generator
from dataclasses import replace

from commands.effects import Effect
from commands.finding import Finding, Light
from commands.model import Gap, Reads, Seen
from commands.plan import Plan
from commands.reads import DryRun
from commands.wording import one_line, unread

KEY, LABEL = "node.dryrun", "Dry run"


def held_to(made: Plan, effect: Effect) -> Generator[Reads, Seen, Plan]:
    """The plan, blocked where the API server refuses this effect."""
    if not made.steps:
        return made
    seen = yield (DryRun(effect),)
    answer = seen[DryRun(effect)]
    if isinstance(answer, Gap):
        return replace(made, findings=(*made.findings, unread(KEY, LABEL, answer)))
    if answer.would:
        return made
    refused = Finding(KEY, LABEL, Light.RED, f"the API server would refuse it: {one_line(answer.said, 300)}")
    return replace(made, findings=(refused, *made.findings))
