"""Who had a part in a change request, as people call them: for what is read, never for what is decided."""

from collections.abc import Generator
from dataclasses import replace

from commands.called import names_of
from commands.model import Reads, Seen
from commands.response.changerequest import ChangeRequest


def with_names(change: ChangeRequest) -> Generator[Reads, Seen, ChangeRequest]:
    """The same, with the names of people in place of their ids as far as the bot has heard them."""
    ticked = (tick.by for tick in change.ticks.values())
    agreed, said = (each.user for each in change.agreed), (user for user, _ in change.reports)
    names = yield from names_of((change.by, *ticked, *agreed, *said))
    return replace(
        change,
        by=names.get(change.by, change.by),
        ticks={key: replace(tick, by=names.get(tick.by, tick.by)) for key, tick in change.ticks.items()},
        agreed=tuple(replace(each, user=names.get(each.user, each.user)) for each in change.agreed),
        reports=tuple((names.get(user, user), at) for user, at in change.reports),
    )
