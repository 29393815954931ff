"""`review metrics|weekly|monthly|mine|export`: what the numbers say of a window, and where they are going.

The numbers themselves are commands/numbers; here they are read, compared, judged against `targets:` and written down.
"""

from commands.command import Command
from commands.review import export, metrics, mine

COMMANDS: tuple[Command, ...] = (metrics.METRICS, metrics.WEEKLY, metrics.MONTHLY, mine.MINE, export.EXPORT)
