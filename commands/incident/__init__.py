"""`incident`: declare, lead, tell, resolve, and what is changed in one. Each verb in a file of its own."""

from commands.incident.block import BLOCK
from commands.incident.declare import DECLARE
from commands.incident.ending import ENDING
from commands.incident.freeze import FREEZE
from commands.incident.glass import GLASS
from commands.incident.lead import LEAD
from commands.incident.listing import LISTING
from commands.incident.merging import MERGING
from commands.incident.paging import PAGE
from commands.incident.postmortem import POSTMORTEM
from commands.incident.publishing import PUBLISHING
from commands.incident.resolving import RESOLVING
from commands.incident.rotate import ROTATE
from commands.incident.secure import SECURITY
from commands.incident.setting import SETTING
from commands.incident.status import STATUS
from commands.incident.steps import STEPS
from commands.incident.telling import TELLING
from commands.incident.timeline import EXPORT, TIMELINE
from commands.incident.unblock import UNBLOCK
from commands.incident.unfreeze import UNFREEZE
from commands.incident.updating import DONE, SKIP, UPDATE

COMMANDS = (
    LISTING, STATUS, DECLARE, SECURITY, *LEAD, PAGE, *STEPS, SETTING, *TELLING, *RESOLVING, *ENDING, *MERGING, *GLASS,
    POSTMORTEM, *PUBLISHING, UPDATE, DONE, SKIP, TIMELINE, EXPORT, BLOCK, UNBLOCK, ROTATE, FREEZE, UNFREEZE,
)  # fmt: skip
