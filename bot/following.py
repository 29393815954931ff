"""What the bot asks for by itself because of a record: a look like any other, told in the thread of its card.

Nothing that would change something is asked for here: nobody wanted it. Used by bot/clerk.py for incidents and by
bot/changerecords.py for change requests.
"""

from datetime import datetime

from bot.state import new_id
from commands.catalog import Catalog
from commands.errors import UsageError
from commands.model import SCHEDULER, Place, Request, Section
from commands.site import Site

# What the ids of such requests begin with.
FOLLOWING = "F"


def following(
    catalog: Catalog, site: Site, line: str, cluster: str, place: Place, now: datetime
) -> Request | None:
    """None for a line that nothing answers yet, or that would change something."""
    try:
        parsed = catalog.parse(line)
        own = site.cluster_for("", cluster)
        parts = parsed.command.parts(parsed.args, own)
    except UsageError:
        return None
    if not parts or parsed.command.change is not None or parsed.command.immediate:
        return None
    return Request(
        id=new_id(FOLLOWING), text=line, args=parsed.args, actor=SCHEDULER, place=place, cluster=own.name, created=now,
        sections=tuple(Section(key, part.title) for key, part in parts.items()),
    )  # fmt: skip
