"""`audit`: the bot's own record of who asked for what, whether it is unchanged, and its nightly copy.

Each verb has its file; this one only declares them. The trail tells of private requests and refusals, too,
so it is for `roles.security`; whether it is whole anybody may ask. Nothing here changes anything.
"""

from commands.audit import trail, verifying
from commands.command import Command, Due, Flag

_ROWS = ("AL-49",)

COMMANDS = (
    Command(
        word="audit",
        verbs=("trail",),
        summary="Who asked the bot for what, who agreed, what became of it, and what was refused.",
        rows=_ROWS,
        parts=trail.parts,
        examples=(
            "audit trail",
            "audit trail --since 7d --object node/node-1",
            "audit trail --who @U0ALICE0001",
        ),
        flags=(
            Flag("since", "how far back to look; a day when left out", "24h"),
            Flag("who", "only what this person did", "@USER"),
            Flag("object", "only what is about this object", "node/NAME"),
            Flag("limit", f"at most so many lines, {trail.LIMIT} when left out", str(trail.LIMIT)),
        ),
        role="security",
    ),
    Command(
        word="audit",
        verbs=("verify", "copy"),
        summary="Whether every line of the audit trail is there, unchanged and in its order; its copy in the bucket.",
        rows=_ROWS,
        parts=verifying.parts,
        examples=("audit verify", "audit copy"),
        # After midnight in every time zone of Europe; what it copies ends at midnight UTC wherever it runs.
        schedule=(Due("audit-copy", "30 2 * * *", "audit copy", "security", is_quiet=True),),
    ),
)
