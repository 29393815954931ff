"""Which address range is meant, and whether it may be blocked at all: never our own, and never everything.

Called by `incident block` and `incident unblock`.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_interface, ip_network

from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args, Gap, Reads, Seen
from commands.securityreads import ClusterVpc, Ranges, RangesView, VpcView
from commands.site import ClusterSite
from commands.wording import one_line

Net = IPv4Network | IPv6Network

# What a machine needs to work at all: itself, its link (DNS and metadata of AWS), groups, and no address.
_SPECIAL = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8"),
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
# Wider ranges than these hold many who did nothing.
_WIDE = {4: 16, 6: 32}


def wanted(args: Args) -> Net:
    """Raises UsageError over what is no range of addresses."""
    text, verb = args.name, args.verb
    if not text:
        raise UsageError(f"Which addresses? Type `incident {verb} 203.0.113.0/24`, or a single address.")
    try:
        if "%" in text:  # an address of one link of one machine
            raise ValueError
        net, typed = ip_network(text, strict=False), ip_interface(text).ip
    except ValueError:
        raise UsageError(
            f"`{one_line(text, 60)}` is no range of addresses. Type one such as 203.0.113.0/24 or 2001:db8::/32."
        ) from None
    if typed != net.network_address:
        raise UsageError(
            f"`{text}` names an address inside {net}. Type `{net}` for the range, "
            f"or `{typed}` for the address alone."
        )
    if isinstance(net, IPv6Network) and net.subnet_of(_MAPPED):
        raise UsageError(f"`{text}` is an IPv4 address in IPv6's clothes. Type it as IPv4.")
    return net


def reads(site: ClusterSite) -> Reads:
    """What tells which addresses are our own."""
    return (Ranges(), *vpc_reads(site))


def vpc_reads(site: ClusterSite) -> tuple[ClusterVpc, ...]:
    return (ClusterVpc(site.eks_name, site.nodegroups),) if site.eks_name else ()


def refusals(net: Net, site: ClusterSite, seen: Seen) -> tuple[Finding, ...]:
    """Why it may not be blocked, in red; what is not known to be another's is as good as our own."""
    found = [_red("block.own", why) for why in _special(net)]
    for read in reads(site):
        if isinstance(seen[read], Gap):
            gap = seen[read]
            why = f"unknown whether {net} is our own: {one_line(gap.reason)}"
            found.append(Finding("block.unread", "Own addresses", Light.RED, why, mend=gap.mend))
    found += [
        _red("block.own", f"{net} has to do with {what} ({own}): it would cut ourselves off")
        for own, what in _own(site, seen)
        if overlaps(net, own)
    ]
    return tuple(dict.fromkeys(found))


def _red(key: str, why: str) -> Finding:
    return Finding(key, "Own addresses", Light.RED, why, mend="Name a smaller range that is none of ours.")


def _special(net: Net) -> Iterator[str]:
    if net.prefixlen == 0:
        yield f"{net} is everybody"
    elif any(overlaps(net, special) for special in _SPECIAL):
        yield f"{net} has addresses that every machine needs for itself (loopback, link, multicast)"


def _own(site: ClusterSite, seen: Seen) -> Iterator[tuple[Net, str]]:
    yield from _nets(site.security.own_cidrs, "a network of `security.own_cidrs`")
    ranges = seen[Ranges()]
    if isinstance(ranges, RangesView):
        yield from _nets(ranges.pods, "the pods")
        yield from _nets(ranges.services, "the Services")
        yield from _nets(ranges.nodes, "a node")
    for read in vpc_reads(site):
        vpc = seen[read]
        if isinstance(vpc, VpcView):
            yield from _nets(vpc.cidrs, f"the VPC {vpc.id}")
            yield from _nets(vpc.services, "the Services")


def _nets(texts: Iterable[str], what: str) -> Iterator[tuple[Net, str]]:
    """Adjacent ones as one: a refusal names the network, and not each of a hundred nodes."""
    nets = [ip_network(text, strict=False) for text in texts]
    for net in collapse_addresses(each for each in nets if isinstance(each, IPv4Network)):
        yield net, what
    for six in collapse_addresses(each for each in nets if isinstance(each, IPv6Network)):
        yield six, what


def overlaps(one: Net, other: Net) -> bool:
    return one.version == other.version and one.overlaps(other)


def within(inner: str, outer: Net) -> bool:
    """Whether a range as AWS writes it lies in this one."""
    net = ip_network(inner, strict=False)
    return net.version == outer.version and net.subnet_of(outer)  # type: ignore[arg-type]


def around(outer: str, inner: Net) -> bool:
    net = ip_network(outer, strict=False)
    return net.version == inner.version and inner.subnet_of(net)  # type: ignore[arg-type]


def cautions(net: Net, site: ClusterSite) -> tuple[Finding, ...]:
    """What to think of before, in yellow."""
    found: list[Finding] = []
    if net.prefixlen < _WIDE[net.version]:
        many = (
            f"{net.num_addresses:,} addresses" if net.version == 4 else f"2^{128 - net.prefixlen} addresses"
        )
        found.append(Finding("block.wide", "Range", Light.YELLOW, f"{many}: many who did nothing among them"))
    if not site.security.own_cidrs:
        value = "no office or VPN is configured, so none of them is known to be outside of this range"
        found.append(
            Finding("block.offices", "Own addresses", Light.YELLOW, value, mend="Set `security.own_cidrs`.")
        )
    return tuple(found)


def said(net: Net) -> str:
    """ "203.0.113.0/24 (256 addresses)"."""
    if net.num_addresses == 1:
        return str(net.network_address)
    return f"{net} ({net.num_addresses:,} addresses)" if net.version == 4 else str(net)
