"""`debug`: why something does not work, asked from the top of the stack to its bottom.

Each verb has its file; this one only lists them. The questions about pods are those of commands/triage/.
"""

from commands.command import Command
from commands.debug import database, errors, latency, layers, memory, network, startup

COMMANDS: tuple[Command, ...] = (
    layers.LAYERED,
    errors.ERRORS,
    latency.LATENCY,
    startup.STARTUP,
    database.DATABASE,
    memory.MEMORY,
    network.NETWORK,
)
