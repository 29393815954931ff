"""Pieces of evidence as one text that opens anywhere, with a manifest by which each can be checked.

The manifest is what `sha256sum` prints. A piece is as many bytes as its heading says, so nothing that a log
line says can pass for another piece. The same pieces make the same text.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """name: "logs/backend.previous.log". note: what there is to know of it, such as that it was cut."""

    name: str
    text: str
    note: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def size(self) -> int:
        return len(self.text.encode())


def bundle(facts: Iterable[str], pieces: tuple[Piece, ...], lacking: tuple[str, ...]) -> str:
    """facts: the lines at the top. lacking: what was looked for and is not in it, each with the reason."""
    lines = [*facts, "", f"Pieces ({len(pieces)}), as `sha256sum` writes them:"]
    lines += [f"{piece.sha256}  {piece.name}" for piece in pieces]
    lines += ["", "Not in it:", *(lacking or ("nothing that was looked for",)), ""]
    held = "\n".join(lines) + "\n"
    for piece in pieces:
        note = f" · {piece.note}" if piece.note else ""
        held += f"===== {piece.name} · {piece.size} bytes{note} =====\n{piece.text}\n"
    return held
