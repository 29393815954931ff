"""`node`: the machines. Looking at them, closing them to new pods, and moving pods off them.

Each verb has its file; this one only declares them. Nothing here reads or changes anything itself.
"""

from commands.command import Command

COMMANDS: tuple[Command, ...] = ()
