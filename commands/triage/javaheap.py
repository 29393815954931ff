"""What a JVM was told about its heap, against the memory limit of its container (C76): a judgement of texts."""

import re
from collections.abc import Iterable

from commands.finding import Finding, Light
from commands.phrase import mebibytes
from commands.triage.measured import share
from commands.triagereads import ContainerSpec

KEY = "TM-4.1"
MOST = 0.75  # of the limit: metaspace, threads and buffers need the rest
_OPTIONS = (
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "JAVA_OPTS",
    "JVM_OPTS",
    "CATALINA_OPTS",
)
_XMX = re.compile(r"-Xmx(\d+)([kKmMgGtT]?)\b")
_SHARE = re.compile(r"-XX:MaxRAMPercentage=(\d+(?:\.\d+)?)")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def told(spec: ContainerSpec) -> str:
    """Every option it is given; where one is given twice, the last wins."""
    return " ".join((*(spec.env.get(name, "") for name in _OPTIONS), spec.command))


def largest(text: str) -> float | None:
    """Bytes of -Xmx."""
    found = _XMX.findall(text)
    return float(found[-1][0]) * _UNITS[found[-1][1].casefold()] if found else None


def findings(spec: ContainerSpec, limit: float | None) -> Iterable[Finding]:
    text, label = told(spec), f"Heap of {spec.name}"
    heap = largest(text)
    part = _SHARE.findall(text)
    if heap and limit:
        yield _heap(label, heap, limit)
    elif part and float(part[-1]) > 100 * MOST:
        value = f"may become {part[-1]} % of the limit: the JVM needs memory beside its heap"
        yield Finding(KEY, label, Light.RED, value, f"≤ {share(MOST)} of the limit")
    elif part:
        yield Finding(KEY, label, Light.GREEN, f"at most {part[-1]} % of the limit")


def _heap(label: str, heap: float, limit: float) -> Finding:
    value = f"-Xmx is {mebibytes(heap)}, the container's limit {mebibytes(limit)}"
    threshold = f"≤ {share(MOST)} of the limit"
    if heap <= MOST * limit:
        return Finding(KEY, label, Light.GREEN, value, threshold)
    then = "it will be OOMKilled" if heap >= limit else "too little is left beside the heap"
    mend = f"use -XX:MaxRAMPercentage={100 * MOST:.0f} in place of -Xmx, or raise the limit"
    return Finding(KEY, label, Light.RED, f"{value}: {then}", threshold, (f"what to do: {mend}",))
