"""Tables of words that kubelets, runtimes, registries and the API server use, and what each of them means.

Tried in order, and the first pattern that is found counts. Used by creating.py, images.py, probes.py and refused.py,
each with a table of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from commands.wording import one_line


@dataclass(frozen=True, slots=True)
class Meaning:
    """kind: what else is looked at for it. text: what is the matter, with {name} for what a group of that name found.
    fix: what one does about it. row: the manual's, where each has its own."""

    kind: str
    text: str
    fix: str = ""
    row: str = ""

    def naming(self, words: Mapping[str, str]) -> "Meaning":
        """With what the words name in the places kept for it."""
        return replace(self, text=self.text.format(**words))


Table = tuple[tuple[str, Meaning], ...]


def known(
    table: Table, said: str, flags: int = re.DOTALL, longest: int = 200
) -> tuple[Meaning, Mapping[str, str]] | None:
    """What is meant, as the table has it, and what the words name beside it, of each so much."""
    for pattern, meaning in table:
        match = re.search(pattern, said, flags)
        if match:
            groups = match.groupdict()
            return meaning, {name: one_line(text or "", longest) for name, text in groups.items()}
    return None
