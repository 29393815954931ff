"""Literal environment variables whose form is likely wrong, by rule. A value is never shown: it may be a secret.

Pure. Used by `debug startup` and for containers that end with an error of their own.
"""

import re
from collections.abc import Iterator, Mapping

from commands.finding import Finding, Light
from commands.triagereads import ContainerSpec

_REFERENCE = re.compile(r"(?<!\$)\$\((?P<name>[A-Za-z_][\w.-]*)\)")
_SHELL = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)\}")
_QUOTES = "\"'"
_PORT = re.compile(r"(?:.*_)?PORT")


def faults(env: Mapping[str, str], known: bool = True) -> tuple[str, ...]:
    """known: every variable of the container is a literal, so that what refers to no other is a mistake."""
    return tuple(line for name, value in env.items() for line in _of(name, value, env, known))


def _of(name: str, value: str, env: Mapping[str, str], known: bool) -> Iterator[str]:
    if value.endswith(("\n", "\r")):
        yield f"{name} ends with a line break"
    elif value != value.strip():
        yield f"{name} begins or ends with a space"
    if len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0]:
        yield f"{name} is in quotation marks, which are part of its value"
    for found in _REFERENCE.finditer(value):
        if found["name"] not in env and known:
            yield f"{name} refers to $({found['name']}), which is not set: it stays as it is written"
    for found in _SHELL.finditer(value):
        yield f"{name} has ${{{found['name']}}}: Kubernetes fills in $({found['name']}) only"
    if _PORT.fullmatch(name) and not _is_port(value.strip()):
        yield f"{name} is no port number"


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdigit() and 0 < int(value) < 65_536


def judged(container: ContainerSpec) -> tuple[Finding, ...]:
    found = faults(container.env, known=not container.refs)
    if not found:
        return ()
    return (Finding("T3-2.2", f"Environment of {container.name}", Light.YELLOW, found[0], evidence=found),)
