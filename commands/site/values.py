"""What a value of the site may be: a number between two, a text of a form, one or many. The loader enforces them.

Nothing here checks anything: bot/sitefile.py reads these annotations off the sections, and knows the forms by name.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Within:
    """A number (or a duration, in seconds) between these, both included unless `above`: then > low."""

    low: float
    high: float = float("inf")
    above: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with a form the loader knows by name; the empty text is allowed where `empty` says so."""

    name: str
    empty: bool = False


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """A list of which a single entry may be written without the brackets."""


Percent = Annotated[float, Within(0, 100)]
Share = Annotated[float, Within(0, 1)]
Amount = Annotated[float, Within(0)]
Factor = Annotated[float, Within(0, above=True)]
Count = Annotated[int, Within(0)]
Several = Annotated[int, Within(1)]
Span = Annotated[timedelta, Within(1)]
Port = Annotated[int, Within(1, 65535)]
Url = Annotated[str, Shape("url", empty=True)]
BaseUrl = Annotated[str, Shape("base url", empty=True)]  # a path is put behind it
Path = Annotated[str, Shape("path", empty=True)]
S3Url = Annotated[str, Shape("s3", empty=True)]
Channel = Annotated[str, Shape("channel", empty=True)]
Member = Annotated[str, Shape("member")]  # a Slack user or user-group id
User = Annotated[str, Shape("user")]  # a Slack user id
Namespace = Annotated[str, Shape("namespace")]
OwnNamespace = Annotated[str, Shape("namespace", empty=True)]  # "" inherits `namespaces.app`
Name = Annotated[str, Shape("name", empty=True)]  # of a Kubernetes object
Zone = Annotated[str, Shape("zone")]
Region = Annotated[str, Shape("region", empty=True)]
Members = Annotated[tuple[Member, ...], OneOrMany()]
Holders = Annotated[tuple[Annotated[str, Shape("owner")], ...], OneOrMany()]  # roles, or Slack ids
ChangeGlobs = Annotated[tuple[Annotated[str, Shape("changes")], ...], OneOrMany()]
Globs = Annotated[tuple[Annotated[str, Shape("glob")], ...], OneOrMany()]
Users = Annotated[tuple[User, ...], OneOrMany()]
ChannelOrKey = Annotated[str, Shape("place", empty=True)]  # a key of `channels`, or a channel
Mention = Annotated[str, Shape("mention", empty=True)]  # a key of `roles`, a Slack id, or "nobody"
Owner = Annotated[str, Shape("owner", empty=True)]
Matchers = Annotated[tuple[Annotated[str, Shape("matchers")], ...], OneOrMany()]  # in Alertmanager's words
Words = Annotated[tuple[str, ...], OneOrMany()]
Cidrs = Annotated[
    tuple[Annotated[str, Shape("cidr")], ...], OneOrMany()
]  # ranges of addresses, and single ones
NodeGlobs = Annotated[tuple[Annotated[str, Shape("nodes")], ...], OneOrMany()]  # names, or labels
