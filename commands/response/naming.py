"""What the channel of an incident is called: pure, from its id, its title and the site's template.

Slack takes lower-case letters, digits, "-" and "_", 80 characters at most, and no name twice, archived channels
included. Letters of any script are kept, accents are not; a workspace that takes ASCII alone gets the plain form.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import count

LONGEST = 80
_SLUG = 40  # of it for the title: what is longer is not read
_ACCENTS = range(0x0300, 0x0370)


def slug(text: str, *, is_plain: bool = False) -> str:
    """The letters and digits of a text with "-" between its words, "" where it has none; is_plain: ASCII alone."""
    lowered = unicodedata.normalize("NFKD", text.translate(_ALIKE)).lower()
    bare = "".join(letter for letter in lowered if ord(letter) not in _ACCENTS)
    joined = unicodedata.normalize("NFC", bare)
    kept = "".join(letter if _is_allowed(letter, is_plain=is_plain) else "-" for letter in joined)
    return _cut(re.sub(r"-{2,}", "-", kept).strip("-"), _SLUG)


# Two letters in one that NFKD does not take apart.
_ALIKE = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "œ": "oe", "Œ": "oe", "ł": "l", "Ł": "l"}
)


def _is_allowed(letter: str, *, is_plain: bool) -> bool:
    if letter.isascii():
        return letter.isalnum()
    kind = unicodedata.category(
        letter
    )  # a mark belongs to the letter before it; capitals that have no small one go
    return not is_plain and (kind in ("Ll", "Lo", "Lm", "Nd") or kind[0] == "M")


def _cut(text: str, most: int) -> str:
    """At the end of a word where that leaves most of it."""
    if len(text) <= most:
        return text
    whole = text[: most + 1].rpartition("-")[0]
    return (whole if len(whole) > most // 2 else text[:most]).rstrip("-")


def names(id: str, title: str, template: str, *, is_plain: bool = False) -> Iterator[str]:
    """The names to try, one after another: with "-2", "-3" … where the one before is taken.

    template: with {date} ("20261123"), {nnn} ("001") and {slug}. A title without a letter goes by the word
    "incident".
    """
    _, _, rest = id.partition("-")
    day, _, number = rest.rpartition("-")
    named = template.format(
        date=day.replace("-", ""), nnn=number, slug=slug(title, is_plain=is_plain) or "incident"
    )
    first = _cut(named, LONGEST)
    yield first
    numbered = (f"{_cut(named, LONGEST - len(str(again)) - 1)}-{again}" for again in count(2))
    yield from (name for name in numbered if name != first)
