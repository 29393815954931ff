"""What a block is asked for, and the parts of its plan that every way of blocking shares.

Called by the ways: aclblock.py, groupblock.py, policyblock.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from commands.change import Who
from commands.finding import Finding, Light
from commands.incident import ranges
from commands.incident.proof import waves
from commands.incident.ranges import Net
from commands.model import Gap
from commands.phrase import span
from commands.plan import Plan, Step, Wave
from commands.securityreads import AclView, GroupView
from commands.wording import one_line


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: the range, the way, and until when."""

    net: Net
    how: str
    length: timedelta
    now: datetime
    who: Who

    @property
    def cidr(self) -> str:
        return str(self.net)

    @property
    def until(self) -> str:
        """RFC 3339; counts from when the plan is made, which is once more when it was approved."""
        return (self.now + self.length).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def plan(self, findings: Iterable[Finding], *made: Wave, **more: tuple[str, ...]) -> Plan:
        steps = waves(*made)
        touched = tuple(dict.fromkeys(step.effect.target for wave in steps for step in wave.steps))
        return Plan(
            title=f"Block {ranges.said(self.net)} by {_NAMES[self.how]}",
            findings=tuple(findings),
            waves=steps,
            facts=(
                f"due to be lifted at {self.until} ({span(self.length)}): `incident unblock {self.cidr}`",
            ),
            scope=(f"block {self.cidr} by {self.how} for {span(self.length)}", *(map(str, touched))),
            undo=f"incident unblock {self.cidr}",
            locks=(f"block/{self.cidr}", *(f"addresses/{each.path}" for each in touched)),
            timeout=timedelta(minutes=5),
            **{"stays": _STAYS[self.how], **more},  # type: ignore[arg-type]
        )


_NAMES = {"nacl": "network ACL", "sg": "security group", "netpol": "network policy"}
_STAYS = {
    "nacl": ("what comes by way of somebody else's proxy or CDN, whose addresses the subnets see",),
    "sg": ("connections that are open may go on until they end",),
    "netpol": (
        "pods that use the network of their node, and what a load balancer sends under its own address",
        "connections that are open may go on until they end",
    ),
}


@dataclass(frozen=True, slots=True)
class Made:
    findings: tuple[Finding, ...] = ()
    tags: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()


def remark(key: str, of: AclView | GroupView, light: Light, value: str, mend: str = "") -> Finding:
    return Finding(key, str(of.target), light, value, mend=mend)


def unread(label: str, gap: Gap) -> Finding:
    return Finding("block.unread", label, Light.RED, f"unknown: {one_line(gap.reason)}", mend=gap.mend)
