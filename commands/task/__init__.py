"""`task`: what somebody is to do until a day, and decisions about changes."""

from commands.task.deciding import DECIDING
from commands.task.entering import ENTERING, NEW
from commands.task.listing import LISTING

COMMANDS = (LISTING, NEW, *ENTERING, DECIDING)
