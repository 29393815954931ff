"""`incident declare sev1 checkout is down`: open an incident, by one line, a window, or from an alert.

One about the same alert is joined instead, and one that looks the same is shown first: the actor may join that, or say
that this is another. `incident security` is the same behind closed doors (secure.py).
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from commands import grammar
from commands.command import Command, Flag
from commands.entry import Entry, Given, Otherwise, Write
from commands.errors import Denied, UsageError
from commands.finding import Suggestion
from commands.form import Field, FieldErrors, Form, NeedsForm
from commands.incident.about import NOTHING, aloud, event, line, where
from commands.incident.subject import cluster_of, service_of, site_of
from commands.ledger import Draft
from commands.model import AlertGroup, Args, Severity
from commands.phrase import span
from commands.response.events import Kind, written
from commands.response.incident import Detection, Incident

TITLE = 200  # characters
SAME = timedelta(minutes=30)  # an open incident of the same service this young is probably the same
_LOOK_BACK = "2h"
# So many that are open one person may have declared in so short a time.
MOST, FLOOD = 5, timedelta(minutes=10)

# As people measure it (a budget's burn, the share of requests that fail), the graver one where they are unsure.
SEVERITIES = (
    ("1", "Sev1: over 25 % of requests fail, burn ≥ 14.4, data loss or a breach"),
    ("2", "Sev2: 5 to 25 % of requests fail, burn ≥ 6, or on-call tools are down"),
    ("3", "Sev3: burn ≥ 3, or redundancy is lost: one failure from an outage"),
    ("4", "Sev4: burn ≥ 1, or a single node, pod or job; nobody waits for it"),
)
SOURCES = (
    (Detection.ALERT.value, "An alert"),
    (Detection.CUSTOMER.value, "A customer"),
    (Detection.EMPLOYEE.value, "Somebody of ours"),
    (Detection.SYNTHETIC.value, "A synthetic check"),
)

# How grave an alert's incident is, unless people say otherwise.
_OF_ALERT = {Severity.CRITICAL: "2", Severity.WARNING: "3", Severity.INFO: "4"}
_SEVERITY = re.compile(r"(?:sev|severity|s|p)[- ]?([1-4])(?![0-9A-Za-z.])[\s:,–—-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants opened. detection: what told of it first, "" where nobody said."""

    severity: int
    title: str
    service: str
    detection: str
    group: AlertGroup | None = None
    is_private: bool = False
    is_security: bool = False
    has_channel: bool = True


def declare(given: Given) -> Entry:
    group = _group(given)
    joined = _joined(given, group)
    if joined is not None:
        return joined
    wish = wished(given, group)
    _refuse_twice(given, wish)
    return opened(given, wish)


def opened(given: Given, wish: Wish, *more: Draft) -> Entry:
    """The incident, with what is asked of the cluster at once."""
    refuse_flood(given)
    what = f"{{id}} is declared: Sev{wish.severity}, {wish.title}."
    told = f"{what} Its channel follows." if wish.has_channel else f"{what} It is told {_here(given, wish)}."
    drafts = (_declared(given, wish), *_room(given, wish), *_alerted(given, wish.group), *more)
    past = _past(given, wish)
    if past is None:
        return Entry(told, (Write(drafts),), _runs(given, wish), _asked_next(wish))
    after = event(given, Kind.LINKED, f"{past.id} was about the same alert", id=past.id)
    here = event(given, Kind.LINKED, "its alert fires again, as another incident: {id}", id="{id}")
    writes = (Write((*drafts, after)), Write((aloud(here),), past.id))
    return Entry(f"{told} {past.id} was about the same alert.", writes, _runs(given, wish), _asked_next(wish))


def _past(given: Given, wish: Wish) -> Incident | None:
    """The one that the alert belonged to and that is over; neither tells of the other where only one is private."""
    past = given.other
    if wish.group is None or past is None or past.is_active or not _is_about(past, wish.group):
        return None
    return past if past.is_private == wish.is_private else None


def _here(given: Given, wish: Wish) -> str:
    if wish.group is not None:
        return "in the thread of its alert"
    return "in this thread" if given.place.thread else "here"


# --- what is wished -------------------------------------------------------------------------------


def _group(given: Given) -> AlertGroup | None:
    if "alert" in given.args.flags and not given.groups:
        raise UsageError(f"There is no alert `{line(given.args.flags['alert'], 40)}`. {NOTHING}")
    if len(given.groups) > 1:
        raise UsageError(f"Several alerts are meant. Name one with `--alert A…`. {NOTHING}")
    return given.groups[0] if given.groups else None


def wished(given: Given, group: AlertGroup | None, grave: str = "", *, is_security: bool = False) -> Wish:
    """grave: what it is where nobody says; raises NeedsForm where a title or that is missing."""
    flags = given.args.flags
    typed = f"{given.args.name} {given.args.rest}".strip()
    found = _SEVERITY.match(typed)
    said = flags.get("title", "") or (typed[found.end() :] if found else typed)
    severity = flags.get("severity", "") or (found[1] if found else grave)
    title = _title(said)
    if not (title and severity):
        raise NeedsForm(
            _form(given.args, title, severity, group),
            f"Say how grave and what: `/sre incident {given.args.verb} sev1 checkout is down`. {NOTHING}",
        )
    if severity not in dict(SEVERITIES):
        raise FieldErrors({"severity": f"Severity is 1 (gravest) to 4; `{severity}` is none. {NOTHING}"})
    is_private = is_security or "private" in flags
    return Wish(
        int(severity), title, service_of(given, title, group), _detection(given, group), group,
        is_private, is_security, _has_channel(given, int(severity), is_private=is_private),
    )  # fmt: skip


def _title(text: str) -> str:
    title = line(text, len(text) + 1)
    if len(title) > TITLE:
        raise FieldErrors(
            {
                "title": f"That is {len(title)} characters; a title has at most {TITLE}. Tell the rest with "
                f"`/sre incident note` afterwards. {NOTHING}"
            }
        )
    return title


def _has_channel(given: Given, severity: int, *, is_private: bool) -> bool:
    flags = given.args.flags
    if is_private and "thread" in flags:
        raise UsageError(
            f"A private incident is told in a channel of its own: leave `--thread` out. {NOTHING}"
        )
    is_alone = given.place.channel.startswith("D") and not given.groups
    if is_alone and "thread" in flags:
        raise UsageError(
            f"Nobody else reads this: leave `--thread` out, or declare it in a channel. {NOTHING}"
        )
    return is_private or is_alone or "channel" in flags or (severity <= 2 and "thread" not in flags)


def _form(args: Args, title: str, severity: str, group: AlertGroup | None) -> Form:
    at_first = severity or (_OF_ALERT[group.severity] if group else "2")
    what = title or (_summary(group) if group else "")
    source = args.flags.get("from", Detection.ALERT.value if group else "")
    fields = (
        Field("title", "What is wrong?", hint="As users would say it.", initial=what, most=TITLE),
        Field("severity", "How grave?", "choice", "Unsure? Take the graver one.", at_first, SEVERITIES),
        Field("from", "Who or what told of it?", "choice", "", source, SOURCES, is_optional=True),
    )
    head = "A private incident" if args.verb == "security" else "Declare an incident"
    return Form(head, "Declare", Args("incident", args.verb, "", args.flags), fields)


def _summary(group: AlertGroup) -> str:
    return line(group.lead.annotations.get("summary", "") or group.name, TITLE)


def _detection(given: Given, group: AlertGroup | None) -> str:
    said = given.args.flags.get("from", "").casefold()
    known = {each.value for each in Detection}
    if said and said not in known:
        listed = ", ".join(f"`{value}`" for value, _ in SOURCES)
        raise FieldErrors({"from": f"`--from` says who told of it first: {listed}. {NOTHING}"})
    return said or (Detection.ALERT.value if group else "")


# --- one that is open already ---------------------------------------------------------------------


def _joined(given: Given, group: AlertGroup | None) -> Entry | None:
    """Whoever declares what an alert tells, and it is declared, wants to help there."""
    if group is None or "anyway" in given.args.flags:
        return None
    other = next((each for each in given.open if each.is_active and _is_about(each, group)), None)
    if other is None:
        return None
    joined = aloud(event(given, Kind.JOINED, "joined", user=given.actor.user))
    return Entry(
        f"{other.id} is about this alert already: {other.title}{where(other)}. You joined it.",
        (Write((joined,) if given.actor.user not in other.people else (), other.id),),
        suggestions=(
            Suggestion("What is known", f"incident brief {other.id}"),
            _anyway(given, "Open another"),
        ),
    )


def _is_about(incident: Incident, group: AlertGroup) -> bool:
    return any(link.group == group.id for link in incident.alerts)


def _refuse_twice(given: Given, wish: Wish) -> None:
    if "anyway" in given.args.flags:
        return
    for other in given.open:
        if other.is_active and _is_same(other, wish, given):
            about = f"for {other.service}" if other.service else "already"
            raise Otherwise(
                f"{other.id} is open {about}: {other.title}{where(other)}. Join it, or say that this is another. "
                f"{NOTHING}",
                Suggestion(f"Join {other.id}", f"incident join {other.id}"),
                _anyway(given, "Open anyway", wish),
            )


def refuse_flood(given: Given) -> None:
    """Each takes a channel of the workspace and calls people: one person does not open them by the dozen."""
    person = given.site.person
    own = [each for each in given.open if each.by and person(each.by) == person(given.actor.user)]
    young = [each.id for each in own if given.now - each.opened < FLOOD]
    if len(young) >= MOST:
        raise Denied(
            f"You declared {len(young)} incidents in {span(FLOOD)}, all of them open: {', '.join(young)}. Say there what is "
            f"new with `/sre incident note`; somebody else may declare another. {NOTHING}"
        )


def _is_same(other: Incident, wish: Wish, given: Given) -> bool:
    is_near = given.now - other.opened <= SAME and other.cluster == cluster_of(given, wish.group)
    if not is_near or other.is_drill != ("drill" in given.args.flags):
        return False
    return bool(wish.service and wish.service == other.service) or (
        wish.title.casefold() == other.title.casefold()
    )


def _anyway(given: Given, label: str, wish: Wish | None = None) -> Suggestion:
    flags = {**given.args.flags, "anyway": ""}
    if wish is not None:
        flags |= {"title": wish.title, "severity": str(wish.severity)}
        flags |= {"service": wish.service} if wish.service else {}
    if wish is not None and wish.group is not None:
        flags["alert"] = wish.group.id
    name, rest = ("", "") if wish else (given.args.name, given.args.rest)
    return Suggestion(label, grammar.format(Args("incident", given.args.verb, name, flags, rest)))


# --- what is written ------------------------------------------------------------------------------


def _declared(given: Given, wish: Wish) -> Draft:
    group = wish.group
    is_in_its_thread = group is not None and not wish.has_channel
    return event(
        given, Kind.DECLARED, f"declared Sev{wish.severity}: {wish.title}",
        title=wish.title, severity=str(wish.severity), cluster=cluster_of(given, group),
        service=wish.service, drill="yes" if "drill" in given.args.flags else "",
        private="yes" if wish.is_private else "", security="yes" if wish.is_security else "",
        channel="yes" if wish.has_channel else "", detection=wish.detection,
        alert=f"alert:{group.id} {group.episode}:card" if group and is_in_its_thread else "",
    )  # fmt: skip


def _room(given: Given, wish: Wish) -> tuple[Draft, ...]:
    """Of one without a channel of its own: the alert's, or the one it was declared in."""
    if wish.has_channel:
        return ()
    place = wish.group.channel if wish.group else given.place.channel
    thread = "" if wish.group else given.place.thread
    return (event(given, Kind.ROOM, f"told in {place}", channel=place, thread=thread),)


def _alerted(given: Given, group: AlertGroup | None) -> tuple[Draft, ...]:
    """The alert knows better than anybody when it began, and who looked at it first."""
    if group is None:
        return ()
    started = written(group.lead.starts_at)
    linked = event(
        given,
        Kind.ALERT,
        f"{group.name} fires",
        group=group.id,
        name=group.name,
        state="firing",
        started=started,
    )
    reached = [
        event(given, Kind.MILESTONE, f"{group.name} began", name="started", at=started),
        event(given, Kind.MILESTONE, f"{group.name} was heard of", name="detected", at=started),
    ]
    if group.care.acked:
        acked = written(group.care.acked)
        reached.append(
            event(given, Kind.MILESTONE, f"{group.name} was acknowledged", name="acknowledged", at=acked)
        )
    return tuple(replace(each, by="", source="alert") for each in (*reached, linked))


def _runs(given: Given, wish: Wish) -> tuple[str, ...]:
    """What changed lately; of the gravest also the five layers under the service."""
    service = f" {wish.service}" if wish.service in site_of(given, wish.group).services else ""
    layers = (f"debug layers{service}",) if wish.severity == 1 else ()
    return (f"change recent{service} --since {_LOOK_BACK}", *layers)


def _asked_next(wish: Wish) -> tuple[Suggestion, ...]:
    """What would be good to know, where the line did not say it."""
    lead = Suggestion("I take command", "incident assign ic me --incident {id}")
    if wish.detection:
        return (lead,)
    return (
        lead,
        Suggestion("A customer told us", "incident set detection customer --incident {id}"),
        Suggestion("We saw it ourselves", "incident set detection employee --incident {id}"),
    )


FLAGS = (
    Flag("title", "what is wrong, where the line does not say it", "TEXT"),
    Flag("severity", "1 to 4, where the line does not say it", "1"),
    Flag("service", "which service fails", "SERVICE"),
    Flag("from", "what told of it first: alert, customer, employee or synthetic", "SOURCE"),
    Flag("alert", "the alert it is about; in its thread it may be left out", "A…"),
    Flag("drill", "an exercise: marked everywhere, counted nowhere"),
    Flag("anyway", "although one that looks the same is open"),
)

DECLARE = Command(
    word="incident",
    verbs=("declare",),
    summary="Open an incident: how grave, and what users feel.",
    rows=("EM-0", "IN-1"),
    examples=("incident declare sev1 checkout is down", "incident declare sev3 node-7 is slow --thread"),
    flags=(
        *FLAGS,
        Flag("channel", "with a channel of its own, also for Sev3 and Sev4"),
        Flag("thread", "in this thread, also for Sev1 and Sev2"),
    ),
    names="SEVERITY TITLE",
    entry=declare,
)
