"""The lines of the pre-checks: which there are, which of them people may tick, and what is still open.

The machine's part is looked at by commands/changes/prechecks.py and noted on the record (commands/changenoted.py); what
people say of a line comes later than that and counts more, so what is open is always asked of the record as it is.
"""

from collections.abc import Mapping

from commands.finding import Finding, Light
from commands.model import Section
from commands.response.changerequest import ChangeRequest, Checked, Risk, TickState
from commands.site import Site
from commands.wording import one_line

# As `access` calls what is agreed to.
START = "change start"

# What the keys of its findings begin with. Two are no lines: what was looked at, and what it would be done to.
PREFIX = "change."
PAYLOAD, TARGET = "change.payload", "change.target"

# What it is about, by key, and the row of the manual. The first six, and for a high risk the seventh, must be ticked.
STAGING, WAY_BACK, NOTIFIED, BACKUP, ALERTS, STANDBY = (
    "staging", "rollback", "stakeholders", "backup", "alerts", "availability",
)  # fmt: skip
INTEGRITY = "integrity"
TICKED: Mapping[str, str] = {
    STAGING: "CM-1.1",
    WAY_BACK: "CM-1.2",
    NOTIFIED: "CM-1.3",
    BACKUP: "CM-1.4",
    ALERTS: "CM-1.5",
    STANDBY: "CM-1.6",
    INTEGRITY: "DL-2.0",
}
# Ticked after the change.
ACCEPTED = "uat"


def state(change: ChangeRequest, line: Checked) -> Light:
    """How a line stands by now: as it was found, or as people said of it since."""
    tick = change.ticks.get(line.key)
    if line.key == STANDBY and change.standby and (tick is None or tick.state is not TickState.SKIPPED):
        return Light.GREEN if all(change.standby.values()) else Light.RED
    if line.key == NOTIFIED and change.notified:
        return Light.GREEN
    if tick is None:
        return line.light
    return Light.RED if tick.state is TickState.NO else Light.GREEN


def open_lines(change: ChangeRequest) -> tuple[Checked, ...]:
    """Those that people must tick and nobody has, nor did the look find them well."""
    lines = change.checks.lines if change.checks else ()
    return tuple(
        line for line in lines if line.key in TICKED and state(change, line) in (Light.RED, Light.UNKNOWN)
    )


def hold_ups(change: ChangeRequest, lines: tuple[Checked, ...]) -> tuple[Checked, ...]:
    """Those that keep it from being put before people: what speaks against it, and for a high risk also what nobody
    could look at."""
    against = {Light.RED, Light.UNKNOWN} if change.payload.risk is Risk.HIGH else {Light.RED}
    late = {NOTIFIED, STANDBY}  # what is said once it is agreed when
    return tuple(line for line in lines if state(change, line) in against and line.key not in late)


def named(line: Checked) -> str:
    return f"{line.label} ({line.key})" if line.key in TICKED else line.label


# --- In the answer of a look -----------------------------------------------------------------------


def found(section: Section) -> tuple[Checked, ...]:
    """The lines of such a section, as the record keeps them."""
    return tuple(
        Checked(each.key.removeprefix(PREFIX), each.label, each.light, _told(each))
        for each in section.findings
        if each.key not in (PAYLOAD, TARGET)
    )


def _told(finding: Finding) -> str:
    return one_line("; ".join(filter(None, (finding.value, *finding.evidence[:1]))), 300)


def said(section: Section, key: str) -> str:
    """What such a section says of the payload, or of the target."""
    return next((each.value for each in section.findings if each.key == key), "")


def may_approve(change: ChangeRequest, roles: frozenset[str], site: Site) -> bool:
    """Whether somebody with these roles may, by the rules of `access` for `change start` as they are now, and by
    whom it was put before."""
    payload = change.payload
    fitting = [
        rule
        for rule in site.access
        if rule.is_about("approve", START, payload.cluster) and rule.has_namespace(payload.namespace)
    ]
    asked = set(change.roles)
    return any(
        held & roles for held in (set(rule.roles) & asked if asked else set(rule.roles) for rule in fitting)
    )
