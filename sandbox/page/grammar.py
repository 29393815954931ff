"""The declared grammar as the page's message box completes it: words, verbs, names, flags, examples.

Derived from the commands alone, when the page asks first; nothing here is a list of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from commands.catalog import Catalog
from commands.command import Command, Flag
from commands.grammar import taken
from commands.words import SHORTCUTS, WORDS, Word

Json = dict[str, Any]


@functools.cache
def grammar() -> Json:
    """What can be typed after `/sre`; only what is built. A verb names its flags by their place in `flags`."""
    built = list(Catalog.load())
    words = [WORDS[name] for name in dict.fromkeys(each.word for each in built)]
    verbs = {(each.word, verb) for each in built for verb in each.verbs}
    flags = list(dict.fromkeys(flag for each in built for verb in each.verbs for flag in taken(each, verb)))
    return {
        "words": [_word(word, [each for each in built if each.word == word.name], flags) for word in words],
        "shortcuts": [
            {"name": each.name, "word": each.word, "verb": each.verb, "summary": each.text}
            for each in SHORTCUTS.values()
            if (each.word, each.verb) in verbs
        ],
        "flags": [{"name": each.name, "value": each.value, "help": each.help} for each in flags],
    }


def _word(word: Word, built: Iterable[Command], flags: list[Flag]) -> Json:
    verbs = [_verb(word, command, verb, flags) for command in built for verb in command.verbs]
    return {"name": word.name, "aliases": list(word.aliases), "summary": word.bare, "verbs": verbs}


def _verb(word: Word, command: Command, verb: str, flags: list[Flag]) -> Json:
    known = word.verb(verb)
    return {
        "name": verb,
        "summary": known.help if known else command.summary,
        "names": command.names,
        "flags": [flags.index(each) for each in taken(command, verb)],
        "examples": list(command.examples) if verb == command.verbs[0] else [],
        "change": command.change is not None,
    }
