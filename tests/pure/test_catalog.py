"""The catalog: what it finds, and what it refuses to start with."""

import importlib
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from commands import words
from commands.catalog import BadCatalog, Catalog, Declared
from commands.command import Command, Due, Flag, Parts
from commands.errors import UsageError
from commands.model import Args
from commands.site import ClusterSite


def _nothing(args: Args, site: ClusterSite) -> Parts:
    return {}


HEALTH = Command(
    word="health",
    verbs=("", "slo"),
    summary="the morning check",
    rows=("DH-0.1", "DH-1.0"),
    parts=_nothing,
    examples=("health", "health slo --deep"),
    flags=(Flag("deep", "look twice"),),
    schedule=(Due("morning", "30 8 * * *", "health", "daily"),),
)
NODE = Command("node", ("list",), "the nodes", ("DH-2.1",), _nothing, ("node",), names="NODE")


def catalog(*commands: Command) -> Catalog:
    return Catalog(Declared(command, f"commands/{command.word}.py") for command in commands)


def test_what_it_knows() -> None:
    known = catalog(HEALTH, NODE)
    assert known.commands == tuple(known) == (HEALTH, NODE)
    assert known.find(Args("health", "slo")) is HEALTH
    assert known.parse("node").command is NODE
    assert known.schedule == HEALTH.schedule
    assert known.rows() == {"DH-0.1", "DH-1.0", "DH-2.1"}


@pytest.mark.parametrize("args", [Args("health", "gone"), Args("gone")])
def test_args_of_another_version_are_a_usage_error(args: Args) -> None:
    with pytest.raises(UsageError, match="no command of this version"):
        catalog(HEALTH).find(args)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"word": "helth"}, "`helth`: no such word"),
        ({"verbs": ()}, "no verbs"),
        ({"verbs": ("", "slo", "sol")}, "no verb `sol`"),
        ({"summary": " "}, "no summary"),
        ({"role": ""}, "no role"),
        ({"verbs": ("slo",), "examples": ()}, '`health slo`: no example: .*examples=\\("health slo",\\)'),
        ({"rows": ()}, "no row of the manual"),
        ({"rows": ("DH-0.1", "morning")}, "`morning` is no row id"),
        ({"flags": (Flag("deep", ""),)}, "flag --deep has no help"),
        ({"flags": (Flag("Deep", "x"), Flag("deep", "x"))}, "flag --Deep is not written in small letters"),
        ({"flags": (Flag("deep", "x"), Flag("since", "x"))}, "--since takes a value in one place"),
        (
            {"flags": (Flag("deep", "x"), Flag("deep", "x", "5"))},
            "--deep of `health` is declared in two ways",
        ),
        (
            {"flags": (Flag("deep", "x"), Flag("name", "x", "NAME", "n"))},
            "`-n` is both --namespace and --name",
        ),
        ({"examples": ("health", "health slp")}, "example `health slp` does not parse: .*Did you mean"),
        ({"examples": ("node",)}, "example `node` is answered by another command"),
        (
            {"schedule": (Due("morning", "30 8 * * *", "health app", "daily"),)},
            "scheduled `health app` does not",
        ),
        ({"schedule": (Due("morning", "30 8 * *", "health", "daily"),)}, "five cron fields"),
        ({"schedule": (Due("the morning", "30 8 * * *", "health", "daily"),)}, "a plain name"),
        ({"schedule": (Due("morning", "30 8 * * *", "health", ""),)}, "and a channel"),
        ({"schedule": HEALTH.schedule * 2}, "scheduled run `morning` is declared twice"),
    ],
)
def test_a_gap_stops_the_process_and_names_the_file(changed: dict[str, object], says: str) -> None:
    wrong = replace(HEALTH, **changed)  # type: ignore[arg-type]
    with pytest.raises(BadCatalog) as bad:
        Catalog([Declared(NODE, "commands/node.py"), Declared(wrong, "commands/health.py")])
    assert re.search(f"^commands/health.py: .*{says}", str(bad.value), re.MULTILINE)


def test_two_commands_for_one_verb() -> None:
    with pytest.raises(
        BadCatalog, match=r"commands/b.py: `health slo` is declared twice, also in commands/a.py"
    ):
        Catalog(
            [Declared(HEALTH, "commands/a.py"), Declared(replace(HEALTH, verbs=("slo",)), "commands/b.py")]
        )


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(BadCatalog) as bad:
        catalog(replace(HEALTH, summary=""), replace(NODE, rows=()))
    assert len(str(bad.value).splitlines()) == 2


# --- Finding --------------------------------------------------------------------------------------

_FILE = """
from commands.command import Command
COMMANDS = (Command("{word}", ("",), "about it", ("GE-1",), lambda args, site: {{}}, ("{word}",)),)
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package beside commands/, found and imported the same way; its name is this test's own."""
    folder = tmp_path / f"house_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def _package(folder: Path) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(folder.name)


def test_files_and_packages_that_define_commands_are_in_in_the_order_of_the_words(house: Path) -> None:
    (house / "a.py").write_text(_FILE.format(word="slo"))
    (house / "z").mkdir()
    (house / "z" / "__init__.py").write_text(_FILE.format(word="health"))
    (house / "z" / "inner.py").write_text("raise RuntimeError('only the package itself is looked at')")
    (house / "nouns.py").write_text("X = 1\n")
    loaded = Catalog.load(_package(house))
    assert [command.word for command in loaded.commands] == ["health", "slo", "help"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nowhere_at_all", "broken.py: does not import: ModuleNotFoundError: .*nowhere_at_all"),
        ("1 / 0", "broken.py: does not import: ZeroDivisionError"),
        ("def", "broken.py: does not import: SyntaxError"),
        ("COMMANDS = []", "broken.py: COMMANDS is not a tuple of Command"),
        ("COMMANDS = ('health',)", "broken.py: COMMANDS is not a tuple of Command"),
        (_FILE.format(word="helth"), "broken.py: `helth`: no such word"),
        (_FILE.format(word="help"), "`help` is declared twice"),
    ],
)
def test_a_broken_file_stops_the_process_and_is_named(house: Path, text: str, says: str) -> None:
    (house / "broken.py").write_text(text)
    with pytest.raises(BadCatalog, match=says):
        Catalog.load(_package(house))


# --- The real one ---------------------------------------------------------------------------------

REAL = Catalog.load()


def test_help_is_always_there() -> None:
    assert REAL.parse("").command.word == "help"


@pytest.mark.parametrize("command", REAL.commands, ids=lambda command: command.word)
def test_every_example_and_scheduled_line_parses_to_its_own_command(command: Command) -> None:
    for line in [*command.examples, *(due.text for due in command.schedule)]:
        assert REAL.parse(line).command is command


@pytest.mark.parametrize("command", REAL.commands, ids=lambda command: command.word)
def test_every_verb_built_has_help_text_a_role_and_a_row(command: Command) -> None:
    word = words.WORDS[command.word]
    assert command.role and command.rows and command.summary
    assert all(word.verb(verb) for verb in command.verbs if verb)
