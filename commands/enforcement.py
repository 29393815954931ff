"""Whether anything in the cluster enforces network policies: without it a policy is accepted and does nothing.

Called by the plans that make one: `pod isolate`, `incident block`, `incident freeze`.
"""

from commands.finding import Finding, Light
from commands.model import Gap
from commands.podreads import NetworkView
from commands.wording import unread

# Agents that always enforce, by the names that their makers give to their DaemonSets.
_ENFORCERS = (
    "antrea-agent", "calico-node", "canal", "cilium", "kube-ovn-cni", "kube-router", "ovnkube-node", "weave-net",
)  # fmt: skip
_VPC_CNI = "aws-node"
_VPC_FLAG = "--enable-network-policy"
_TURN_ON = 'set enableNetworkPolicy to "true" in the vpc-cni add-on, or use a security group that lets nothing through'


def enforced(key: str, answer: NetworkView | Gap) -> Finding:
    """Whether a NetworkPolicy does anything in this cluster."""
    if isinstance(answer, Gap):
        return unread(key, "Enforcement", answer)
    by = [agent.name for agent in answer.agents if agent.name in _ENFORCERS]
    switch = _vpc_switch(answer)
    if by or switch is True:
        value = f"network policies are enforced by {by[0] if by else 'the VPC CNI'}"
        return Finding(key, "Enforcement", Light.GREEN, value)
    if switch is False:
        value = "not enforced: network policies are off in the VPC CNI, so its traffic goes on"
        return Finding(key, "Enforcement", Light.YELLOW, value, mend=_TURN_ON)
    value = "unknown: nothing is there that is known to enforce network policies"
    return Finding(key, "Enforcement", Light.UNKNOWN, value, mend=_TURN_ON)


def _vpc_switch(view: NetworkView) -> bool | None:
    """What the VPC CNI was told; None where there is none, or it was told nothing."""
    if view.auto_mode:
        return view.auto_mode.casefold() == "true"
    for agent in view.agents:
        if agent.name == _VPC_CNI:
            return any(_is_on(arg) for arg in agent.args)
    return None


def _is_on(arg: str) -> bool:
    name, _, value = arg.partition("=")
    return name == _VPC_FLAG and value.strip("\"'").casefold() in ("true", "")
