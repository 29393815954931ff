"""Environment variables: bot/settings.py reads them, VARIABLES names them, docs/configuration.md explains them."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from bot.settings import VARIABLES
from tests.drift.tree import ROOT, modules

# Where os.environ may be touched: the starts hand it to bot/settings.py.
READERS: Mapping[str, str] = {
    "bot/__main__.py": "hands it to settings and to the doctor",
    "bot/config.py": "hands it to settings, with the file that was typed",
    "workers/__main__.py": "hands it to settings",
    "workers/api.py": "finds the kubeconfig as kubectl does when settings name none",
}

# Set by the platform and not by whoever runs the bot.
PLATFORM: Mapping[str, str] = {"KUBERNETES_SERVICE_HOST": "Kubernetes sets it in every pod"}

WSGI = ("bot/web.py", "workers/port.py")  # their `environ` is a request


def variables(tree: ast.AST) -> Iterator[str]:
    """Names read by environ["X"], environ.get("X"), "X" in environ, getenv("X"), whatever holds the environ."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=held, slice=ast.Constant(value=str(name))) if is_environ(held):
                yield name
            case ast.Call(func=ast.Attribute(value=held), args=[ast.Constant(value=str(name)), *_]) if (
                is_environ(held)
            ):
                yield name
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[held]) if is_environ(held):
                yield name
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def is_environ(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) and re.search("environ$", named(node)) is not None


def named(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def touches_environment(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv")
        for node in ast.walk(tree)
    )


def test_every_variable_that_is_read_is_named_and_documented() -> None:
    read = {name for module in modules() if module.file not in WSGI for name in variables(module.tree)}
    settings = next(module for module in modules("bot") if module.file == "bot/settings.py")
    read |= {  # self._secret("GIT_TOKEN"), self._values.get("PORT")
        node.args[0].value
        for node in ast.walk(settings.tree)
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if isinstance(node.args[0].value, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", node.args[0].value)
    }
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
    )
    assert read - set(PLATFORM) - set(VARIABLES) == set(), "add them to VARIABLES in bot/settings.py"
    assert set(VARIABLES) == documented, "a row of docs/configuration.md for each, and no other"


def test_the_environment_is_touched_where_a_reason_is_written_down() -> None:
    assert {module.file for module in modules() if touches_environment(module.tree)} == set(READERS), (
        "ask bot/settings.py, or give READERS the reason"
    )


@pytest.mark.parametrize(
    "text",
    ['os.environ["HOME"]', 'environ.get("HOME")', '"HOME" in self._environ', 'os.getenv("HOME", "")'],
)
def test_a_variable_that_is_read_is_seen(text: str) -> None:
    assert list(variables(ast.parse(text))) == ["HOME"]
