"""Blocks by network policies: one for each namespace, which opens everything but the range.

Policies only add up, so it is made where no other policy keeps anything closed: there it would open that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from commands.change import Planning, blocked
from commands.effects import ExceptTraffic, Target
from commands.enforcement import enforced
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.incident.notes import policy_name
from commands.incident.wish import Wish, unread
from commands.model import Args, Gap
from commands.plan import Step, Wave
from commands.podreads import Network, Policies, PolicyView
from commands.site import ClusterSite

_ENFORCED = "block.enforced"
# Written by `pod isolate`; a policy that excepts addresses leaves pods in quarantine out.
_QUARANTINE = "sre-bot-quarantine-"


def by_policy(wish: Wish, site: ClusterSite, args: Args) -> Planning:
    named = spaces(site, args)
    seen = yield (Network(), *(Policies(space) for space in named))
    gaps = [seen[Policies(space)] for space in named if isinstance(seen[Policies(space)], Gap)]
    if gaps:
        return blocked(f"Block {wish.cidr}", (unread("Network policies", gap) for gap in gaps))
    name = policy_name(wish.cidr)
    findings: list[Finding] = [enforced(_ENFORCED, seen[Network()])]
    steps: list[Step] = []
    for space in named:
        policies: tuple[PolicyView, ...] = seen[Policies(space)]
        if any(policy.target.name == name for policy in policies):
            findings.append(
                Finding("block.already", f"Namespace {space}", Light.GREEN, "is excepted already")
            )
            continue
        findings += _others(space, policies)
        effect = ExceptTraffic(Target("NetworkPolicy", space, name, ""), (), (wish.cidr,))
        text = f"{space}: every pod sends to and hears from everybody but {wish.cidr}"
        steps.append(Step(f"except {space}", effect, text))
    made = wish.plan(findings, Wave("Except", tuple(steps)))
    where = f" --namespace {args.flags['namespace']}" if "namespace" in args.flags else ""
    return replace(
        made, undo=f"{made.undo}{where}", before=(("until", wish.until), ("namespaces", ", ".join(named)))
    )


def spaces(site: ClusterSite, args: Args) -> tuple[str, ...]:
    if args.flags.get("namespace") == "all":
        raise UsageError(
            f"`incident {args.verb}` needs one namespace; left out, it is those of the configured services."
        )
    if "namespace" in args.flags:
        return (args.flags["namespace"],)
    return tuple(sorted({service.namespace for service in site.services.values()}))


def _others(space: str, policies: Iterable[PolicyView]) -> Iterator[Finding]:
    """Policies add up: one that opens all but a range undoes every other that keeps something closed."""
    own = [policy.target.name for policy in policies if not policy.target.name.startswith(_QUARANTINE)]
    if own:
        value = f"has policies of its own ({', '.join(own[:5])}); policies add up, so this one would open what they close"
        mend = "Use `--how nacl`, or except the range in those policies."
        yield Finding("block.adds", f"Namespace {space}", Light.RED, value, mend=mend)
