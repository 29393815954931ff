"""Names looked up and ports tried from the worker, judged: what did not resolve, refused, or took too long.

No ICMP, which a ClusterIP never answers, and nothing run in a pod. Used by network.py.
"""

from collections.abc import Sequence
from datetime import timedelta

from commands.finding import Finding, Light, worst
from commands.model import Gap
from commands.phrase import counted
from commands.triagereads import Connected, Resolved
from commands.wording import Fact, one_line, took, unread, worst_first

TIMES = 10  # a name is asked for
SLOW = timedelta(milliseconds=100)
_SHOWN = 5


def p95(lengths: Sequence[timedelta]) -> timedelta:
    ranked = sorted(lengths)
    return ranked[min(len(ranked) - 1, int(len(ranked) * 0.95))]


def name(key: str, host: str, found: Sequence[Resolved] | Gap, expected: Sequence[str] = ()) -> Finding:
    """expected: the addresses it should have; () where any will do."""
    label, threshold = f"Name {host}", f"≤ {took(SLOW)}"
    if isinstance(found, Gap):
        return unread(key, label, found, threshold)
    failed = [each for each in found if each.error]
    if failed or not found:
        said = one_line(failed[0].error) if failed else "nothing was answered"
        value = f"{len(failed)} of {counted(len(found), 'look-up')} failed: {said}"
        return Finding(key, label, Light.RED, value, threshold)
    addresses = sorted({address for each in found for address in each.addresses})
    other = sorted(set(addresses) - set(expected)) if expected else []
    if other:
        value = f"resolves to {', '.join(other[:3])}, the Service is {', '.join(expected[:3])}"
        return Finding(key, label, Light.RED, value, threshold)
    slowest = max(each.took for each in found)
    value = f"{', '.join(addresses[:3])} in {took(slowest)} at most, asked {counted(len(found), 'time')}"
    return Finding(key, label, Light.YELLOW if slowest > SLOW else Light.GREEN, value, threshold)


def ports(key: str, label: str, found: Sequence[tuple[str, Connected | Gap]]) -> Finding:
    """Each by whose port it is ("web-7 10.0.3.9:8080 on n1")."""
    if not found:
        return Finding(key, label, Light.UNKNOWN, "there is no port to try")
    facts = [_port(who, answer) for who, answer in found]
    open_ = [answer.took for _, answer in found if isinstance(answer, Connected) and not answer.error]
    light = worst([light for light, _ in facts])
    value = f"{len(open_)} of {counted(len(found), 'port')} open"
    value += f", p95 {took(p95(open_))}" if open_ else ""
    bad = [fact for fact in facts if fact[0] is not Light.GREEN]
    mend = next((answer.mend for _, answer in found if isinstance(answer, Gap)), "")
    return Finding(key, label, light, value, evidence=worst_first(bad), mend=mend)


def _port(who: str, answer: Connected | Gap) -> Fact:
    if isinstance(answer, Gap):
        return Light.UNKNOWN, f"{who}: not tried, {one_line(answer.reason)}"
    if answer.error:
        return Light.RED, f"{who}: {answer.error}"
    light = Light.YELLOW if answer.took > SLOW else Light.GREEN
    return light, f"{who}: open after {took(answer.took)}"
