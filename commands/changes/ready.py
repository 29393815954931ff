"""`change tick`, `change standby`, `change notify`: what people say and do before a change begins."""

from commands.changelines import ACCEPTED, STANDBY, TICKED, may_approve
from commands.changes.meant import NOTHING, about, did, entered, named, settings
from commands.changes.new import is_author
from commands.command import Command, Flag
from commands.entry import Entry, Given
from commands.errors import Denied, Stale, UsageError
from commands.form import Field, Form, NeedsForm
from commands.model import Args
from commands.phrase import span
from commands.response.changeevents import Kind
from commands.response.changerequest import UNFELT, ChangeRequest, TickState


def tick(given: Given) -> Entry:
    """A line is done, is not so, or is let go by an approver who says why."""
    change = about(given)
    _demand_open(change)
    item, _, note = given.args.rest.partition(" ")
    item, note = item.casefold(), (note or given.args.flags.get("why", "")).strip()
    if item not in (*TICKED, ACCEPTED):
        known = ", ".join(f"`{each}`" for each in (*TICKED, ACCEPTED))
        raise UsageError(f"Which line? {known}: `/sre change tick {change.id} staging LINK`. {NOTHING}")
    if "skip" in given.args.flags:
        return _skip(given, change, item, note)
    state = TickState.NO if "no" in given.args.flags else TickState.DONE
    if item == STANDBY:
        raise UsageError(f"Say it of yourself: `/sre change standby {change.id} yes`. {NOTHING}")
    if state is TickState.DONE and not note:
        raise NeedsForm(
            _shown_by(change, item), f"What shows it? `/sre change tick {change.id} {item} LINK`."
        )
    sign = "☑️" if state is TickState.DONE else "✖️"
    text = f"{sign} {item}{': ' + note if note else ''}"
    told = did(given, Kind.TICKED, text, item=item, state=state, note=note)
    return entered(change, f"Noted: {item} of {change.id}.", (told,))


def _shown_by(change: ChangeRequest, item: str) -> Form:
    asked = Field("why", "What shows it?", hint="A link, a build, who did it: it stays in the record")
    return Form(
        "Tick a line",
        "Tick",
        Args("change", "tick", change.id, {}, item),
        (asked,),
        f"{item} of {named(change)}",
    )


def _skip(given: Given, change: ChangeRequest, item: str, note: str) -> Entry:
    if is_author(given, change):
        raise Denied(f"Who asked for {change.id} cannot let one of its lines go: an approver may. {NOTHING}")
    if not may_approve(change, given.roles, given.site):
        raise Denied(f"Only who may approve {change.id} can let one of its lines go. {NOTHING}")
    if not note:
        raise UsageError(f"Say why: `/sre change tick {change.id} {item} --skip --why TEXT`. {NOTHING}")
    told = did(given, Kind.TICKED, f"⏭️ lets {item} go: {note}", item=item, state=TickState.SKIPPED, note=note)
    return entered(change, f"{item} of {change.id} is let go, and your reason stands in the record.", (told,))


def standby(given: Given) -> Entry:
    """Whether somebody is there for the change and the time behind it."""
    change = about(given)
    _demand_open(change)
    answer = given.args.rest.strip().casefold()
    if answer not in ("yes", "no"):
        raise UsageError(
            f"Are you there for {asked_for(given, change)}? `/sre change standby {change.id} yes`, or `no`. {NOTHING}"
        )
    length = asked_for(given, change)
    text = f"🙋 is there for {length}" if answer == "yes" else f"🚫 cannot be there for {length}"
    return entered(
        change,
        f"Noted: you {'are' if answer == 'yes' else 'cannot be'} there for {length}.",
        (did(given, Kind.STANDBY, text, yes=answer),),
    )


def asked_for(given: Given, change: ChangeRequest) -> str:
    """How long: the change itself, and what may come of it."""
    return span((change.payload.duration or UNFELT) + settings(given, change).availability_after)


def notify(given: Given) -> Entry:
    """Tell the stakeholders; what is told follows the record from then on."""
    change = about(given)
    _demand_open(change)
    _demand_voice(given, change)
    channels = given.site.channels.stakeholders
    if not channels:
        raise UsageError(
            f"Nobody is configured to be told: set `channels.stakeholders`, or tick it by hand: "
            f"`/sre change tick {change.id} stakeholders WHO`. {NOTHING}"
        )
    where, page, said = ", ".join(channels), "", ""
    if "status-page" in given.args.flags:
        has_page = bool(given.site.cluster_for("", change.payload.cluster).urls.status_page_webhook)
        page, said = ("yes", " The status page is told, too.") if has_page else ("", _by_hand(given))
    told = did(
        given,
        Kind.NOTIFIED,
        f"📣 tells {where}{' and the status page' if page else ''}",
        channels=where,
        page=page,
    )
    return entered(change, f"{where} is told now, and again one hour before it begins.{said}", (told,))


def _demand_voice(given: Given, change: ChangeRequest) -> None:
    """What stakeholders and the public read is not everybody's to say."""
    if not (
        is_author(given, change) or may_approve(change, given.roles, given.site) or "comms" in given.roles
    ):
        raise Denied(
            f"{change.id} is for who asked for it, may approve it, or holds the role `comms` to tell of. {NOTHING}"
        )


def _by_hand(given: Given) -> str:
    owner = " or ".join(given.site.role_members("comms")) or "comms"
    return f" No status page is configured (`urls.status_page_webhook`): {owner} must write there by hand."


def _demand_open(change: ChangeRequest) -> None:
    if change.is_over:
        raise Stale(f"{change.id} is over: {change.stage.value}. {NOTHING}")


TICK = Command(
    word="change",
    verbs=("tick",),
    summary="Say of a line of the checks that it is so, or let it go.",
    rows=("CM-1.0", "CM-1.1", "CM-1.2", "CM-3.5", "DL-1.0"),
    examples=('change tick CR-2026-11-23-001 staging "build 431 ran there"',),
    flags=(
        Flag("no", "it is not so"),
        Flag("skip", "an approver lets it go; needs --why"),
        Flag("why", "what it is for", "TEXT"),
    ),
    names="CR-… LINE NOTE",
    entry=tick,
)
STAND_BY = Command(
    word="change",
    verbs=("standby",),
    summary="Say whether you are there for a change and two hours after.",
    rows=("CM-1.6",),
    examples=("change standby CR-2026-11-23-001 yes",),
    names="CR-… YES|NO",
    entry=standby,
)
NOTIFY = Command(
    word="change",
    verbs=("notify",),
    summary="Tell the stakeholders when it is, and again an hour before.",
    rows=("DL-3.1", "DL-3.2", "CM-1.3"),
    examples=("change notify CR-2026-11-23-001",),
    flags=(Flag("status-page", "also on the status page"),),
    names="CR-…",
    entry=notify,
)
