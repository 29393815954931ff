"""Exit codes and signals in words, and which of the many reasons for one of them it was this time.

A table, and one pure function over how a container ended and what the cluster said. Used by crash.py.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from commands.model import Confidence
from commands.podreads import ContainerView, Ending, EventView

CODES: Mapping[int, str] = {
    0: "it ended by itself, without an error",
    1: "the application ended itself with an error",
    2: "the application ended itself with an error (a Go panic and a wrong flag end so)",
    125: "the container could not be run at all",
    126: "its command is there and cannot be executed: no permission, or no program",
    127: "its command was not found in the image",
    128: "the container could not be started",
    129: "SIGHUP", 130: "SIGINT: interrupted", 131: "SIGQUIT",
    132: "SIGILL: an instruction that this processor does not have",
    134: "SIGABRT: it aborted itself (a failed assertion, or the memory allocator)",
    135: "SIGBUS: memory that cannot be reached", 136: "SIGFPE: a division by zero",
    137: "SIGKILL: it was killed from outside",
    139: "SIGSEGV: a segmentation fault",
    141: "SIGPIPE: it wrote to what nobody reads",
    143: "SIGTERM: it was asked to stop",
    255: "the application ended with -1, or its node lost it",
}  # fmt: skip


def explained(code: int) -> str:
    if code in CODES:
        return CODES[code]
    if 128 < code < 192:
        return f"signal {code - 128}"
    return "the application ended itself with an error of its own"


@dataclass(frozen=True, slots=True)
class Why:
    """kind: oom, node-oom, reboot, liveness, startup, killed, asked, command, start, done, aborted or error."""

    kind: str
    text: str
    confidence: Confidence = Confidence.LIKELY


_PROBED = re.compile(r"Container (?P<name>\S+) failed (?P<probe>liveness|startup) probe, will be restarted")
_SYSTEM_OOM = ("SystemOOM", "OOMKilling")
_LOST_WITH_NODE = (137, 143, 255)  # how containers end that their node took with it
# What a node tells of an end comes this near to it; a kubelet that comes back says so minutes later.
_NEAR = timedelta(minutes=5)
_BACK = timedelta(minutes=15)
_STARTS = ("StartError", "ContainerCannotRun")


def why(
    container: ContainerView, ended: Ending, events: Sequence[EventView], of_node: Sequence[EventView] = ()
) -> Why:
    """Why it ended. events: of the pod; of_node: of its node."""
    probe = probed(container.name, of_run(events, ended))
    if ended.reason == "OOMKilled":
        return _out_of_memory(container)
    if ended.reason in _STARTS:
        return Why("start", "could not be started", Confidence.CERTAIN)
    if probe:
        return Why(probe, _probe_said(probe, ended.code), Confidence.CERTAIN)
    if may_be_its_nodes(ended) and any(_near(each, ended, _BACK) for each in _of(of_node, "Rebooted")):
        return Why("reboot", f"ended with its node, which was rebooted ({ended.code})")
    if ended.code == 137:
        return _killed(ended, of_node)
    return _by_code(ended.code)


def may_be_its_nodes(ended: Ending) -> bool:
    """Whether what its node went through may explain it: nothing else does."""
    return ended.code in _LOST_WITH_NODE and ended.reason != "OOMKilled"


def of_run(events: Iterable[EventView], ended: Ending) -> tuple[EventView, ...]:
    """Those since this run began: what ended an earlier one does not explain it."""
    begun = ended.started or (ended.finished - _BACK if ended.finished else None)
    return tuple(event for event in events if not begun or not event.last or event.last >= begun)


def _of(events: Iterable[EventView], *reasons: str) -> tuple[EventView, ...]:
    return tuple(event for event in events if event.reason in reasons)


def _near(event: EventView, ended: Ending, within: timedelta) -> bool:
    if ended.finished is None or event.last is None:
        return True
    return (event.first or event.last) - within <= ended.finished <= event.last + within


def probed(container: str, events: Sequence[EventView]) -> str:
    """ "liveness" or "startup", where the kubelet said that it restarts this container for that; else ""."""
    found = (_PROBED.search(event.message) for event in events if event.reason in ("Killing", "Unhealthy"))
    return next((match["probe"] for match in found if match and match["name"] == container), "")


def _out_of_memory(container: ContainerView) -> Why:
    if container.resources.memory_limit:
        return Why("oom", "was killed at its memory limit", Confidence.CERTAIN)
    return Why(
        "node-oom",
        "was killed because its node ran out of memory; it has no memory limit",
        Confidence.CERTAIN,
    )


def _probe_said(probe: str, code: int) -> str:
    how = {
        137: "and did not stop in its grace period (137: SIGKILL)",
        143: "and stopped when it was asked to (143: SIGTERM)",
        0: "and stopped when it was asked to (0)",
    }.get(code, f"and ended with {code}")
    return f"is restarted by the kubelet because its {probe} probe fails, {how}"


def _killed(ended: Ending, of_node: Sequence[EventView]) -> Why:
    if any(_near(event, ended, _NEAR) for event in _of(of_node, *_SYSTEM_OOM)):
        return Why("node-oom", "was killed with 137 while its node ran out of memory (the kernel chose it)")
    if ended.reason == "ContainerStatusUnknown":
        return Why("killed", "was lost with its node: nobody knows how it ended (137)", Confidence.POSSIBLE)
    return Why(
        "killed",
        "was killed (137: SIGKILL), not for its own memory limit as far as the kubelet knows: its grace period ended,"
        " or a process in it was killed over memory",
        Confidence.POSSIBLE,
    )  # fmt: skip


_BY_CODE: Mapping[int, tuple[str, str]] = {
    0: ("done", "ends by itself with success, again and again, and has to go on running"),
    126: ("command", "cannot execute its command (126): no permission to, or it is no program"),
    127: ("command", "does not find its command in the image (127)"),
    128: ("start", "could not be started (128)"),
    134: ("aborted", "aborts itself (134: SIGABRT)"),
    132: ("aborted", "uses an instruction its node's processor does not have (132: SIGILL)"),
    139: ("aborted", "crashes with a segmentation fault (139: SIGSEGV)"),
    143: ("asked", "stopped because it was asked to (143: SIGTERM)"),
    255: ("error", "ends with exit code 255"),
}  # fmt: skip


def _by_code(code: int) -> Why:
    kind, text = _BY_CODE.get(code, ("error", f"ends itself with exit code {code}"))
    return Why(kind, text, Confidence.POSSIBLE if kind == "asked" else Confidence.LIKELY)


_BACK_OFF = re.compile(r"back-off (?P<wait>(?:\d+h)?(?:\d+m)?(?:\d+s)?) restarting")


def back_off(message: str) -> str:
    """How long the kubelet waits before the next start: "5m0s" as it says it, "" where it does not."""
    found = _BACK_OFF.search(message)
    return found["wait"] if found else ""


# What a last line says of itself: words in it, and where one looks next.
HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"exec format error", re.I), "the image is of another processor architecture than the node"),
    (re.compile(r"address already in use|EADDRINUSE", re.I), "another process of the pod has that port"),
    (re.compile(r"OutOfMemoryError|heap out of memory|MemoryError", re.I),
     "the application's own heap is full, before the container's limit: raise its heap, or look for a leak"),
    (re.compile(r"no space left on device", re.I), "a disk of it is full"),
    (re.compile(r"permission denied for (?:database|schema|table|relation|sequence|function|view|language)", re.I),
     "its user of the database may not do that"),
    (re.compile(r"permission denied|EACCES|read-only file system|EROFS", re.I),
     "it may not write or run something: look at runAsUser, fsGroup and readOnlyRootFilesystem"),
    (re.compile(r"no such host|ENOTFOUND|name or service not known|could not resolve|temporary failure in name", re.I),
     "a name it needs does not resolve"),
    (re.compile(r"connection refused|ECONNREFUSED", re.I), "something it needs takes no connections"),
    (re.compile(r"password authentication failed|access denied for user|invalid (?:user|credentials)|\b401\b", re.I),
     "something it needs does not take its credentials"),
    (re.compile(r"certificate (?:verify|signed|has expired)|x509", re.I), "a certificate is not trusted or has expired"),
    (re.compile(r"KeyError: ['\"][A-Z][A-Z0-9_]+['\"]|(?i:environment variable|missing required|is not set|is required"
                r"|undefined variable)"), "a setting is missing"),
    (re.compile(r"ModuleNotFoundError|ImportError|Cannot find module|ClassNotFoundException|no such file", re.I),
     "a file or module is not in the image"),
    (re.compile(r"unknown (?:flag|option|command)|flag provided but not defined|unrecognized argument", re.I),
     "it does not know an argument it is started with"),
    (re.compile(r"deadline exceeded|timed? ?out|ETIMEDOUT", re.I), "something it needs does not answer in time"),
)  # fmt: skip


def hint(line: str) -> str:
    return next((said for words, said in HINTS if words.search(line)), "")


def is_about_permission(line: str) -> bool:
    return hint(line).startswith("it may not")
