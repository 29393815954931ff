"""Pure: the card of an alert group, of a storm and of a notice: the one message that says how it stands.

Readable at a glance, at night and on a phone: what is wrong in plain words, how bad, where, since when, who has it,
why it probably is, and the buttons. The long version is its thread (bot/alertthread.py). Called by bot/render.py,
with a record whose texts are redacted; every one of them is escaped here.
"""

from collections.abc import Iterator

from bot.alertwords import (
    LINE,
    OVER,
    care,
    cause,
    icon,
    labelled,
    line,
    more_labels,
    most,
    name,
    own_labels,
    standing,
    summary,
    where,
)  # fmt: skip
from bot.blocks import (
    Block,
    Message,
    actions,
    bounded,
    button,
    buttons,
    context,
    cut,
    escape,
    link,
    mention,
    modal,
    moment,
    overflow,
    paragraph,
    paragraphs,
    select,
    select_input,
    text_input,
)  # fmt: skip
from commands.finding import Link, Suggestion
from commands.model import Alert, AlertGroup, Judgement, Notice, Severity, Storm
from commands.phrase import counted, span

_LISTED = 10  # alerts listed on a card; of more it says where most of them are
_REASON = 500  # characters of a reason that somebody types
_BUTTONS = 2  # suggestions of a cause that become buttons
_DURATIONS = (("30 minutes", "30m"), ("1 hour", "1h"), ("2 hours", "2h"), ("4 hours", "4h"))
_USUAL = 1
_STORM = (
    "Each group is in this thread; critical ones have their own cards. What is told here is not diagnosed by itself: "
    "press Diagnose."
)


def card(group: AlertGroup, workspace: str = "") -> Message:
    """workspace: its address, by which the thread of the episode before is linked; "" where it is not known."""
    key = f"{group.episode}:card"
    if group.storm:
        return Message(key, _aloud(group), tuple(bounded(_member(group))), in_thread=True)
    blocks = _firing(group, workspace) if group.firing else _resolved(group)
    return Message(key, _aloud(group), tuple(bounded(blocks)))


def value(group: AlertGroup) -> str:
    """What every button of the card carries: which group, and which episode of it was looked at."""
    return f"{group.id} {group.episode}"


def _headline(group: AlertGroup) -> str:
    return f"{icon(group)} *{name(group)}* · {standing(group)}"


def _aloud(group: AlertGroup) -> str:
    """For a notification and a screen reader, which show no blocks."""
    head = f"{icon(group)} {name(group)}: {standing(group)}"
    told = (summary(group), where(group)) if group.firing else ()
    return f"{_who(group.mention)}{' · '.join(filter(None, (head, *told)))}"


def _who(member: str) -> str:
    return f"{mention(member)} " if mention(member) else ""


def _firing(group: AlertGroup, workspace: str) -> list[Block]:
    place = " · ".join(filter(None, (where(group), f"since {moment(group.opened)}")))
    lines = [_who(group.mention) + _headline(group), summary(group), place]
    lines += [" · ".join(care(group)), _cause(group)]
    return [
        *paragraphs(filter(None, lines)),
        *_listed(group),
        *actions(*_hands(group)),
        *buttons(_suggestions(group), _runbook(group)),
        *_remarks(group, workspace),
    ]


def _cause(group: AlertGroup) -> str:
    """What was found; where nothing was, the thread has what was read."""
    if group.cause:
        return cause(group.cause)
    if group.looking:
        return "Looking for the cause…"
    return "No cause named: the facts are in the thread." if group.triage else ""


def _listed(group: AlertGroup) -> list[Block]:
    alerts = (*group.firing, *group.resolved)
    if len(alerts) == 1:
        return []
    if len(alerts) > _LISTED:
        told = most(group)
        return paragraphs([f"*Most of the {len(group.firing)}*", told] if told else [])
    return paragraphs(_alert_line(alert, group) for alert in alerts)


def _alert_line(alert: Alert, group: AlertGroup) -> str:
    own = labelled(own_labels(alert, group), 6) or line(alert.annotations.get("summary") or alert.name, LINE)
    if alert.status == "resolved":
        after = f" after {span(alert.ends_at - alert.starts_at)}" if alert.ends_at else ""
        return f"{OVER} {own} · resolved{after}"
    since = f" · since {moment(alert.starts_at)}" if alert.starts_at.timestamp() > 0 else ""
    return f"{icon(group)} {own}{since}"


def _hands(group: AlertGroup) -> list[Block]:
    """What people do about it, one row of it. Their presses are bot/care.py's."""
    told, carried = group.care, value(group)
    made = []
    if not told.acked:
        style = "primary" if group.severity is Severity.CRITICAL else ""
        made.append(button("alert:ack", "Acknowledge", carried, style=style))
    # Who takes over says so, because two may press "Own" at the same moment.
    made.append(button("alert:own", "Take over" if told.owner else "Own", carried + " me" * bool(told.owner)))
    made.append(button("alert:silence", "Silence…", carried))
    return [*made, overflow("alert:more", _seldom(group))]


def _seldom(group: AlertGroup) -> Iterator[tuple[str, str]]:
    """What is wanted of few alerts, each with the verb that bot/care.py knows before its value."""
    told, carried = group.care, value(group)
    if told.owner:
        yield "Hand over…", f"hand {carried}"
    elif not told.acked and group.severity is Severity.CRITICAL:
        yield "Snooze for 30 min", f"snooze {carried}"
    for each in Judgement:
        yield f"Mark as {each.value}", f"mark {carried} {each.value}"


def _mark(group: AlertGroup) -> Block:
    options = [(each.value.capitalize(), f"{value(group)} {each.value}") for each in Judgement]
    return select("alert:mark", "Mark as…", options)


def _suggestions(group: AlertGroup) -> tuple[Suggestion, ...]:
    """What the cause asks for; of what is critical an incident takes the place of the last of them. It asks how grave,
    and knows everything else from the alert."""
    offered = group.cause.suggestions if group.cause else ()
    if group.severity is not Severity.CRITICAL:
        return offered[:_BUTTONS]
    declare = Suggestion("Open incident…", f"incident declare --alert {group.id}")
    return (*offered[: _BUTTONS - 1], declare)


def _runbook(group: AlertGroup) -> tuple[Link, ...]:
    lead = group.lead
    return (Link("Runbook", lead.annotations.get("runbook_url") or lead.annotations.get("runbook") or ""),)


def _links(group: AlertGroup) -> list[str]:
    """Where else it can be looked at."""
    found = (link(group.lead.generator_url, "Graph"), link(group.external_url, "Alertmanager"))
    return [each for each in found if each.startswith("<")]


def _remarks(group: AlertGroup, workspace: str) -> list[Block]:
    told = []
    if group.before:
        told.append(context(f"↩️ fired before: {_earlier(group.before, workspace)}"))
    if group.omitted:
        told.append(context(f"{counted(group.omitted, 'earlier change')} may not be in the thread"))
    if more_labels(group):
        told.append(context(more_labels(group)))
    return [*told, context(*_links(group), _origin(group))]


def _earlier(before: str, workspace: str) -> str:
    """The thread of the episode before, by its address where that is known (docs.slack.dev, chat.getPermalink)."""
    channel, _, ts = before.partition(" ")
    url = f"{workspace.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}" if workspace else ""
    return link(url, "the thread of that time") if url else "its thread is further up in this channel"


def _origin(group: AlertGroup) -> str:
    why = f"routed by: {line(group.route, 120)}" if group.route else ""
    receiver = f"receiver {line(group.receiver, 80)}" if group.receiver else ""
    return " · ".join(filter(None, (why, receiver, group.id)))


def _resolved(group: AlertGroup) -> list[Block]:
    """Calm and short: how long it took, where it was, why, and what people call it."""
    lines = [_headline(group), where(group), " · ".join(care(group))]
    if group.cause:
        lines.append(cause(group.cause))
    ended = f"{moment(group.opened)} to {moment(group.updated)}"
    return [
        *paragraphs(filter(None, lines)), *actions(_mark(group)), context(f"{ended} · {group.id}"),
    ]  # fmt: skip


def _member(group: AlertGroup) -> list[Block]:
    """One of a storm, in its thread."""
    said = summary(group) if group.firing else ""
    lines = [_headline(group), said, where(group), " · ".join(care(group))]
    if group.cause:
        lines.append(cause(group.cause))
    if not group.firing:
        return paragraphs(filter(None, lines))
    carried = value(group)
    hands = [button("alert:ack", "Acknowledge", carried)] if not group.care.acked else []
    diagnose = buttons((Suggestion("Diagnose", f"alert triage {group.id}"),))[0]["elements"]
    hands += [button("alert:silence", "Silence…", carried), *diagnose]
    return [*paragraphs(filter(None, lines)), *actions(*hands)]


def silence_view(carried: str) -> Block:
    """The window of the Silence button. Its submission has callback_id "silence", the button's value as
    private_metadata, the time at state.values["for"]["for"].selected_option.value ("1h") and the reason at
    state.values.reason.reason.value."""
    hint = "It stands in Alertmanager beside the silence, and in the audit."
    body = (
        select_input("for", "For how long?", _DURATIONS, _USUAL),
        text_input("reason", "Why?", hint, _REASON),
    )
    return modal("silence", carried, "Silence this alert", "Show what it hides", *body)


# --- storms and notices ---


def storm(record: Storm) -> Message:
    sign = OVER if record.over else "⚠️"
    state = "over" if record.over else f"{record.firing} firing"
    groups = counted(record.members, "alert group")
    headline = f"{sign} *Alert storm: {groups}, {state}*"
    when = f"since {moment(record.opened)}"
    if record.over:
        when = f"{moment(record.opened)}, over after {span(record.updated - record.opened)}"
    blocks = [
        *paragraphs([headline, when, *_counts(record)]),
        *([] if record.over else [context(_STORM)]),
        context(record.id),
    ]  # fmt: skip
    return Message("card", f"{sign} Alert storm: {groups}, {state}", tuple(bounded(blocks)))


def _counts(record: Storm) -> list[str]:
    kinds = dict.fromkeys(kind for kind, _, _ in record.counts)
    return [f"*{line(kind, 40).capitalize()}*  {_top(record, kind)}" for kind in kinds]


def _top(record: Storm, kind: str) -> str:
    own = [(count, said) for each, said, count in record.counts if each == kind]
    found = sorted((each for each in own if each[1]), key=lambda one: -one[0])
    shown = [each for each in found[:5] if each[0] > 1] or found[:1]  # those alone are no heap
    rest = len(found) - len(shown) + sum(count for count, said in own if not said)
    more = f", {rest} others" if rest else ""
    return ", ".join(f"{count} × {line(said, 80)}" for count, said in shown) + more


def notice(record: Notice) -> Message:
    text = f"{_who(record.mention)}{escape(cut(record.text, LINE * 8))}"
    return Message("card", text, (paragraph(text),))
