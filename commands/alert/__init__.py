"""`alert`: what fires, what is the matter with it, and what people do about it.

Each verb has its file; this one only lists them. What a diagnosis reads and says is in commands/triage/.
"""

from commands.alert import care, silence, triage, unsilence
from commands.command import Command

COMMANDS: tuple[Command, ...] = (triage.TRIAGE, *care.CARE, silence.SILENCE, unsilence.UNSILENCE)
