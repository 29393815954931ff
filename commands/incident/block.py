"""`incident block`: let no traffic through with a range of addresses, by network ACLs, security groups or policies.

Our own addresses are refused, and so is what is not known to be another's. The way back is written down before
anything is blocked (commands/incident/notes.py), so that no store of the bot's is needed for it. The ways are
aclblock.py, groupblock.py and policyblock.py.
"""

from dataclasses import replace
from datetime import timedelta

from commands import grammar
from commands.change import Change, Planning, Who, blocked
from commands.command import Command, Flag, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.incident import ranges
from commands.incident.aclblock import by_acl
from commands.incident.groupblock import by_group
from commands.incident.policyblock import by_policy, spaces
from commands.incident.proof import rehearsed
from commands.incident.seal import verify
from commands.incident.wish import Wish, unread
from commands.model import Args, Gap
from commands.phrase import span
from commands.reads import Now
from commands.securityreads import VpcView
from commands.site import ClusterSite
from commands.wording import one_line

HOWS = ("nacl", "sg", "netpol")
_USUAL = timedelta(hours=24)
_LEAST, _MOST = timedelta(minutes=15), timedelta(days=30)


def how(args: Args, site: ClusterSite) -> str:
    typed = args.flags.get("how", "nacl" if site.eks_name else "netpol").casefold()
    if typed not in HOWS:
        raise UsageError(f"`--how {one_line(typed, 30)}` is no way to block. Ways: nacl, sg, netpol.")
    if typed != "netpol" and not site.eks_name:
        raise UsageError(
            f"`--how {typed}` is AWS's, and cluster {site.name} is not on EKS. Use `--how netpol`."
        )
    return typed


def length(args: Args) -> timedelta:
    asked = grammar.duration(args.flags["for"]) if "for" in args.flags else _USUAL
    if not _LEAST <= asked <= _MOST:
        raise UsageError(f"`--for` takes from {span(_LEAST)} to {span(_MOST)}, such as 24h.")
    return asked


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    net, way, asked = ranges.wanted(args), how(args, site), length(args)
    seen = yield (Now(), *ranges.reads(site))
    if isinstance(seen[Now()], Gap):
        return blocked(f"Block {net}", (unread("Time", seen[Now()]),))
    no = ranges.refusals(net, site, seen)
    vpc = next((seen[read] for read in ranges.vpc_reads(site)), None)
    if vpc is None and way != "netpol":
        no = (*no, Finding("block.cluster", "Cluster", Light.RED, f"EKS knows no cluster {site.eks_name}"))
    if no:
        return blocked(f"Block {net}", no)
    wish = Wish(net, way, asked, seen[Now()], who)
    if way == "netpol":
        made = yield from by_policy(wish, site, args)
    else:
        assert isinstance(vpc, VpcView)
        made = yield from (by_acl(wish, vpc) if way == "nacl" else by_group(wish, vpc, site))
    made = replace(made, findings=(*made.findings, *ranges.cautions(net, site)))
    return (yield from rehearsed(made))


# --- The command ------------------------------------------------------------------------------------


def parts(args: Args, site: ClusterSite) -> Parts:
    ranges.wanted(args), how(args, site), length(args), spaces(site, args)
    return {}


BLOCK = Command(
    word="incident",
    verbs=("block",),
    summary="Let no traffic through with a range of addresses, for a while.",
    rows=("SI-2.5", "C42"),
    parts=parts,
    examples=("incident block 203.0.113.0/24", "incident block 203.0.113.7 --for 4h --how sg"),
    flags=(
        Flag("for", "until it is due to be lifted; 24h when left out", "24h"),
        Flag("how", "nacl (network ACL), sg (security group) or netpol (network policy)", "WAY"),
        Flag("namespace", "with netpol: where; those of the services when left out", "NAMESPACE", "n"),
    ),
    names="ADDRESSES",
    change=Change(plan, verify),
)
