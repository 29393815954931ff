"""Which version of the bot this is: the one place, read by pyproject.toml, and by whoever tells it to others."""

VERSION = "0.6.0"
