"""Keeps the files that a section comes with: in the bucket where they belong there, in the store, and their
whereabouts and hash in the record, which the content leaves. A picture is drawn here, and kept as the file it makes.

The bucket is asked before the record is written, the store in the very change that writes it. So a worker
that dies between the two leaves a file in the bucket that the next one writes again, and never a record
that names what nobody kept. Nothing is masked here: what is kept is evidence. Called by workers/engine.py.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from bot.state import KEEP, Change, TooLarge
from commands.errors import Unanswered
from commands.finding import Finding, Light, Link
from commands.model import Attachment, Request, Section
from commands.picture import Picture

log = logging.getLogger(__name__)

_HERE = f"in this thread and in the bot's store, for {KEEP.days} days"
_NONE = "no bucket is configured"


class Bucket(Protocol):
    def put(self, key: str, content: bytes, sha256: str) -> str:
        """The address of what was stored under the key; raises Unanswered."""
        ...

    def link(self, key: str) -> str:
        """Where people open it."""
        ...


def no_bucket(cluster: str) -> Bucket | None:
    return None


def no_picture(picture: Picture) -> bytes | None:
    return None


class Keeper:
    """draw: a PNG, or None where there is nothing to draw."""

    def __init__(
        self,
        bucket: Callable[[str], Bucket | None],
        draw: Callable[[Picture], bytes | None] = no_picture,
    ) -> None:
        self._bucket = bucket
        self._draw = draw

    def keep(self, change: Change, request: Request, section: Section) -> Section:
        """The section with its files kept by the time the change is committed, and findings that say where."""
        kept, findings = [], list(section.findings)
        for n, attachment in enumerate(section.attachments):
            content = self._content(attachment)
            if content is None:
                findings.append(_not_drawn(attachment))
                continue
            drawn = replace(attachment, content="", picture=None, is_image=attachment.picture is not None)
            one, told = self._one(change, request, f"{request.id}:{section.key}:{n}", drawn, content)
            kept.append(one)
            findings += told
        return replace(section, attachments=tuple(kept), findings=tuple(findings))

    def _content(self, given: Attachment) -> bytes | None:
        """The bytes of the file; None for a picture of nothing."""
        return self._draw(given.picture) if given.picture else given.content.encode()

    def _one(
        self, change: Change, request: Request, name: str, given: Attachment, content: bytes
    ) -> tuple[Attachment, list[Finding]]:
        digest = hashlib.sha256(content).hexdigest()
        one = replace(given, sha256=digest, size=len(content))
        link, refusal = None, None
        if given.keep_in_bucket:
            one, link, refusal = self._in_bucket(request, one, content)
        try:
            change.keep_file(name, content)
            one = replace(one, stored=name)
        except TooLarge as error:
            refusal = refusal or Unanswered(f"too large for the bot's store and for Slack: {error}")
        if one.stored or link:
            for uid in one.evidence_of:
                mark = f"evidence:{uid}"
                change.forget(mark).remind(mark, request.id, KEEP)
        told = given.keep_in_bucket or not one.stored
        return one, [_finding(one, link, refusal)] if told else []

    def _in_bucket(
        self, request: Request, one: Attachment, content: bytes
    ) -> tuple[Attachment, Link | None, Unanswered | None]:
        bucket = self._bucket(request.cluster)
        if bucket is None:
            missing = Unanswered(_NONE, mend=f"set `backup.bucket` of cluster {request.cluster}")
            return replace(one, bucket=_NONE), None, missing
        key = f"evidence/{request.cluster}/{request.created:%Y-%m-%d}/{request.id}/{one.name}"
        try:
            address = bucket.put(key, content, one.sha256)
        except Unanswered as error:
            log.warning("%s is not in the bucket: %s", one.name, error.reason)
            return replace(one, bucket=error.reason), None, error
        return replace(one, bucket=address), Link("Open in S3", bucket.link(key)), None


def _not_drawn(given: Attachment) -> Finding:
    return Finding("AL-34", given.title, Light.UNKNOWN, "unknown: nothing in what was read can be drawn")


def _finding(one: Attachment, link: Link | None, refusal: Unanswered | None) -> Finding:
    """Where it is, with its hash; yellow when it is not both in the bucket and in the thread."""
    facts = (f"SHA-256 {one.sha256}", f"{one.size:,} bytes")
    if link and one.stored:
        return Finding("evidence.kept", "Kept", Light.GREEN, one.bucket, evidence=facts, link=link)
    why, mend = (refusal.reason, refusal.mend) if refusal else ("", "")
    light, where = Light.YELLOW, f"{why}; only {_HERE}"
    if link:
        where = f"{one.bucket} only; {why}"
    elif not one.stored:
        light, where = Light.RED, f"not kept: {why}"
    return Finding("evidence.kept", "Kept", light, where, evidence=facts, link=link, mend=mend)
