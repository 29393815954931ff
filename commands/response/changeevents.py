"""The kinds of events a change request is made of, and what facts each carries; all facts are strings.

As those of an incident (events.py): times are ISO 8601 with their zone, and a kind that the fold does not know changes
nothing. Each field of the payload is a fact of its own, so that a secret in one is masked without touching the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from commands.finding import Light
from commands.ledger import Draft
from commands.response.changemoves import Move
from commands.response.changerequest import Checked, Payload, Risk
from commands.response.events import read, written


class Kind(StrEnum):
    OPENED = "opened"  # channel emergency, and the payload
    EDITED = "edited"  # the payload
    MOVED = "moved"  # move why, roles (of who may approve it; of clear)
    CHECKED = "checked"  # request digest target, and the lines
    AGREED = "agreed"  # digest person
    TICKED = "ticked"  # item state note
    STANDBY = "standby"  # yes ("yes", "no")
    STEP = "step"  # number state note
    RUN = "command"  # id line state back own (each "yes")
    NOTIFIED = "notified"  # channels page ("yes")
    BASELINE = "baseline"  # baseline (JSON)
    SAMPLE = "sample"  # sample (JSON), outcome why
    VALIDATED = "validated"  # due, and the lines
    REPORTED = "users report"
    DECLARED = "incident"  # id
    REVIEWED = "reviewed"
    TIMER = "timer"  # key due ("" takes it away)
    FIRED = "timer fired"  # key, late (in words, "" when on time)
    NOTE = "note"


def draft(kind: Kind, text: str, **facts: str) -> Draft:
    """With its empty facts left out."""
    return Draft(kind, text, facts={name: value for name, value in facts.items() if value})


def moving(move: Move, text: str, **facts: str) -> Draft:
    """Told in its thread."""
    return replace(draft(Kind.MOVED, text, move=move, **facts), is_told=True)


def timer(key: str, due: datetime | None) -> Draft:
    """None: it is not due any more."""
    said = f"{key} is due at {due:%H:%M:%S} UTC" if due else f"{key} is not due any more"
    return draft(Kind.TIMER, said, key=key, due=written(due) if due else "")


# --- The payload ----------------------------------------------------------------------------------

_TEXTS = ("what", "service", "cluster", "namespace", "rollback", "why", "image")
_LISTS = ("steps", "verify", "expected", "approvers", "authors")


def payload_facts(payload: Payload) -> dict[str, str]:
    told = {name: str(getattr(payload, name)) for name in _TEXTS}
    told |= {name: "\n".join(getattr(payload, name)) for name in _LISTS}
    told |= {"at": written(payload.at), "risk": payload.risk.value}
    if payload.duration is not None:
        told["seconds"] = str(int(payload.duration.total_seconds()))
    told |= {"irreversible": _yes(payload.is_irreversible), "auto": _yes(payload.is_auto)}
    return {name: value for name, value in told.items() if value}


def payload_of(facts: Mapping[str, str]) -> Payload:
    """Raises ValueError where it does not say when."""
    at = read(facts.get("at", ""))
    if at is None:
        raise ValueError("a change request that does not say when")
    seconds = facts.get("seconds", "")
    return Payload(
        what=facts.get("what", ""), service=facts.get("service", ""), cluster=facts.get("cluster", ""),
        namespace=facts.get("namespace", ""), at=at,
        duration=timedelta(seconds=int(seconds)) if seconds else None,
        rollback=facts.get("rollback", ""), why=facts.get("why", ""),
        risk=Risk(facts.get("risk", Risk.MEDIUM)), steps=_several(facts, "steps"),
        verify=_several(facts, "verify"), expected=_several(facts, "expected"),
        approvers=_several(facts, "approvers"), authors=_several(facts, "authors"),
        image=facts.get("image", ""), is_irreversible=facts.get("irreversible") == "yes",
        is_auto=facts.get("auto") == "yes",
    )  # fmt: skip


def _several(facts: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, facts.get(name, "").split("\n")))


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


# --- Lines of a check -----------------------------------------------------------------------------


def line_facts(lines: Iterable[Checked]) -> dict[str, str]:
    """One fact each, in their order."""
    return {
        f"line {number:02d}": "\t".join((line.key, line.light.value, line.label, line.value))
        for number, line in enumerate(lines, 1)
    }


def lines_of(facts: Mapping[str, str]) -> tuple[Checked, ...]:
    told = [value.split("\t", 3) for name, value in sorted(facts.items()) if name.startswith("line ")]
    return tuple(Checked(key, label, Light(light), value) for key, light, label, value in told)
