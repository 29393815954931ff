"""`alert`: what fires, what is the matter with it, and what people do about it.

Each verb has its file; this one only lists them, and the review that is made of them. What a diagnosis reads and says
is in commands/triage/.
"""

from commands.alert import (
    care,
    gaps,
    listing,
    load,
    order,
    rank,
    resolved,
    review,
    routes,
    rules,
    silence,
    triage,
    tuning,
    unsilence,
)
from commands.command import Command

COMMANDS: tuple[Command, ...] = (
    listing.LIST,
    resolved.RESOLVED,
    triage.TRIAGE,
    *care.CARE,
    routes.ROUTES,
    rules.RULES,
    tuning.TUNE,
    load.LOAD,
    gaps.GAPS,
    rank.RANK,
    order.ORDER,
    silence.SILENCE,
    unsilence.UNSILENCE,
    review.REVIEW,
)
