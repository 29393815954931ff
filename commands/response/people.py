"""The people of an incident in events: roles offered, accepted and ended; pages; who is in its room; what one of them
approved alone."""

from dataclasses import replace

from commands.ledger import Event
from commands.response.events import Kind
from commands.response.incident import Glass, Holding, Incident, Milestone, Offer, Page, Role
from commands.response.life import reach


def _offered(incident: Incident, event: Event) -> Incident:
    """One offer of a role at a time: a new one takes the place of the last."""
    role = Role(event.facts["role"])
    offer = Offer(role, event.facts["user"], event.by, event.at)
    return replace(incident, offers=(*_others(incident, role), offer))


def _accepted(incident: Incident, event: Event) -> Incident:
    role, user = Role(event.facts["role"]), event.facts["user"]
    by = next((offer.by for offer in incident.offers if offer.role is role), event.by)
    moved = replace(
        incident,
        roles={**incident.roles, role: Holding(user, event.at, by)},
        offers=_others(incident, role),
        people=tuple(dict.fromkeys((*incident.people, user))),
    )
    if role is not Role.IC:
        return moved
    led = tuple(dict.fromkeys((*incident.led, user))) if incident.is_active else incident.led
    return reach(replace(moved, led=led), Milestone.COMMANDED, event, event.at)


def _declined(incident: Incident, event: Event) -> Incident:
    return replace(incident, offers=_others(incident, Role(event.facts["role"])))


def _ended(incident: Incident, event: Event) -> Incident:
    role = Role(event.facts["role"])
    return replace(incident, roles={each: held for each, held in incident.roles.items() if each is not role})


def _others(incident: Incident, role: Role) -> tuple[Offer, ...]:
    return tuple(offer for offer in incident.offers if offer.role is not role)


def _paged(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    page = Page(facts["id"], facts["user"], event.at, int(facts.get("rung", "0")))
    return reach(replace(incident, pages=(*incident.pages, page)), Milestone.PAGED, event, event.at)


def _page_acked(incident: Incident, event: Event) -> Incident:
    """Whoever answers ends the escalation; the first answer counts."""
    id = event.facts["id"]
    pages = tuple(
        replace(page, acked=event.at, acked_by=event.by) if page.id == id and page.acked is None else page
        for page in incident.pages
    )
    return reach(replace(incident, pages=pages), Milestone.ACKNOWLEDGED, event, event.at)


def _joined(incident: Incident, event: Event) -> Incident:
    return replace(incident, people=tuple(dict.fromkeys((*incident.people, event.facts["user"]))))


def _left(incident: Incident, event: Event) -> Incident:
    return replace(incident, people=tuple(user for user in incident.people if user != event.facts["user"]))


def _broken(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    glass = Glass(facts["request"], event.by, event.at, facts.get("line", ""), facts.get("requester", ""))
    return replace(incident, glass=(*incident.glass, glass))


def _reviewed(incident: Incident, event: Event) -> Incident:
    id = event.facts["request"]
    glass = tuple(
        replace(each, reviewed=event.at, reviewed_by=event.by)
        if each.request == id and each.reviewed is None
        else each
        for each in incident.glass
    )
    return replace(incident, glass=glass)


STEPS = {
    Kind.OFFERED: _offered,
    Kind.ACCEPTED: _accepted,
    Kind.DECLINED: _declined,
    Kind.ENDED: _ended,
    Kind.PAGED: _paged,
    Kind.PAGE_ACKED: _page_acked,
    Kind.JOINED: _joined,
    Kind.LEFT: _left,
    Kind.BROKEN: _broken,
    Kind.REVIEWED: _reviewed,
}
