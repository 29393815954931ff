"""What a block writes down where it is made, as tags of AWS: by it a block is found again and taken back.

AWS takes letters, digits, spaces and + - = . _ : / @ in a tag, 256 of them. Pure text in, values out; what
somebody else put there is None.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from commands.effects import GroupRule

_BLOCKED, _REVOKED = "sre-bot/blocked/", "sre-bot/revoked/"
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class AclNote:
    """inward, outward: numbers of the entries that the block made; 0 for none, because another denies it already."""

    request: str
    inward: int
    outward: int
    until: str

    @property
    def numbers(self) -> tuple[tuple[bool, int], ...]:
        """(is egress, number) of each entry."""
        pairs = ((False, self.inward), (True, self.outward))
        return tuple((is_egress, number) for is_egress, number in pairs if number)

    def written(self) -> str:
        return f"by={self.request} in={self.inward} out={self.outward} until={self.until}"


def acl_key(cidr: str) -> str:
    return f"{_BLOCKED}{cidr}"


def acl_note(text: str) -> AclNote | None:
    found = re.fullmatch(r"by=(\S+) in=(\d+) out=(\d+) until=(\S+)", text)
    return AclNote(found[1], int(found[2]), int(found[3]), found[4]) if found else None


@dataclass(frozen=True, slots=True)
class RuleNote:
    request: str
    rule: GroupRule
    until: str

    @property
    def key(self) -> str:
        """The same for the same rule, whatever its description."""
        rule = self.rule
        named = f"{rule.is_egress} {rule.protocol} {rule.low} {rule.high} {rule.cidr}"
        return f"{_REVOKED}{rule.cidr}/{hashlib.sha256(named.encode()).hexdigest()[:6]}"

    @property
    def is_whole(self) -> bool:
        """Whether the description fits beside the rest."""
        return len(self._text()) <= _LONGEST

    def written(self) -> str:
        return self._text() if self.is_whole else self._text("")

    def _text(self, said: str | None = None) -> str:
        rule = self.rule
        way = "out" if rule.is_egress else "in"
        told = base64.urlsafe_b64encode((rule.description if said is None else said).encode()).decode()
        return (
            f"by={self.request} {way} {rule.protocol} {rule.low} {rule.high} until={self.until} said={told}"
        )


def rule_note(key: str, text: str) -> RuleNote | None:
    if not key.startswith(_REVOKED):
        return None
    cidr = key.removeprefix(_REVOKED).rpartition("/")[0]
    found = re.fullmatch(r"by=(\S+) (in|out) (\S+) (-?\d+) (-?\d+) until=(\S+) said=(\S*)", text)
    if not found or not cidr:
        return None
    try:
        said = base64.urlsafe_b64decode(found[7]).decode()
    except ValueError:
        return None
    rule = GroupRule(found[2] == "out", found[3], int(found[4]), int(found[5]), cidr, said)
    return RuleNote(found[1], rule, found[6])


def policy_name(cidr: str) -> str:
    """Of the NetworkPolicy that excepts this range."""
    return "sre-bot-block-" + re.sub(r"[^0-9a-f]", "-", cidr.casefold())
