"""Pure: what is said of an incident in a few words: how grave it is, where it stands, who leads, since when.

Used by its card (bot/incidentcard.py), by what is told of it elsewhere (bot/incidentthread.py) and by its channel
(bot/rooms.py), so that all say the same. Texts come redacted; every one of them is escaped here.
"""

from bot.alertwords import line, person
from bot.blocks import escape
from commands.response.incident import Incident, Role, Status

ICON = {1: "🔴", 2: "🟠", 3: "🟡", 4: "🔵"}
OVER = "✅"
NOTHING = "⚪"  # it was none, or is none of its own
DRILL = "🧪 DRILL"

TITLE = 200
TOPIC = 250  # characters that Slack takes, of a purpose as well

_SIGNS = {
    Status.RESOLVED: OVER, Status.POSTMORTEM: OVER, Status.CLOSED: OVER,
    Status.FALSE_ALARM: NOTHING, Status.CANCELED: NOTHING, Status.MERGED: NOTHING,
}  # fmt: skip


def icon(incident: Incident) -> str:
    return _SIGNS.get(incident.status, ICON.get(incident.severity, ICON[1]))


def grave(incident: Incident) -> str:
    """ "🔴 Sev1", as everywhere; a drill says so first."""
    drill = f"{DRILL} · " if incident.is_drill else ""
    return f"{drill}{icon(incident)} Sev{incident.severity}"


def title(incident: Incident) -> str:
    return line(incident.title, TITLE) or "incident without a title"


def standing(incident: Incident) -> str:
    """Its status in words: "merged into INC-…", "false alarm"."""
    if incident.status is Status.MERGED and incident.merged_into:
        return f"merged into {line(incident.merged_into, 40)}"
    return incident.status.value


def headline(incident: Incident) -> str:
    return f"{grave(incident)} · *{title(incident)}* · {standing(incident)}"


def aloud(incident: Incident) -> str:
    """For a notification and a screen reader, which show no blocks."""
    return f"{grave(incident)}: {title(incident)} · {standing(incident)} · {incident.id}"


def commander(incident: Incident) -> str:
    """Of one that is over, who led it, "" for nobody: there is no "yet" any more."""
    held = incident.holder(Role.IC)
    if not held:
        return "no commander yet" if incident.is_active else ""
    return f"commander {person(held)}"


def is_hidden(incident: Incident) -> bool:
    """Told to nobody outside its own channel."""
    return incident.is_private or incident.is_security


def is_reply(incident: Incident) -> bool:
    """Its card stands in a thread: of the alert it was declared from, or the one in which it was declared."""
    if incident.room.is_own:
        return False
    return bool(incident.room.thread) or bool(incident.alert and not incident.places)


# --- its channel ---


def topic(incident: Incident, lead: str = "") -> str:
    """Rewritten whenever it changes; the title is cut so that all of it fits. lead: what its commander is called, ""
    where that is not known: not everywhere does a topic show a mention as a name."""
    led = f"commander {line(lead, 60)}" if lead else commander(incident)
    head = "".join(f"{each} · " for each in (grave(incident), standing(incident), led) if each)
    tail = f" · {incident.id}"
    return f"{head}{_fitting(incident.title, TOPIC - len(head) - len(tail))}{tail}"


def purpose(incident: Incident) -> str:
    head = f"{'Drill' if incident.is_drill else 'Incident'} {incident.id}: "
    tail = ". Pin 📌 what matters; `/sre help incident` lists the commands."
    return f"{head}{_fitting(incident.title, TOPIC - len(head) - len(tail))}{tail}"


def _fitting(text: str, room: int) -> str:
    """Escaped, and then within so many characters: never half an escape."""
    flat = " ".join(text.split())
    kept = flat[: max(room, 0)]
    while len(escape(kept)) + (len(kept) < len(flat)) > room and kept:
        kept = kept[:-1]
    return escape(kept) + ("…" if len(kept) < len(flat) else "")
