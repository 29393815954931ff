"""Writes on a change request what was looked at for it: the pre-checks, and the validation afterwards.

The looks themselves are requests like any other. When the section of one is read, what it found becomes events of the
change request, and lets it through or holds it up (commands/changenoted.py). Called by workers/engine.py.
"""

from bot.changerecords import ChangeRecords
from commands import changenoted
from commands.model import Request, Section
from workers.house import House


def note_checks(house: House, request: Request) -> None:
    """After each save of the request, and once more before its end, so that whoever takes over a request whose worker
    died does it, too; another telling of the same look adds nothing."""
    if not changenoted.is_look(request):
        return
    records = ChangeRecords(house.state, house.site, house.now)
    for section in (each for each in request.sections if each.done):
        _note(records, house, request, section)


def _note(records: ChangeRecords, house: House, request: Request, section: Section) -> None:
    records.append(request.args.name, lambda change: changenoted.of(change, request, section, house.site))
