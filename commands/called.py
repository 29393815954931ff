"""What people are called in an answer: by name where the bot has heard it, else by the id that Slack gave them.

Only for what is read in a finding or a file; a mention that calls somebody is drawn by the bot from the id.
"""

from collections.abc import Generator, Iterable, Mapping

from commands.alertreads import Called
from commands.model import Gap, Reads, Seen


def names_of(users: Iterable[str]) -> Generator[Reads, Seen, Mapping[str, str]]:
    """Their names by id, as far as they are known; nothing is read where there is nobody."""
    read = Called(tuple(sorted({user for user in users if user})))
    if not read.users:
        return {}
    found: Mapping[str, str] | Gap = (yield (read,))[read]
    return {} if isinstance(found, Gap) else found
