"""`incident declare sev1 checkout is down`: open an incident, by one line, a window, or from an alert.

One that is about the same service, or the same alert, as one that is open is not opened twice: the actor may join
that, or say that this is another.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from commands.command import Command, Flag
from commands.entry import Entry, Given, Write
from commands.errors import Stale, UsageError
from commands.form import Field, Form, NeedsForm
from commands.ledger import Draft
from commands.model import AlertGroup, Args
from commands.response.events import Kind, draft, written
from commands.response.incident import Detection, Incident
from commands.wording import one_line

TITLE = 200  # characters
SAME = timedelta(minutes=30)  # an open incident of the same service this young is probably the same

SEVERITIES = (
    ("1", "Sev1: outage, data loss, security, or a quarter of requests fail"),
    ("2", "Sev2: a part is down, or 5 to 25 % of requests fail"),
    ("3", "Sev3: redundancy is lost, or users notice little"),
    ("4", "Sev4: a single node, pod or job; nobody waits"),
)

_SEVERITY = re.compile(r"sev[- ]?([1-4])|([1-4])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Wish:
    severity: int
    title: str
    service: str


def declare(given: Given) -> Entry:
    group = _group(given)
    wish = _wish(given, group)
    _refuse_twice(given, wish, group)
    has_channel = (wish.severity <= 2 and "thread" not in given.args.flags) or "channel" in given.args.flags
    answer = f"{{id}} is declared: Sev{wish.severity}, {wish.title}. Its channel follows." if has_channel else (
        f"{{id}} is declared: Sev{wish.severity}, {wish.title}. It is told in this thread."
    )  # fmt: skip
    drafts = (_declared(given, wish, group, has_channel), *_room(given, group, has_channel), *_alerted(group))
    return Entry(answer, (Write(drafts),))


def _group(given: Given) -> AlertGroup | None:
    if len(given.groups) > 1:
        raise UsageError("Several alerts are meant. Name one with `--alert A…`. Nothing was done.")
    return given.groups[0] if given.groups else None


def _wish(given: Given, group: AlertGroup | None) -> _Wish:
    flags = given.args.flags
    text = f"{given.args.name} {given.args.rest}".strip()
    found = _SEVERITY.match(text)
    title = flags.get("title", "") or (text[found.end() :] if found else text)
    severity = flags.get("severity", "") or (found[1] or found[2] if found else "")
    title = one_line(title, TITLE).strip() or (group.name if group else "")
    if not (title and severity):
        raise NeedsForm(
            _form(given.args, title, severity),
            "Say how grave and what: `/sre incident declare sev1 checkout is down`. Nothing was done.",
        )
    service = flags.get("service", "") or (group.lead.labels.get("service", "") if group else "")
    return _Wish(int(severity), title, service)


def _form(args: Args, title: str, severity: str) -> Form:
    fields = (
        Field("title", "What is wrong?", hint="As users would say it", initial=title, most=TITLE),
        Field(
            "severity", "How grave?", "choice", "Unsure? Take the graver one.", severity or "2", SEVERITIES
        ),
    )
    return Form("Declare an incident", "Declare", Args("incident", "declare", "", args.flags), fields)


def _refuse_twice(given: Given, wish: _Wish, group: AlertGroup | None) -> None:
    if "anyway" in given.args.flags:
        return
    for other in given.open:
        if group is not None and any(link.group == group.id for link in other.alerts):
            raise Stale(f"{other.id} is about this alert already: {other.title}. Nothing was done.")
        if other.is_active and _is_same(other, wish, given):
            raise Stale(
                f"{other.id} is open for {other.service or 'the same'}: {other.title}. Join it in its channel, or add "
                "`--anyway` if this is another. Nothing was done."
            )


def _is_same(other: Incident, wish: _Wish, given: Given) -> bool:
    if given.now - other.opened > SAME or other.cluster != given.cluster:
        return False
    return (
        bool(wish.service and wish.service == other.service)
        or wish.title.casefold() == other.title.casefold()
    )


def _declared(given: Given, wish: _Wish, group: AlertGroup | None, has_channel: bool) -> Draft:
    flags = given.args.flags
    told = draft(
        Kind.DECLARED, f"declared Sev{wish.severity}: {wish.title}",
        title=wish.title, severity=str(wish.severity), cluster=group.cluster if group else given.cluster,
        service=wish.service, drill="yes" if "drill" in flags else "",
        private="yes" if "private" in flags else "", channel="yes" if has_channel else "",
        detection=Detection.ALERT.value if group else "",
        alert=f"alert:{group.id} {group.episode}:card" if group and not has_channel else "",
    )  # fmt: skip
    return _by(told, given)


def _room(given: Given, group: AlertGroup | None, has_channel: bool) -> tuple[Draft, ...]:
    """Of one without a channel of its own: the alert's, or the one it was declared in."""
    if has_channel:
        return ()
    place = group.channel if group else given.place.channel
    return (draft(Kind.ROOM, f"told in {place}", channel=place, thread="" if group else given.place.thread),)


def _alerted(group: AlertGroup | None) -> tuple[Draft, ...]:
    if group is None:
        return ()
    started = group.lead.starts_at
    first = draft(Kind.MILESTONE, f"{group.name} began", name="started", at=written(started))
    detected = draft(Kind.MILESTONE, f"{group.name} was heard of", name="detected", at=written(started))
    linked = draft(
        Kind.ALERT,
        f"{group.name} fires",
        group=group.id,
        name=group.name,
        state="firing",
        started=written(started),
    )
    return (first, detected, linked)


def _by(told: Draft, given: Given) -> Draft:
    return Draft(told.kind, told.text, given.now, given.actor.user, "command", told.facts)


DECLARE = Command(
    word="incident",
    verbs=("declare",),
    summary="Open an incident: how grave, and what users feel.",
    rows=("EM-0", "IN-1"),
    examples=("incident declare sev1 checkout is down", "incident declare sev3 node-7 is slow --thread"),
    flags=(
        Flag("title", "what is wrong, where the line does not say it", "TEXT"),
        Flag("severity", "1 to 4, where the line does not say it", "1"),
        Flag("service", "which service fails", "NAME"),
        Flag("alert", "the alert it is about; in its thread it may be left out", "A…"),
        Flag("drill", "an exercise: marked everywhere, counted nowhere"),
        Flag("channel", "with a channel of its own, also for Sev3 and Sev4"),
        Flag("thread", "in this thread, also for Sev1 and Sev2"),
        Flag("anyway", "although one that looks the same is open"),
    ),
    names="SEVERITY TITLE",
    entry=declare,
)
