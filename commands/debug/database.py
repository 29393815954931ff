"""`debug db`: the databases as far as Prometheus sees them, and a list for their owner of what it does not."""

from commands.command import Command, Flag, Part, Parts
from commands.debug.verdict import inquiry
from commands.errors import UsageError
from commands.model import Args
from commands.site import ClusterSite
from commands.triage import database, served
from commands.triage.dbchecks import ENGINES
from commands.wording import one_line


def parts(args: Args, site: ClusterSite) -> Parts:
    about = served.typed(args, site)
    asking = database.diagnose(about, site, _engine(args))
    title = f"Databases of {about.name}"
    return {"db": Part(title, inquiry(asking, "db", title, "TD-0"))}


def _engine(args: Args) -> str:
    wanted = args.flags.get("engine", "").casefold()
    wanted = {"postgresql": "postgres", "mongo": "mongodb"}.get(wanted, wanted)
    names = [each.name for each in ENGINES]
    if wanted and wanted not in names:
        raise UsageError(f"`--engine {one_line(wanted, 40)}` is not known. Known: {', '.join(names)}.")
    return wanted


DATABASE = Command(
    word="debug",
    verbs=("db",),
    summary="Connections, pool, locks, slow statements and cache of PostgreSQL and MongoDB, by their exporters.",
    rows=(
        "TD-0", "TD-1.0", "TD-1.1", "TD-1.2", "TD-2.0", "TD-2.3", "TD-3.0", "TD-3.1", "TD-3.2", "TD-4.0", "TD-4.1",
        "TD-4.2", "TD-5.0", "TD-5.1", "TD-5.2", "TD-6.0", "TD-6.1", "TD-6.2", "T2-1.0", "T2-1.1", "T2-1.2", "T2-1.3",
        "C47",
    ),
    parts=parts,
    examples=("debug db", "debug db backend --engine postgres"),
    flags=(
        Flag("namespace", "where to look", "NAMESPACE", "n"),
        Flag("engine", "postgres or mongodb alone", "ENGINE"),
    ),
    names="NAME",
)  # fmt: skip
