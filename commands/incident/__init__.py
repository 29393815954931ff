"""`incident`: declare, lead, tell, resolve, and what is changed in one. Each verb in a file of its own."""

from commands.incident.declare import DECLARE

COMMANDS = (DECLARE,)
