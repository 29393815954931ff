"""The project's own source as the drift tests read it: parsed once, never imported."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

PRODUCT = ("bot", "commands", "workers")


@dataclass(frozen=True)
class Module:
    """file: its path from the root; name: as it is imported."""

    file: str
    name: str
    tree: ast.Module

    def imports(self) -> list[str]:
        """Every module and name it imports, dotted; imports inside functions too."""
        return imports_of(self.tree)


def imports_of(tree: ast.AST) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return found


def is_within(name: str, *packages: str) -> bool:
    """`kubernetes.client` is within `kubernetes`; `kubernetes_asyncio` is not."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Of these packages, or of the product."""
    files = [file for package in packages or PRODUCT for file in sorted((ROOT / package).rglob("*.py"))]
    return tuple(_module(file.relative_to(ROOT)) for file in files)


@cache
def _module(file: Path) -> Module:
    name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    return Module(str(file), name, ast.parse((ROOT / file).read_text()))


def nodes(*packages: str) -> Iterator[tuple[Module, ast.AST]]:
    """Every node of every module."""
    for module in modules(*packages):
        for node in ast.walk(module.tree):
            yield module, node


@cache
def files() -> tuple[Path, ...]:
    """What is, or is about to be, in the repository; deleted ones are not."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(ROOT / name for name in sorted(set(listed.split("\0"))) if (ROOT / name).is_file())
