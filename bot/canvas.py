"""Writes the postmortem of an incident as the canvas of its channel, too: the same text as the file, without its marks.

The channel must be the incident's own, so that nobody reads it there who may not. A canvas that people made there is
left alone, and the file is all there is. Works for bot/rooms.py, which says when and tells what Slack does not allow.
"""

import re
from collections.abc import Callable, Iterator

from bot.blocks import Block, document
from bot.outbox import Claim, Outbox, Sent
from bot.roomstep import Step
from bot.state import State
from bot.wire import Wire
from commands.response.incident import Incident

_CANVAS = "room canvas"
_MAY = "write the postmortem as a canvas"
LONGEST = 1_000_000  # characters; Slack takes 1,048,576 of them
_MARKS = re.compile(r"^<!-- .* -->\n?", re.MULTILINE)
_HEAD = (
    "Written by the bot from the record, anew with every draft: what is typed here is lost. Yours stays with "
    "`/sre incident postmortem --lessons`, `--factors`, `--well`, `--badly` or `--summary`.\n\n"
)


class Canvas:
    def __init__(self, state: State, wire: Wire, redact: Callable[[str], str]) -> None:
        self._state = state
        self._outbox = Outbox(state)
        self._wire = wire
        self._redact = redact

    def steps(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        """Nothing where it is as the last draft says, or where the file of that is gone."""
        report, there = incident.report, sent.get(_CANVAS, Sent())
        if not (incident.room.is_own and report.stored) or there.digest == report.sha256:
            return
        content = self._state.file(report.stored)
        if content is None:
            return
        text = self._redact(_HEAD + _MARKS.sub("", content.decode(errors="replace")))[:LONGEST]
        method = "canvases.edit" if there.ts else "conversations.canvases.create"
        yield Step("canvas", method, _MAY, lambda: self._write(claim, incident, there, text))

    def _write(self, claim: Claim, incident: Incident, there: Sent, text: str) -> None:
        content = document(text)
        id = there.ts or self._created(incident, content)
        if there.ts:
            change = {"operation": "replace", "document_content": content}
            self._wire.call("canvases.edit", json={"canvas_id": id, "changes": [change]})
        self._outbox.note_sent(claim.card, _CANVAS, Sent(ts=id, digest=incident.report.sha256))

    def _created(self, incident: Incident, content: Block) -> str:
        body = {"channel_id": incident.room.channel, "document_content": content}
        return str(self._wire.call("conversations.canvases.create", json=body)["canvas_id"])
