"""`incident`: declare, lead, tell, resolve, and what is changed in one. Each verb in a file of its own."""

from commands.incident.block import BLOCK
from commands.incident.declare import DECLARE
from commands.incident.freeze import FREEZE
from commands.incident.rotate import ROTATE
from commands.incident.timeline import EXPORT, TIMELINE
from commands.incident.unblock import UNBLOCK
from commands.incident.unfreeze import UNFREEZE
from commands.incident.updating import DONE, SKIP, UPDATE

COMMANDS = (DECLARE, UPDATE, DONE, SKIP, TIMELINE, EXPORT, BLOCK, UNBLOCK, ROTATE, FREEZE, UNFREEZE)
