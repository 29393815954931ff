"""What a version stored, later ones read: the form of every record, as 0.6 wrote it, against the form of today.

tests/golden/stored-0.6.json is what the codecs of bot/state.py said then. It is written once, by the version it names, and
never again: an upgrade finds such records in Redis (docs/upgrading.md).
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.state import _CODECS, codec_of
from commands.model import AlertGroup
from commands.version import VERSION
from tests import build

GOLDEN = Path(__file__).parents[1] / "golden"
KEPT = sorted(GOLDEN.glob("stored-*.json"))

Form = dict[str, Any]

# Of a schema, what says what may stand there, and not how it is called.
_SAYS = (
    "$ref",
    "type",
    "anyOf",
    "items",
    "prefixItems",
    "additionalProperties",
    "properties",
    "required",
    "enum",
    "const",
    "format",
)


def forms() -> dict[str, Form]:
    return {kind: shorn(codec.json_schema(mode="serialization")) for kind, codec in _CODECS.items()}


def shorn(schema: Any) -> Any:
    if isinstance(schema, list):
        return [shorn(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: shorn(value)
        for key, value in schema.items()
        if key in _SAYS and key not in ("properties", "const")
    }
    kept |= {key: schema[key] for key in ("const",) if key in schema}
    if "properties" in schema:
        kept["properties"] = {name: shorn(value) for name, value in schema["properties"].items()}
    if "$defs" in schema:
        kept["$defs"] = {name: shorn(value) for name, value in schema["$defs"].items()}
    return kept


class Reading:
    """Whether what has the old form is read by the new one; what is not is named by its path."""

    def __init__(self, old: Form, new: Form) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str]] = set()

    def faults(self) -> list[str]:
        return list(self._differences(self._old, self._new, ""))

    def _differences(self, old: Any, new: Any, path: str) -> Iterator[str]:
        if "$ref" in old and "$ref" in new and (old["$ref"], new["$ref"]) in self._seen:
            return
        self._seen.add((old.get("$ref", ""), new.get("$ref", "")))
        old, new = self._meant(self._old, old), self._meant(self._new, new)
        if not new:  # anything
            return
        olds, news = old.get("anyOf", [old]), new.get("anyOf", [new])
        if "anyOf" in old or "anyOf" in new:
            for each in olds:
                if not any(
                    not list(Reading(self._old, self._new)._differences(each, one, "")) for one in news
                ):
                    yield f"{path}: {json.dumps(each)} is not taken any more"
            return
        yield from self._alike(old, new, path)

    def _alike(self, old: Form, new: Form, path: str) -> Iterator[str]:
        if old.get("type") != new.get("type") and (old.get("type"), new.get("type")) != ("integer", "number"):
            yield f"{path}: was {old.get('type')}, is {new.get('type')}"
            return
        if "enum" in new or "const" in new:
            gone = _words(old) - _words(new)
            yield from (f"{path}: {value} is not known any more" for value in sorted(gone))
        before, now = old.get("properties", {}), new.get("properties", {})
        yield from (f"{path}.{name}: has no default" for name in new.get("needed", []) if name not in before)
        for name in before.keys() & now.keys():
            yield from self._differences(before[name], now[name], f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                yield from self._differences(old[key], new[key], f"{path}[]")

    @staticmethod
    def _meant(whole: Form, part: Form) -> Form:
        return whole["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _words(form: Form) -> set[str]:
    """The values that may stand there, where they are counted up."""
    return {str(each) for each in form.get("enum", [form["const"]] if "const" in form else [])}


def today() -> dict[str, Form]:
    """The forms, each with what has no default: only reading knows that, writing gives every field."""
    found = forms()
    for kind, form in found.items():
        needed = codec_of(kind).json_schema(mode="validation")
        form["needed"] = needed.get("required", [])
        for name, own in form.get("$defs", {}).items():
            own["needed"] = needed.get("$defs", {}).get(name, {}).get("required", [])
    return found


def test_this_minor_version_left_its_forms() -> None:
    """Of a new minor version: UPDATE_GOLDEN=1 make test ARGS=tests/pure/test_stored_records.py writes them, once."""
    file = GOLDEN / f"stored-{VERSION.rpartition('.')[0]}.json"
    if os.environ.get("UPDATE_GOLDEN") and not file.exists():
        file.write_text(json.dumps(forms(), indent=None, separators=(",", ":"), sort_keys=True) + "\n")
    assert file.exists()


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_what_a_version_stored_is_read_by_this_one(file: Path) -> None:
    new = today()
    faults = {kind: Reading(old, new[kind]).faults() for kind, old in json.loads(file.read_text()).items()}
    assert {kind: found for kind, found in faults.items() if found} == {}


OLD: Form = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "how": {"$ref": "#/$defs/How"},
        "many": {"type": "array", "items": {"type": "integer"}},
    },
    "$defs": {"How": {"type": "string", "enum": ["well", "badly"]}},
}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, []),
        ({"needed": ["id", "more"]}, [".more: has no default"]),
        ({"$defs": {"How": {"type": "string", "enum": ["well", "so-so"]}}}, [".how: badly is not known any more"]),
        ({"$defs": {"How": {"type": "string", "enum": ["well", "badly", "so-so"]}}}, []),
        ({"properties": {"id": {"type": "integer"}}}, [".id: was string, is integer"]),
        ({"properties": {"id": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, []),
        ({"properties": {"many": {"type": "array", "items": {"type": "string"}}}}, [".many[]: was integer, is string"]),
    ],
)  # fmt: skip
def test_what_would_not_be_read_is_seen(changed: Form, fault: list[str]) -> None:
    assert Reading(OLD, OLD | changed).faults() == fault


def test_a_field_that_is_not_known_and_one_that_is_missing_stop_no_record() -> None:
    """So a version reads what the one after it wrote, and the one before."""
    codec, group = codec_of("alert"), build.group(build.alert())
    body = json.loads(codec.dump_json(group))
    later = json.dumps(body | {"of a later version": 1})
    assert codec.validate_json(later) == group
    optional = codec.json_schema(mode="validation")["properties"].keys() - set(
        codec.json_schema(mode="validation")["required"]
    )
    assert optional
    earlier = json.dumps({name: value for name, value in body.items() if name not in optional})
    assert isinstance(codec.validate_json(earlier), AlertGroup)
