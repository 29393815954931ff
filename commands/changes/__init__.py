"""`change`: what changed, and what is going to.

Each verb has its file; this one only lists them. (The package is not called commands/change, which declares what a
changing command is.) How a running change is judged is in commands/watch.py and its neighbours.
"""

from commands.changes import recent
from commands.command import Command

COMMANDS: tuple[Command, ...] = (recent.RECENT,)
