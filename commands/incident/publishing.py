"""`incident publish` and `incident action`: the postmortem as it was drafted, and what follows from it.

What is published is the last draft, byte for byte, by the hash that stands in the event: who publishes it has read it.
All that it lacks is said in one answer.
"""

from commands.command import Command, Flag
from commands.entry import Entry, Given, Otherwise
from commands.errors import Denied, Stale
from commands.finding import Suggestion
from commands.form import Field
from commands.incident.about import NOTHING, REASON, WHICH, WHY, aloud, ask, event, live, reason, the, write
from commands.incident.postmortem import NONE
from commands.postmortem.gaps import draft_gaps, gaps
from commands.response.events import Kind
from commands.response.incident import Incident, Role
from commands.tasking import DUE, OWNER, opened, wished

_DELETED = "with-deleted"


def publish(given: Given) -> Entry:
    incident = the(given)
    if incident.status in NONE:
        raise Stale(f"{incident.id} is {incident.status.value}: it has no postmortem. {NOTHING}")
    if incident.is_active:
        raise Otherwise(
            f"{incident.id} is {incident.status.value}: its postmortem is published once it is resolved. {NOTHING}",
            Suggestion("Resolve", f"incident resolve --incident {incident.id}"),
        )
    if _DELETED in given.args.flags and not incident.report.has_deleted:
        return _let_in(given, incident)
    lacking = [*gaps(incident), *draft_gaps(incident, given.now)]
    if lacking:
        listed = " ".join(f"({n}) {gap}" for n, gap in enumerate(lacking, start=1))
        raise Otherwise(
            f"The postmortem of {incident.id} cannot be published yet. {listed} {NOTHING}", *_mends(incident)
        )
    return _published(given, incident)


def _published(given: Given, incident: Incident) -> Entry:
    report = incident.report
    if report.editions and report.editions[-1].sha256 == report.sha256:
        raise Stale(f"Version {report.editions[-1].version} is published already. {NOTHING}")
    said = f"postmortem published, version {report.version}, SHA-256 {report.sha256[:12]}…"
    told = event(
        given, Kind.REPORT, said, step="published", version=str(report.version), stored=report.stored,
        sha256=report.sha256, bucket=report.bucket,
    )  # fmt: skip
    return Entry(
        f"The postmortem of {incident.id} is published: version {report.version}, as it was drafted. It does not change "
        "any more; what is written from now on is another version.",
        write(incident, aloud(told)),
        suggestions=(Suggestion("Close", f"incident close --incident {incident.id}"),),
        keeps=(report.stored,),
    )


def _let_in(given: Given, incident: Incident) -> Entry:
    """What its author took out of Slack is published only if who led it says so, and is drafted before."""
    person = given.site.person
    if person(given.actor.user) not in {person(user) for user in _commanders(incident)}:
        raise Denied(
            f"What was deleted in Slack is published only if the incident commander of {incident.id} says so. {NOTHING}"
        )
    told = event(given, Kind.REPORT, "let what was deleted in Slack stand in the postmortem", step="deleted")
    return Entry(
        f"What was deleted in Slack stands in the next draft of {incident.id}, which follows. Read it, then publish it.",
        write(incident, told),
        ("incident postmortem {id}",),
    )


def _commanders(incident: Incident) -> tuple[str, ...]:
    """Who led it while it went on: at its end nobody holds a role any more, or somebody who was not there. Of one that
    nobody led, who leads it now."""
    return incident.led or (incident.holder(Role.IC),)


def _mends(incident: Incident) -> tuple[Suggestion, ...]:
    lessons = Suggestion("Write the lessons…", f"incident postmortem --lessons --incident {incident.id}")
    anew = Suggestion("Draft it anew", f"incident postmortem {incident.id}")
    return (anew,) if incident.lessons else (lessons, anew)


# --- actions --------------------------------------------------------------------------------------


def action(given: Given) -> Entry:
    """A task of this incident; or why there is none."""
    if "none" in given.args.flags:
        return _no_actions(given)
    incident = the(given)
    if incident.status in NONE:
        raise Stale(f"{incident.id} is {incident.status.value}: nothing follows from it. {NOTHING}")
    wish = wished(given, "An action")
    answer = f"{{id}} of {incident.id} is written down: {wish.title}, due {wish.due}. Its owner is reminded two days before."
    return Entry(answer, opened(given, wish, incident))


def _no_actions(given: Given) -> Entry:
    incident, why = live(given), reason(given)
    if incident.tasks:
        raise Stale(f"{incident.id} has actions already: {', '.join(incident.tasks)}. {NOTHING}")
    if not why:
        raise ask(
            given, "No action", "None is needed", "Say why: `/sre incident action --none REASON`.",
            Field("why", "Why does nothing follow from it?", most=REASON),
        )  # fmt: skip
    told = event(given, Kind.TASK, f"no action is needed: {why}", why=why)
    return Entry(f"Noted: nothing follows from {incident.id}.", write(incident, told))


PUBLISHING = (
    Command(
        word="incident", verbs=("publish",), summary="Publish the postmortem as drafted; says at once what is missing.",
        rows=("EM-5.1", "IN-41"), examples=("incident publish", "incident publish --with-deleted"),
        flags=(WHICH, Flag(_DELETED, "with what was deleted in Slack; the commander alone")), names="INC", entry=publish,
    ),
    Command(
        word="incident", verbs=("action",), summary="What follows from it, by whom and until when; or why nothing does.",
        rows=("EM-5.3", "OM-4.6", "IN-42"),
        examples=('incident action "limit every pool" --owner me --due 2w', "incident action --none it was a drill of ours"),
        flags=(WHICH, WHY, OWNER, DUE, Flag("none", "nothing follows; say why")), names="INC TITLE…", entry=action,
    ),
)  # fmt: skip
