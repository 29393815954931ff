"""`approve`, `reject`, `cancel`: decisions about changes, for who types rather than presses.

The desk itself carries these out (bot/decisions.py), because what they change is the bot's own record.
"""

from commands.command import Command, Flag

DECIDING = Command(
    word="task",
    verbs=("approve", "reject", "cancel"),
    summary="decide on a change: the card that asks shows its id, and REASON is any text",
    rows=("CM-2.0",),
    examples=(
        "approve R2AB3CD4E",
        'reject R2AB3CD4E "not during the sale"',
        "cancel R2AB3CD4E",
    ),
    flags=(Flag("why", "the reason, in place of the text behind the id", "TEXT"),),
    names="ID REASON…",
    decides=True,
)
