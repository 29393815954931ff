"""Who may know of a private incident: the one place that says so, for every list and every verb.

To anybody else it does not exist: it is neither counted nor named. Pure; called by bot/clerk.py, bot/desk.py and
commands/clockwork.py.
"""

from collections.abc import Collection

from commands.response.incident import Incident

# The role (a key of `roles:`) that sees every private incident.
SECURITY = "security"


def may_see(incident: Incident, user: str, roles: Collection[str], channel: str = "") -> bool:
    """Whether this user, who holds these roles, may see it. channel: where they speak; who speaks in its own channel
    was let in there."""
    if not incident.is_private:
        return True
    is_in_its_room = bool(channel) and incident.room.is_own and channel == incident.room.channel
    return is_in_its_room or SECURITY in roles or user in _own(incident)


def _own(incident: Incident) -> frozenset[str]:
    """Who declared it, who is in its room, who holds a role or is asked to."""
    holders = (held.user for held in incident.roles.values())
    offered = (offer.user for offer in incident.offers)
    return frozenset((incident.by, *incident.people, *holders, *offered)) - {""}
