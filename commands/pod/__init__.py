"""`pod`: single pods. Looking at them, keeping what they leave behind, cutting them off, deleting them.

Each verb has its file; this one only declares them. Nothing here reads or changes anything itself.
"""

from commands.command import Command
from commands.pod import changes, evidence, looks

COMMANDS: tuple[Command, ...] = (*looks.LOOKS, *evidence.EVIDENCE, *changes.CHANGES)
