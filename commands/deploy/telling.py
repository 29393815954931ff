"""How one fact and many facts of a kind are told by a finding."""

from collections.abc import Sequence


def told(lines: Sequence[str], together: str) -> tuple[str, tuple[str, ...]]:
    """value and evidence: a single line for itself, several as "3 things …" and themselves below."""
    return (lines[0], ()) if len(lines) == 1 else (f"{len(lines)} {together}", tuple(lines))
