"""docs/commands.md is what the declarations say; tests/pure/test_settings.py holds docs/configuration.md."""

import os
from functools import cache

from commands.catalog import Catalog
from tests.drift import reference
from tests.drift.tree import ROOT

LIST = ROOT / "docs" / "commands.md"


@cache
def written() -> str:
    return reference.written()


def test_the_list_is_what_the_declarations_say() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        LIST.write_text(written())
    assert LIST.read_text() == written(), (
        "write it anew: UPDATE_GOLDEN=1 make test ARGS=tests/drift/test_reference.py"
    )


def test_every_verb_and_example_stands_there() -> None:
    lines = set(written().splitlines())
    for command in Catalog.load():
        assert f"### {command.word}" in lines
        assert [example for example in command.examples if f"/sre {example}" not in lines] == []
        typed = [" ".join(filter(None, (command.word, verb, command.names))) for verb in command.verbs]
        shown = written().replace("\\|", "|")
        assert [line for line in typed if f"| `{line}`" not in shown] == []


def test_the_rights_of_a_word_are_those_of_what_it_asks_for() -> None:
    of = {text.split("\n", 1)[0]: text for text in written().split("\n### ")}
    assert "- to look: get `pods/log`; list `pods`\n" in of["logs"]
    assert "create `pods/eviction`" in of["node"].partition("- to change: ")[2]
    assert "to change" not in of["health"]
    assert "Asks for nothing outside of the bot's own store." in of["task"]
