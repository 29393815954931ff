"""Whether what is part of a security incident may be destroyed: not before its evidence is kept.

Pure; asked by whatever deletes a pod or replaces those of a workload: `node drain`, `pod delete`, `deploy restart`.
Part of one is what bears the quarantine label.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from commands.effects import Target
from commands.model import Gap
from commands.podreads import PodFacts
from commands.wording import one_line

# Written beside the quarantine label by `pod isolate`: what `pod release` puts back.
BEFORE = "sre-bot/before-quarantine"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pod must not go yet; mend where it could not be read."""

    pod: Target
    text: str
    mend: str = ""


def without_evidence(pods: Iterable[Target], kept: frozenset[str] | Gap) -> tuple[Reason, ...]:
    """A reason for each pod of an incident whose evidence is not kept, by uid; () when all may go."""
    if isinstance(kept, Gap):
        why = f"unknown whether evidence of it is kept: {one_line(kept.reason)}"
        return tuple(Reason(pod, why, kept.mend) for pod in pods)
    return tuple(Reason(pod, "no evidence of it is kept") for pod in pods if pod.uid not in kept)


def was_of(pod: PodFacts) -> str:
    """uid of the controller that an isolated pod has, or had before it was isolated; "" where nobody knows."""
    if pod.controller is not None:
        return pod.controller.uid
    try:
        return str(json.loads(pod.annotations.get(BEFORE, ""))["uid"])
    except (ValueError, TypeError, KeyError):
        return ""
