"""A group of many alerts: where most of them are, and all of them as a file."""

from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from commands.finding import Finding, Light
from commands.model import Alert, AlertGroup, Attachment, Gap, Inquiry, Section
from commands.phrase import counted
from commands.responsereads import HouseZone
from commands.site import ClusterSite

# As many are on the card itself (bot/alertcard.py).
FEW = 10

_TITLE = "All of its alerts"
_BY = ("alertname", "namespace", "node", "instance", "pod")
_TOP = 5


def told(group: AlertGroup, site: ClusterSite) -> Inquiry:
    if len(group.alerts) <= FEW:
        yield ()
        return Section("list", _TITLE, True)
    told = (yield (HouseZone(),))[HouseZone()]
    zone = ZoneInfo("UTC" if isinstance(told, Gap) else told)
    findings = tuple(filter(None, (_most(name, group) for name in _BY)))
    file = Attachment(
        f"{group.name or 'alerts'}.txt", counted(len(group.alerts), "alert"), _file(group, zone)
    )
    return Section("list", _TITLE, True, findings, attachments=(file,))


def _most(name: str, group: AlertGroup) -> Finding | None:
    """None where the label tells nothing: not there, the same everywhere, or another one everywhere."""
    counts = Counter(alert.labels[name] for alert in group.firing if alert.labels.get(name))
    top = counts.most_common(_TOP)
    if len(counts) < 2 or top[0][1] == 1:
        return None
    rest = len(counts) - len(top)
    more = (f"and {rest} more",) if rest else ()
    lines = tuple(f"{count} × {value}" for value, count in top)
    return Finding("AL-12", f"By {name}", Light.YELLOW, f"{len(counts)} different", evidence=(*lines, *more))


def _file(group: AlertGroup, zone: ZoneInfo) -> str:
    return "".join(f"{line}\n" for line in _lines((*group.firing, *group.resolved), zone))


def _lines(alerts: Iterable[Alert], zone: ZoneInfo) -> Iterable[str]:
    for alert in alerts:
        labels = ", ".join(f'{name}="{value}"' for name, value in sorted(alert.labels.items()))
        said = alert.annotations.get("summary") or alert.annotations.get("description") or ""
        since = f"{alert.starts_at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
        yield f"{alert.status}  {since}  {labels}  {' '.join(said.split())}".rstrip()
