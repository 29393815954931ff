"""From what was typed or filled into the window to the payload of a change request: every field checked, and each that is
wrong named with what would be right.

Used by `change new` and `change edit`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from commands.changes import window
from commands.entry import Given
from commands.errors import UsageError
from commands.form import Field, FieldErrors, Form
from commands.grammar import visible
from commands.model import Args
from commands.response.changerequest import Payload, Risk, lines_in
from commands.site import Site
from commands.wording import one_line

SHORTEST_WAY_BACK, SHORTEST_WHY = 10, 15  # characters
TITLE = 200
_LONGEST = 3000

RISKS = (
    (Risk.LOW.value, "low: one object, known, taken back in a minute"),
    (Risk.MEDIUM.value, "medium: users may notice"),
    (Risk.HIGH.value, "high: data, several services, or hard to take back"),
)
_YES_NO = (("no", "no"), ("yes", "yes"))

_USER = re.compile(r"[UW][A-Z0-9]{2,}")

# Without these there is nothing to check.
_NEEDED = ("title", "at", "for", "why")


def missing(fields: Mapping[str, str]) -> tuple[str, ...]:
    gone = [name for name in _NEEDED if not fields.get(name, "").strip()]
    if not fields.get("rollback", "").strip() and not _is_yes(fields, "irreversible"):
        gone.append("rollback")
    return tuple(gone)


def form(args: Args, fields: Mapping[str, str], title: str, submit: str) -> Form:
    """The window, with what is known already filled in."""

    def field(name: str, label: str, kind: Any = "line", hint: str = "", **more: Any) -> Field:
        return Field(name, label, kind, hint, fields.get(name, ""), **more)

    drawn = (
        field("title", "What is changed?", most=TITLE),
        field("service", "Which service?", hint="Empty for the first one configured", is_optional=True),
        field("at", "When does it begin?", "time"),
        field("for", "How long will users feel it?", hint="30m, 2h, or none"),
        field("rollback", "How is it taken back?", "text",
              "Steps; a line like “/sre deploy rollback …” becomes a button", is_optional=True),
        field("why", "Why, and why now?", "text", f"At least {SHORTEST_WHY} characters"),
        field("risk", "How risky?", "choice", options=RISKS),
        field("steps", "Steps, a line each", "text", "Lines that begin with /sre are run, or offered", is_optional=True),
        field("verify", "Lines with /sre that show whether it worked", "text", is_optional=True),
        field("expected", "Alerts that it will cause", hint="Names, by comma", is_optional=True),
        field("irreversible", "Can it not be taken back?", "choice", options=_YES_NO),
        field("auto", "May the bot roll back by itself?", "choice", options=_YES_NO),
        field("image", "Image that it brings", is_optional=True),
        field("approvers", "Who should look at it?", hint="By comma", is_optional=True),
        field("authors", "Who else made it?", hint="Their ids (U…), by comma. They cannot approve it", is_optional=True),
    )  # fmt: skip
    return Form(title, submit, args, drawn)


def payload(given: Given, fields: Mapping[str, str]) -> Payload:
    """Raises FieldErrors that name everything that is wrong at once."""
    cluster = given.site.cluster_for("", given.cluster)
    errors: dict[str, str] = {}

    def read(name: str, how: Callable[[str], Any], default: str = "") -> Any:
        try:
            return how(fields.get(name, "").strip() or default)
        except UsageError as wrong:
            errors[name] = str(wrong)
            return None

    service = read("service", cluster.service)
    at = read("at", lambda text: window.begins(text, given.now, given.site.timezone))
    lasts = read("for", window.lasts, "none")
    risk = read("risk", _risk, Risk.MEDIUM.value)
    authors = read("authors", lambda text: _people(text, given.site))
    steps, verify = _lines(fields.get("steps", "")), _lines(fields.get("verify", ""))
    errors |= _wrong_texts(given, fields, steps, verify)
    if errors:
        raise FieldErrors(errors)
    return Payload(
        what=one_line(fields["title"], TITLE), service=service.name, cluster=cluster.name,
        namespace=service.namespace, at=at.astimezone(UTC).replace(microsecond=0), duration=lasts,
        rollback=fields.get("rollback", "").strip()[:_LONGEST], why=fields["why"].strip()[:_LONGEST], risk=risk,
        steps=steps, verify=verify, expected=_names(fields.get("expected", "")),
        approvers=_names(fields.get("approvers", "")), authors=authors,
        image=fields.get("image", "").strip(), is_irreversible=_is_yes(fields, "irreversible"),
        is_auto=_is_yes({"auto": usual_auto(given, fields), **fields}, "auto"),
    )  # fmt: skip


def usual_auto(given: Given, fields: Mapping[str, str]) -> str:
    """What is meant where a request does not say whether it rolls back by itself: as the configuration has it, if it
    can."""
    can = _is_rollback(fields.get("rollback", "")) and not _is_yes(fields, "irreversible")
    return "yes" if can and given.site.cluster_for("", given.cluster).change.rollback.auto else "no"


def _risk(text: str) -> Risk:
    try:
        return Risk(text.casefold())
    except ValueError:
        raise UsageError(f"`{text[:20]}` is no risk: type low, medium or high.") from None


def _wrong_texts(
    given: Given, fields: Mapping[str, str], steps: tuple[str, ...], verify: tuple[str, ...]
) -> dict[str, str]:
    errors = {}
    back, why = fields.get("rollback", "").strip(), fields.get("why", "").strip()
    is_final = _is_yes(fields, "irreversible")
    if len(back) < SHORTEST_WAY_BACK and not is_final:
        errors["rollback"] = f"Say how it is taken back, in at least {SHORTEST_WAY_BACK} characters."
    if len(why) < SHORTEST_WHY:
        errors["why"] = f"Say why, in at least {SHORTEST_WHY} characters."
    if _is_yes(fields, "auto") and (is_final or not _is_rollback(back)):
        errors["auto"] = (
            "Only what can be taken back, by a `/sre deploy rollback …` line, may be rolled back by itself."
        )
    for name, texts in (("steps", steps), ("verify", verify), ("rollback", (back,))):
        wrong = _wrong_line(given, name, texts)
        if wrong:
            errors[name] = wrong
    return errors


def _is_rollback(text: str) -> bool:
    return any(line.split()[:1] == ["rollback"] or line.split()[:2] == ["deploy", "rollback"]
               for line in lines_in(text))  # fmt: skip


def _wrong_line(given: Given, name: str, texts: tuple[str, ...]) -> str:
    """What is wrong with the first `/sre` line that the bot could not take."""
    for line in (line for text in texts for line in lines_in(text)):
        try:
            road = given.road(line)
        except UsageError as wrong:
            return f"`/sre {line[:80]}`: {wrong}"
        if road == "enters" or (name == "verify" and road != "looks"):
            may = "only what looks" if name == "verify" else "only what looks, or changes the cluster,"
            return f"`/sre {line[:80]}` cannot stand here: {may} can."
    return ""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.replace(";", "\n").split("\n") if line.strip())


def _names(text: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(name.strip().lstrip("@") for name in text.replace("\n", ",").split(",") if name.strip())
    )


def _people(text: str, site: Site) -> tuple[str, ...]:
    """Users: whom nobody can tell from others nobody could keep from approving their own work."""
    known = {name.casefold(): ids[0] for name, ids in site.team.people.items() if ids}
    found = {name: name if _USER.fullmatch(name) else known.get(name.casefold(), "") for name in _names(text)}
    strange = [one_line(visible(name), 40).replace("`", "") for name, user in found.items() if not user]
    if strange:
        raise UsageError(
            f"`{strange[0]}` is nobody the bot knows, so they could approve it: mention them in the line, or give the id of "
            "their profile (U…)."
        )
    return tuple(dict.fromkeys(found.values()))


def _is_yes(fields: Mapping[str, str], name: str) -> bool:
    """A bare flag says yes, too."""
    return name in fields and fields[name].strip().casefold() in ("", "yes", "true", "1")


def fields_of(payload: Payload) -> dict[str, str]:
    """A payload as the window shows it."""
    length = payload.duration
    return {
        "title": payload.what, "service": payload.service, "at": payload.at.isoformat(),
        "for": f"{int(length.total_seconds() // 60)}m" if length else "none", "rollback": payload.rollback,
        "why": payload.why, "risk": payload.risk.value, "steps": "\n".join(payload.steps),
        "verify": "\n".join(payload.verify), "expected": ", ".join(payload.expected),
        "irreversible": "yes" if payload.is_irreversible else "no", "auto": "yes" if payload.is_auto else "no",
        "image": payload.image, "approvers": ", ".join(payload.approvers),
        "authors": ", ".join(payload.authors),
    }  # fmt: skip
