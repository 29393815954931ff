"""The Kubernetes stand-in: an emulator of kube-apiserver with a little of the control plane behind it.

Used by tests, the sandbox and benchmarks through `KubeStandIn` and `build`; production code never imports
it. What it answers is checked against a real kube-apiserver by tests/standins/test_kube_contract.py.
"""

from sandbox.kube.behaviours import (
    Behaviour,
    ConfigError,
    CrashLoop,
    Healthy,
    ImagePullError,
    NeverReady,
    NeverTerminates,
    Unschedulable,
)
from sandbox.kube.controllers import Pace
from sandbox.kube.faults import Break, Drop, Fault, Forbid, Garble, Hang, Throttle
from sandbox.kube.proxy import ProxyAnswer, ProxyRequest
from sandbox.kube.server import LoggedRequest
from sandbox.kube.standin import KubeStandIn

__all__ = [
    "Behaviour",
    "Break",
    "ConfigError",
    "CrashLoop",
    "Drop",
    "Fault",
    "Forbid",
    "Garble",
    "Hang",
    "Healthy",
    "ImagePullError",
    "KubeStandIn",
    "LoggedRequest",
    "NeverReady",
    "NeverTerminates",
    "Pace",
    "ProxyAnswer",
    "ProxyRequest",
    "Throttle",
    "Unschedulable",
]
