"""Answers what is asked of the bot's own records of tasks. Called by workers/reader.py."""

from typing import Any

from bot.taskrecords import TaskRecords
from commands.model import Read
from commands.responsereads import Tasks, TasksOf
from workers import ownstore


class TasksSource:
    def __init__(self, tasks: TaskRecords) -> None:
        self._tasks = tasks

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((TasksOf, Tasks),)

    def read(self, read: Read, deadline: float) -> Any:
        with ownstore.asked():
            match read:
                case TasksOf():
                    return self._tasks.of_incident(read.incident)
                case Tasks():
                    return self._tasks.told(read.since)
        raise LookupError(f"not a read of the tasks: {read}")
