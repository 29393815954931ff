"""The schema of sre-bot.yaml as data: the keys of each mapping, read off commands/site.

The loader (bot/sitefile.py) walks along it, the nearest right key comes from it, and the drift test
holds docs/configuration.md and sre-bot.example.yaml to it. It knows no YAML and no values.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from commands.site import ClusterSite, Sections, Site

Where = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A key a mapping may have: how it is written, the attribute it fills, and what it takes."""

    name: str
    attribute: str
    hint: Any
    default: Any


def _default(of: "Field[Any]") -> Any:
    if of.default is not MISSING:
        return of.default
    return of.default_factory() if of.default_factory is not MISSING else MISSING


@cache
def keys_of(record: type) -> Mapping[str, Key]:
    """The keys of a dataclass by their YAML name; an attribute with the key "" is the loader's."""
    hints = get_type_hints(record, include_extras=True)
    found = [
        Key(of.metadata.get("key", of.name), of.name, hints[of.name], _default(of)) for of in fields(record)
    ]
    return {key.name: key for key in found if key.name}


def schema() -> Iterator[tuple[str, Any]]:
    """Every key path with its default, as docs/configuration.md lists them: "slo.latency.quantile",
    "services.<name>.port", "dependencies[].url". MISSING marks a key that must be given."""
    top = keys_of(Site)
    own = [key for name, key in keys_of(ClusterSite).items() if name not in keys_of(Sections)]
    for name, key in top.items():
        if name != "clusters":
            yield from _paths(name, key)
    yield "cluster", "one cluster"
    yield "clusters", "several clusters"
    for key in own:
        yield from _paths(f"cluster.{key.name}", key)


def _paths(path: str, key: Key) -> Iterator[tuple[str, Any]]:
    hint, _ = bare(key.hint)
    inside, within = _record_inside(hint)
    yield path, key.default
    if within is not None:
        for child in keys_of(within).values():
            yield from _paths(f"{path}{inside}.{child.name}", child)


def _record_inside(hint: Any) -> tuple[str, type | None]:
    if is_dataclass(hint) and isinstance(hint, type):
        return "", hint
    arguments = get_args(hint)
    if get_origin(hint) is Mapping:
        _, within = _record_inside(bare(arguments[1])[0])
        return ".<name>", within
    if get_origin(hint) is tuple:
        _, within = _record_inside(bare(arguments[0])[0])
        return "[]", within
    return "", None


def bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its Annotated constraints, and the constraints."""
    if get_origin(hint) is Annotated:
        inner, *constraints = get_args(hint)
        return inner, tuple(constraints)
    return hint, ()


def nearest(path: Where, siblings: list[str]) -> str:
    """The key path most likely meant by an unknown one: beside it first, then anywhere; "" for none."""
    name, parent = path[-1], ".".join(path[:-1])
    beside = difflib.get_close_matches(name, siblings, n=1, cutoff=0.7)
    if beside:
        return f"{parent}.{beside[0]}" if parent else beside[0]
    elsewhere: dict[str, list[str]] = {}
    for known, _ in schema():
        elsewhere.setdefault(known.rpartition(".")[2], []).append(known)
    near = difflib.get_close_matches(name, list(elsewhere), n=1, cutoff=0.85)
    if not near:
        return ""
    # Of several with that name, the one whose path reads most like the path given.
    return max(
        elsewhere[near[0]], key=lambda known: difflib.SequenceMatcher(None, ".".join(path), known).ratio()
    )
