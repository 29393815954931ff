"""The Dockerfile, read by the engine's own parser and followed without an engine.

`follow` does in a folder what a build would do in its root: the same copies of the same files, the same RUN lines in
the same shell, each stage on what the stages before it left. The root of each stage in turn is at the same path, as in
an engine, so what refers to something left behind in an earlier stage is found out. Called by
tests/drift/test_dockerfile.py and tests/stories/test_image.py.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import dockerfile  # type: ignore[import-not-found]  # compiled, without stubs

ROOT = Path(__file__).parents[1]

# What a build on this machine needs to reach a package index.
_NETWORK = ("PIP_", "UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    commands: tuple[dockerfile.Command, ...]

    def of(self, *kinds: str) -> Iterator[dockerfile.Command]:
        return (each for each in self.commands if each.cmd in kinds)

    def last(self, kind: str) -> dockerfile.Command:
        return list(self.of(kind))[-1]


def stages() -> list[Stage]:
    """In their order; the last one is the image."""
    found: list[list[dockerfile.Command]] = []
    for each in dockerfile.parse_file(str(ROOT / "Dockerfile")):
        if each.cmd == "FROM":
            found.append([])
        found[-1].append(each)
    return [
        Stage(commands[0].value[2] if len(commands[0].value) > 2 else "", commands[0].value[0], tuple(commands[1:]))
        for commands in found
    ]  # fmt: skip


def copied(command: dockerfile.Command) -> tuple[str, tuple[str, ...], str]:
    """From which stage ("" is the build context), what, and where to."""
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in command.flags)
    return flags.get("from", ""), tuple(command.value[:-1]), command.value[-1]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets this file go to the builder. Only the patterns that the file uses are known."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    sent = True
    parts = Path(path).parts
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for rule in rules:
        pattern = rule.removeprefix("!")
        names = parts if pattern.startswith("**/") else above
        if any(fnmatch(name, pattern.removeprefix("**/")) for name in names):
            sent = rule.startswith("!")
    return sent


@dataclass
class Followed:
    """What a build left: the root of the last stage, and what its processes are given."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        return self.root / inside.removeprefix("/")


def follow(folder: Path) -> Followed:
    """Builds every stage below the folder. `python` of the base image is a virtual environment of this Python."""
    base, root = folder / "python", folder / "root"
    subprocess.run([sys.executable, "-m", "venv", base], check=True)
    built: dict[str, Followed] = {}
    for stage in stages():
        made = Followed(root, dict(built[stage.base].environment) if stage.base in built else _base(base))
        root.mkdir()
        _build(stage, made, built)
        if stage.name:
            built[stage.name] = Followed(root.rename(folder / stage.name), made.environment)
    return made


def _base(python: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(_NETWORK)}
    patient = {"PIP_RETRIES": "10", "UV_HTTP_RETRIES": "10"}
    return {**kept, **patient, "PATH": f"{python / 'bin'}:{os.defpath}"}


def _build(stage: Stage, made: Followed, built: Mapping[str, Followed]) -> None:
    folder = made.root
    for command in stage.commands:
        match command.cmd:
            case "ENV" | "ARG":
                pairs = zip(command.value[::2], command.value[1::2], strict=False)
                made.environment |= {name: _moved(value, made) for name, value in pairs}
            case "WORKDIR":
                folder = made.path(command.value[0])
                folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(command, made, folder, built)
            case "RUN":
                _run(command.value[0], folder, made.environment)


def _moved(value: str, made: Followed) -> str:
    """A path of the image is one below the folder, but /tmp is everybody's."""
    value = re.sub(r"\$(\w+)", lambda match: made.environment[match[1]], value)
    return re.sub(r"^(?=/opt/)", str(made.root), value)


def _copy(command: dockerfile.Command, made: Followed, folder: Path, built: Mapping[str, Followed]) -> None:
    stage, sources, target = copied(command)
    into = made.path(target) if target.startswith("/") else folder / target
    for source in sources:
        origin = built[stage].path(source) if stage else ROOT / source
        if origin.is_dir():
            shutil.copytree(
                origin, into, symlinks=True, ignore=None if stage else _unsent, dirs_exist_ok=True
            )
        else:
            shutil.copy2(origin, into)


def _unsent(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not is_sent(str((Path(folder) / name).relative_to(ROOT)))}


def _run(line: str, folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
