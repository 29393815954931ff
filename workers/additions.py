"""Writes into the record of an incident what an answer brings to it: that its postmortem is drafted, and where.

After each save of the request, and once more before its end, so that whoever takes over a request whose worker died
does it, too; the key of each event makes it stand there once. Called by workers/engine.py.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

from bot.records import Records
from bot.state import Conflict
from commands.ledger import Addition, Draft
from commands.model import Request, Section
from workers.house import House

log = logging.getLogger(__name__)


def add(house: House, request: Request) -> None:
    for section in request.sections:
        for number, addition in enumerate(section.additions if section.done else ()):
            _add(house, addition.id, _complete(addition, section, f"{request.id}:{section.key}:{number}"))


def _add(house: House, id: str, draft: Draft) -> None:
    try:
        Records(house.state, house.site, house.now).append(id, lambda _: (draft,))
    except Conflict:  # it is tried again at the end of the request
        log.warning("%s: the record is being written by others", id)


def _complete(addition: Addition, section: Section, key: str) -> Draft:
    facts = {**addition.draft.facts, **(_whereabouts(section) if addition.of_file else {})}
    return replace(addition.draft, facts=facts, key=key, source="answer")


def _whereabouts(section: Section) -> Mapping[str, str]:
    if not section.attachments:
        return {}
    first = section.attachments[0]
    kept = {"stored": first.stored, "sha256": first.sha256, "bucket": first.bucket}
    return {name: value for name, value in kept.items() if value}
