"""Which commands need a right: found in the source of the commands themselves, so that it cannot go stale.

A read or effect is a class; a command needs it that makes one, in its own module or package or in what it imports
from the commands beside it. Reading it takes up to a second, so it is done only when something is missing.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock

import commands
from bot.rights import KubeNeed
from commands.needs import EFFECTS, READS, Action, Rule

_ROOT = Path(commands.__file__).parent

# What people type, where the package is called otherwise.
_CALLED: Mapping[str, str] = {"changes": "change"}
_ONE = Lock()  # probes ask side by side, and the source is read once
_FEW = 4  # so many are named; of more, how many they are


def wanted_by(need: KubeNeed | Action) -> str:
    """ "/sre health and /sre node"; "" where the source does not tell."""
    classes = {name for name, wants in _declared() if any(_is(want, need) for want in wants)}
    with _ONE:
        words = _made()
    found = [word for word, made in words.items() if made & classes]
    if len(found) > _FEW:
        return f"{len(found)} of the {len(words)} words of /sre"
    if not found:
        return ""
    named = [f"/sre {_CALLED.get(word, word)}" for word in found]
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]


def _declared() -> Iterator[tuple[str, tuple[Rule | Action, ...]]]:
    for kind, wants in (*READS.items(), *EFFECTS.items()):
        yield f"{kind.__module__}.{kind.__name__}", wants


def _is(want: Rule | Action, need: KubeNeed | Action) -> bool:
    if isinstance(want, Action) or isinstance(need, Action):
        return want == need
    return (want.verb, want.resource, want.group) == (need.verb, need.resource, need.group)


@lru_cache(maxsize=1)
def _made() -> Mapping[str, frozenset[str]]:
    """By word of the grammar, the reads and effects that its source makes."""
    texts = {_name(path): path.read_text() for path in sorted(_ROOT.rglob("*.py"))}
    classes = [name for name, _ in _declared()]
    here = {
        module: frozenset(name for name in classes if _makes(text, name)) for module, text in texts.items()
    }
    imports = {module: frozenset(_imports(text, texts)) for module, text in texts.items()}
    words = [module for module, text in texts.items() if module.count(".") == 1 and "\nCOMMANDS" in text]
    return {
        word.partition(".")[2]: frozenset().union(*(here[each] for each in _below(word, imports)))
        for word in words
    }


def _name(path: Path) -> str:
    parts = ("commands", *path.relative_to(_ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def _makes(text: str, name: str) -> bool:
    """Whether it calls the class: as `reads.Nodes(`, or as `Nodes(` where it has imported that one."""
    module, _, own = name.rpartition(".")
    if f"{own}(" not in text:
        return False
    if re.search(rf"\b{module.rpartition('.')[2]}\.{own}\(", text):
        return True
    is_imported = re.search(rf"^from {re.escape(module)} import [^)]*?\b{own}\b", text, re.MULTILINE)
    return bool(is_imported and re.search(rf"(?<![\w.]){own}\(", text))


def _imports(text: str, known: Mapping[str, str]) -> Iterator[str]:
    for module, names in re.findall(r"^from (commands[\w.]*) import (\([^)]*\)|.*)$", text, re.MULTILINE):
        yield from (each for each in (module, *_within(module, names)) if each in known)


def _within(module: str, names: str) -> Iterator[str]:
    yield from (f"{module}.{name}" for name in re.findall(r"\w+", names))


def _below(word: str, imports: Mapping[str, frozenset[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [word, *(module for module in imports if module.startswith(f"{word}."))]
    while waiting:
        module = waiting.pop()
        if module not in seen and module != "commands":
            seen.add(module)
            waiting += imports[module]
    return frozenset(seen)
