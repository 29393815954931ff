"""Blocks by network ACLs: an entry each way that denies, before every one that allows.

An ACL knows no connections, so both ways are denied. Which entries a block makes is written on the ACL first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from commands.change import Planning, blocked
from commands.effects import DenyEntry, Tag
from commands.finding import Finding, Light
from commands.incident import ranges
from commands.incident.notes import AclNote, acl_key, acl_note
from commands.incident.ranges import Net
from commands.incident.wish import Made, Wish, remark, unread
from commands.model import Gap
from commands.plan import Step, Wave
from commands.securityreads import AclView, NetworkAcls, VpcView

# What AWS allows in an ACL unless somebody asked for more, each way.
_ENTRIES = 20


def by_acl(wish: Wish, vpc: VpcView) -> Planning:
    read = NetworkAcls(vpc.id)
    seen = yield (read,)
    if isinstance(seen[read], Gap):
        return blocked(f"Block {wish.cidr}", (unread("Network ACLs", seen[read]),))
    acls = [acl for acl in seen[read] if set(acl.subnets) & set(vpc.subnets)]
    if not acls:
        value = f"no network ACL of {vpc.id} guards a subnet of the cluster"
        return blocked(f"Block {wish.cidr}", (Finding("block.none", "Network ACLs", Light.RED, value),))
    findings: list[Finding] = []
    tags: list[Step] = []
    entries: list[Step] = []
    for acl in acls:
        made = _of_acl(wish, acl)
        findings += [*made.findings, *_shared(acl, vpc)]
        tags += made.tags
        entries += made.steps
    before = (("vpc", vpc.id), ("until", wish.until), *((str(acl.target), _entries(acl)) for acl in acls))
    return replace(
        wish.plan(findings, Wave("Write the way back down", tuple(tags)), Wave("Deny", tuple(entries))),
        before=before,
    )


def _of_acl(wish: Wish, acl: AclView) -> Made:
    """A block whose worker died half way is completed: its note says which entries there were to be."""
    note = acl_note(acl.tags.get(acl_key(wish.cidr), ""))
    numbers: Mapping[bool, int] = dict(note.numbers) if note else {}
    if note is None:
        wanted = [is_egress for is_egress in (False, True) if not _denied(acl, wish.net, is_egress)]
        numbers = {is_egress: _free(acl, is_egress) for is_egress in wanted}
        if 0 in numbers.values():
            value = "its first entry that allows is number 1, so nothing goes before it"
            return Made((remark("block.number", acl, Light.RED, value, "Give that entry a higher number."),))
    missing = {e: n for e, n in numbers.items() if not _has(acl, wish.cidr, e, n)}
    if not missing:
        value = f"blocked until {note.until} by {note.request}" if note else "an entry denies it already"
        return Made((remark("block.already", acl, Light.GREEN, value),))
    tags = (
        ()
        if note
        else (
            _tag(
                acl, AclNote(wish.who.request, numbers.get(False, 0), numbers.get(True, 0), wish.until), wish
            ),
        )
    )
    steps = tuple(_deny(acl, wish.cidr, is_egress, number) for is_egress, number in missing.items())
    return Made(tuple(_crowded(acl, missing)), tags, steps)


def _tag(acl: AclView, note: AclNote, wish: Wish) -> Step:
    effect = Tag(acl.target, acl_key(wish.cidr), note.written())
    return Step(
        f"note {acl.target.name}", effect, f"{acl.target.name}: write down which entries are made, until when"
    )


def _deny(acl: AclView, cidr: str, is_egress: bool, number: int) -> Step:
    way, prep = ("out", "to") if is_egress else ("in", "from")
    first = _first(acl, is_egress)
    text = f"{acl.target.name}: entry {number} {way}: deny all traffic {prep} {cidr}"
    text += f" (the first that allows is {first})" if first else ""
    return Step(f"deny {acl.target.name} {way}", DenyEntry(acl.target, number, is_egress, cidr), text)


def _first(acl: AclView, is_egress: bool) -> int:
    """The lowest number that allows; 0 where none does."""
    return min((e.number for e in acl.entries if e.is_allow and e.is_egress == is_egress), default=0)


def _free(acl: AclView, is_egress: bool) -> int:
    """The highest number that is free before every entry that allows; 0 where there is none."""
    taken = {entry.number for entry in acl.entries if entry.is_egress == is_egress}
    below = (_first(acl, is_egress) or 100) - 1
    return next((number for number in range(below, 0, -1) if number not in taken), 0)


def _denied(acl: AclView, net: Net, is_egress: bool) -> bool:
    first = _first(acl, is_egress)
    return any(
        not e.is_allow
        and e.protocol == "-1"
        and ranges.around(e.cidr, net)
        and (not first or e.number < first)
        for e in acl.entries
        if e.is_egress == is_egress
    )


def _has(acl: AclView, cidr: str, is_egress: bool, number: int) -> bool:
    return any(
        (e.number, e.is_egress, e.is_allow, e.cidr) == (number, is_egress, False, cidr) for e in acl.entries
    )


def _shared(acl: AclView, vpc: VpcView) -> Iterator[Finding]:
    others = sorted(set(acl.subnets) - set(vpc.subnets))
    if others:
        value = f"guards {len(others)} more subnets, which are not the cluster's: {', '.join(others[:5])}"
        yield remark("block.shared", acl, Light.YELLOW, value)


def _crowded(acl: AclView, missing: Mapping[bool, int]) -> Iterator[Finding]:
    for is_egress in missing:
        count = sum(entry.is_egress == is_egress for entry in acl.entries)
        if count >= _ENTRIES:
            value = f"has {count} entries {'out' if is_egress else 'in'}; AWS allows {_ENTRIES} unless more was granted"
            yield remark("block.crowded", acl, Light.YELLOW, value)


def _entries(acl: AclView) -> str:
    def line(is_egress: bool) -> str:
        own = (e for e in acl.entries if e.is_egress == is_egress)
        return ", ".join(f"{e.number} {'allow' if e.is_allow else 'deny'} {e.cidr}" for e in own) or "none"

    return f"in: {line(False)}; out: {line(True)}"
