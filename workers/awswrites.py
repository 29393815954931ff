"""Changes addresses and credentials in AWS: entries of network ACLs, rules of security groups, their tags, sessions
of roles, the rotation of secrets. Nothing else in the bot changes anything there.

Each looks first, says `Already` or `Moved` where that decides it, and sends one call. A call that was taken and
whose answer was lost is found done by the next look. Called by workers/effects.py with approved effects.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from botocore.exceptions import ClientError

from commands.effects import (
    Already,
    DenyEntry,
    Done,
    DropEntry,
    GrantRule,
    GroupRule,
    Moved,
    Outcome,
    Rejected,
    RevokeRule,
    RevokeSessions,
    RotateSecret,
    Tag,
    Untag,
)
from commands.errors import Refused
from commands.securityreads import AclEntry
from workers import awssecurity
from workers.awslink import ask, code_of, listed

# What EC2 answers to a dry run that it would have taken.
_WOULD = "DryRunOperation"
_TAKEN = "NetworkAclEntryAlreadyExists"
_NO_ENTRY = "InvalidNetworkAclEntry.NotFound"
_DUPLICATE = "InvalidPermission.Duplicate"
_NO_RULE = "InvalidPermission.NotFound"
_SECONDS = 5


class AwsWrites:
    """What may be changed in the AWS of one cluster."""

    def __init__(self, region: str) -> None:
        self._region = region

    # Tags.

    def tag(self, effect: Tag, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            value = self._tag_of(effect.target.name, effect.key, deadline)
            if value is not None:
                return Already("is noted already") if value == effect.value else _another(effect)
            tags = [{"Key": effect.key, "Value": effect.value}]
            return self._ec2("create_tags", deadline, is_rehearsal, Resources=[effect.target.name], Tags=tags)

        return _outcome(go)

    def untag(self, effect: Untag, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            value = self._tag_of(effect.target.name, effect.key, deadline)
            if value is None:
                return Already("is gone")
            if value != effect.value:
                return _another(effect)
            tags = [{"Key": effect.key, "Value": effect.value}]
            return self._ec2("delete_tags", deadline, is_rehearsal, Resources=[effect.target.name], Tags=tags)

        return _outcome(go)

    def _tag_of(self, resource: str, key: str, deadline: float) -> str | None:
        wanted = [{"Name": "resource-id", "Values": [resource]}, {"Name": "key", "Values": [key]}]
        found = ask("ec2", "describe_tags", self._region, deadline, seconds=_SECONDS, Filters=wanted)
        held = listed(found, "Tags", "ec2:DescribeTags")
        return next((str(each.get("Value", "")) for each in held if each.get("Key") == key), None)

    # Network ACLs.

    def deny_entry(self, effect: DenyEntry, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def look() -> Outcome | None:
            view = awssecurity.acl(self._region, effect.target.name, deadline)
            if view is None:
                return Moved(f"{effect.target} is gone")
            own = [each for each in view.entries if each.is_egress == effect.is_egress]
            there = next((each for each in own if each.number == effect.number), None)
            if there is not None:
                return Already("is denied already") if _denies(there, effect) else _number_taken(effect)
            first = min((each.number for each in own if each.is_allow), default=effect.number + 1)
            if first < effect.number:
                return Moved(f"{effect.target}: entry {first} allows before {effect.number} now")
            return None

        def go() -> Outcome:
            done = look()
            if done is not None:
                return done
            more = {"Protocol": "-1", "RuleAction": "deny", **_range(effect.cidr)}
            named = _entry(effect)
            try:
                return self._ec2(
                    "create_network_acl_entry", deadline, is_rehearsal, frozenset({_TAKEN}), **named, **more
                )
            except ClientError:
                return look() or _number_taken(effect)

        return _outcome(go)

    def drop_entry(self, effect: DropEntry, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            view = awssecurity.acl(self._region, effect.target.name, deadline)
            places = [(each.is_egress, each.number) for each in view.entries] if view else []
            if view is None or (effect.is_egress, effect.number) not in places:
                return Already("is gone")
            if not _denies(view.entries[places.index((effect.is_egress, effect.number))], effect):
                return Moved(f"{effect.target}: entry {effect.number} says something else now")
            try:
                return self._ec2(
                    "delete_network_acl_entry",
                    deadline,
                    is_rehearsal,
                    frozenset({_NO_ENTRY}),
                    **_entry(effect),
                )
            except ClientError:
                return Already("is gone")

        return _outcome(go)

    # Security groups.

    def revoke_rule(self, effect: RevokeRule, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            if not self._has(effect, deadline):
                return Already("is gone")
            action = f"revoke_security_group_{_way(effect.rule)}"
            return self._of_group(effect, action, "", deadline, is_rehearsal, _NO_RULE, Already("is gone"))

        return _outcome(go)

    def grant_rule(self, effect: GrantRule, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            there = self._has(effect, deadline)
            if there is None:
                return Moved(f"{effect.target} is gone")
            known = Already("is there already")
            if there:
                return known
            action, said = f"authorize_security_group_{_way(effect.rule)}", effect.rule.description
            return self._of_group(effect, action, said, deadline, is_rehearsal, _DUPLICATE, known)

        return _outcome(go)

    def _has(self, effect: RevokeRule | GrantRule, deadline: float) -> bool | None:
        """None where there is no such group."""
        view = awssecurity.group(self._region, effect.target.name, deadline)
        wanted = replace(effect.rule, description="")
        return None if view is None else wanted in {replace(each, description="") for each in view.rules}

    def _of_group(
        self, effect: RevokeRule | GrantRule, action: str, said: str, deadline: float,
        is_rehearsal: bool, code: str, known: Outcome,
    ) -> Outcome:  # fmt: skip
        permission = _permission(effect.rule, said)
        try:
            return self._ec2(
                action, deadline, is_rehearsal, frozenset({code}),
                GroupId=effect.target.name, IpPermissions=[permission],
            )  # fmt: skip
        except ClientError:
            return known

    # Credentials. IAM and Secrets Manager have no dry run: a rehearsal looks, and that is all.

    def revoke_sessions(self, effect: RevokeSessions, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            view = awssecurity.role(self._region, effect.target.uid, effect.policy, deadline)
            if view is None:
                return Moved(f"{effect.target} is gone")
            if view.denied_before >= effect.before:
                return Already(f"denies sessions from before {view.denied_before} already")
            if is_rehearsal:
                return Done("looked at only: IAM has no dry run")
            document = orjson.dumps(_denial(effect.before)).decode()
            named: dict[str, Any] = {"RoleName": effect.target.name, "PolicyName": effect.policy}
            arn = effect.target.uid
            ask("iam", "put_role_policy", self._region, deadline, arn=arn, seconds=_SECONDS,
                PolicyDocument=document, **named)  # fmt: skip
            return Done()

        return _outcome(go)

    def rotate_secret(self, effect: RotateSecret, deadline: float, is_rehearsal: bool = False) -> Outcome:
        def go() -> Outcome:
            view = awssecurity.secret(self._region, effect.target.uid, deadline)
            if view is None:
                return Moved(f"{effect.target} is gone")
            if effect.token in view.versions:
                return Already("its rotation began already")
            if not view.is_rotated:
                return Moved(f"{effect.target} has no rotation any more")
            if is_rehearsal:
                return Done("looked at only: Secrets Manager has no dry run")
            named: dict[str, Any] = {"SecretId": effect.target.uid, "ClientRequestToken": effect.token}
            arn = effect.target.uid
            ask("secretsmanager", "rotate_secret", self._region, deadline, arn=arn, seconds=_SECONDS, **named)
            return Done()

        return _outcome(go)

    def _ec2(
        self,
        action: str,
        deadline: float,
        is_rehearsal: bool,
        passed: frozenset[str] = frozenset(),
        **arguments: Any,
    ) -> Outcome:
        """Raises ClientError over the codes in `passed`."""
        try:
            ask("ec2", action, self._region, deadline, passed=passed | {_WOULD}, seconds=_SECONDS,
                DryRun=is_rehearsal, **arguments)  # fmt: skip
        except ClientError as error:
            if code_of(error) != _WOULD:
                raise
        return Done()


def _outcome(go: Callable[[], Outcome]) -> Outcome:
    """A refusal in AWS's words is an outcome; no answer at all is raised, and to try again is right."""
    try:
        return go()
    except Refused as error:
        return Rejected(error.reason, error.mend)


def _another(effect: Tag | Untag) -> Moved:
    return Moved(f"{effect.target} has another note under {effect.key} now")


def _number_taken(effect: DenyEntry) -> Moved:
    return Moved(f"{effect.target}: the number {effect.number} was given to another entry meanwhile")


def _denies(entry: AclEntry, effect: DenyEntry | DropEntry) -> bool:
    return (entry.is_allow, entry.protocol, entry.cidr) == (False, "-1", effect.cidr)


def _entry(effect: DenyEntry | DropEntry) -> dict[str, Any]:
    return {
        "NetworkAclId": effect.target.name,
        "RuleNumber": effect.number,
        "Egress": effect.is_egress,
    }


def _range(cidr: str) -> dict[str, str]:
    return {"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr}


def _way(rule: GroupRule) -> str:
    return "egress" if rule.is_egress else "ingress"


def _permission(rule: GroupRule, said: str) -> dict[str, Any]:
    key, name = ("Ipv6Ranges", "CidrIpv6") if ":" in rule.cidr else ("IpRanges", "CidrIp")
    held = {name: rule.cidr, **({"Description": said} if said else {})}
    ports = {"FromPort": rule.low, "ToPort": rule.high} if rule.protocol != "-1" else {}
    return {"IpProtocol": rule.protocol, **ports, key: [held]}


def _denial(before: str) -> dict[str, Any]:
    """As the console's "Revoke active sessions" writes it."""
    statement = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": before}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
