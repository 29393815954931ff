"""Pure: who may submit what. Fails closed: what is not known is a no, with the reason and the way out."""

from dataclasses import dataclass

from commands.command import Command
from commands.model import Actor


@dataclass(frozen=True, slots=True)
class Decision:
    """A yes, or a no with the sentence the actor reads."""

    ok: bool
    reason: str = ""


YES = Decision(True)

_NOTHING = "Nothing was done."


def may_submit(actor: Actor, command: Command, *, home_team: str, roles: tuple[str, ...]) -> Decision:
    """Whether this person may submit this command.

    home_team: the bot's own workspace id, "" while Slack has not told it. roles: what the actor holds.
    A Slack Connect stranger shares a channel but is of another team, and may submit nothing.
    """
    if actor.is_scheduler:
        return YES
    if not actor.user:
        return Decision(False, f"Slack did not say who this is. {_NOTHING}")
    if not home_team:
        return Decision(False, f"Slack has not told the bot its own workspace yet. {_NOTHING}")
    if actor.team != home_team:
        return Decision(False, f"Only members of this workspace may use the bot. {_NOTHING}")
    if command.role != "anyone" and command.role not in roles:
        needed = f"`{command.word}` needs the role `{command.role}` (config key `roles.{command.role}`)."
        return Decision(False, f"{needed} {_NOTHING}")
    return YES
