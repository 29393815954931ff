"""Placeholder."""

from datetime import tzinfo

from commands.command import Command


def commands(others: tuple[Command, ...], zone: tzinfo) -> tuple[Command, ...]:
    return ()
