"""One road to a change: effects are carried out in one place, and only for a request that was approved."""

import ast
from collections.abc import Iterator
from typing import get_args

import pytest

from commands import effects
from tests.drift.tree import Module, is_within, modules, nodes

EFFECTS = "workers/effects.py"
CHANGES = "workers/applying.py"
API = "workers/api.py"
SILENCES = "workers/silencing.py"

# tests/drift/test_purity.py gives each HTTP library its homes.
METHODS = ("POST", "PUT", "PATCH", "DELETE")
# Where another method than GET may be named, and which.
NAMED = {
    EFFECTS: {*METHODS},
    "workers/stack.py": {"POST"},  # a query to Prometheus, whose length an address would not hold
    "workers/http.py": {"POST", "DELETE"},  # it knows how, and who asks it is one of these
    SILENCES: {"POST", "DELETE"},
    "workers/statuspage.py": {"POST"},  # what an incident is told outside, which its own record asked for
}


def sends(tree: ast.AST) -> Iterator[int]:
    """Lines that call a method `send` or hand one on: of whatever, because who holds an Api does not matter.

    A generator has one, too, and that is called with one value.
    """
    harmless = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and len(node.args) == 1
        and not node.keywords
        and not isinstance(node.args[0], ast.Starred)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "send" and id(node) not in harmless:
            yield node.lineno


def applies(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "apply":
            yield node.lineno


def methods(tree: ast.AST) -> set[str]:
    """HTTP methods that change something, as literals."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in METHODS}


def test_writes_to_the_api_server_are_sent_by_effects_alone() -> None:
    found = {module.file for module in modules("workers") if list(sends(module.tree))}
    assert found == {EFFECTS}, "a change is a value of commands/effects.py that this one file carries out"


def test_effects_are_applied_by_changes_alone() -> None:
    found = {module.file for module in modules() if list(applies(module.tree))}
    assert found == {CHANGES}, "a change is planned, approved and then applied here, nowhere else"


def test_effects_are_put_together_by_the_clients_alone() -> None:
    for home in ("workers.effects", "workers.silencing", "workers.awswrites"):
        importers = {m.file for m in modules() if any(is_within(name, home) for name in m.imports())}
        assert importers == {"workers/clients.py"}


# What a method of boto3 begins with that changes something; `put` adds to the bucket, and is a file's.
AWS_WRITES = ("associate_", "attach_", "authorize_", "create_", "delete_", "disassociate_", "put_role", "revoke_",
              "rotate_", "update_")  # fmt: skip


def test_calls_of_aws_that_change_something_are_named_in_one_place() -> None:
    named = {
        m.file: found
        for m in modules("workers")
        if (found := {name for name in texts(m.tree) if name.startswith(AWS_WRITES)})
        and "botocore" in "".join(m.imports())
    }
    assert set(named) == {"workers/awswrites.py"}
    assert "put_role_policy" in named["workers/awswrites.py"]


def texts(tree: ast.AST) -> set[str]:
    """Texts, and the beginnings of those that are put together; names of methods."""
    said = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return said | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_the_connection_is_handed_to_those_who_read_and_to_effects() -> None:
    """Whoever imports it can be seen here; who may call `send` on it is the test above."""
    importers = {m.file for m in modules() if any(is_within(name, "workers.api") for name in m.imports())}
    assert {EFFECTS, "workers/cluster.py"} <= importers
    assert all(file.startswith("workers/") for file in importers)
    assert not importers & {CHANGES, "workers/engine.py", "workers/jobs.py", "workers/scheduler.py"}


def test_nothing_else_in_the_workers_knows_a_method_that_changes_something() -> None:
    assert {m.file: found for m in modules("workers") if (found := methods(m.tree))} == NAMED


def test_the_connection_reads_unless_it_is_told_otherwise() -> None:
    """Its requests get their method from the default of one class, or from `send`."""
    tree = next(module.tree for module in modules("workers") if module.file == API)
    asks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_Ask"
    ]
    wide = [ask for ask in asks if len(ask.args) > 2 or ask.keywords]
    assert len(asks) > 3
    assert len(wide) == 1
    assert wide[0].lineno in _lines(tree, "send")


def _lines(tree: ast.AST, function: str) -> range:
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function)
    return range(found.lineno, (found.end_lineno or found.lineno) + 1)


def test_every_effect_has_its_case_and_no_other_place_has_one() -> None:
    classes = {each.__name__ for each in get_args(effects.Effect)}
    assert cases(next(m for m in modules("workers") if m.file == EFFECTS)) >= classes
    others = {
        module.file
        for module in modules("workers")
        if module.file != EFFECTS and len(cases(module) & classes) > 1
    }
    assert others == set()


def cases(module: Module) -> set[str]:
    return {
        node.cls.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    }


def test_a_rehearsal_cannot_be_left_out() -> None:
    """The one who rehearses holds nothing that applies, and every dry run is asked for in the one `_send`."""
    rehearsals = next(
        node
        for module, node in nodes("workers")
        if isinstance(node, ast.ClassDef) and node.name == "Rehearsals" and module.file == EFFECTS
    )
    carried = [
        node
        for node in ast.walk(rehearsals)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_Carrying"
    ]
    assert carried
    for call in carried:
        assert {word.arg: ast.unparse(word.value) for word in call.keywords} == {"is_rehearsal": "True"}


@pytest.mark.parametrize(
    "text", ["api.send(x, 'PUT')", "self._api.send(s, *x)", "f(api.send)", "send = self.api.send"]
)
def test_a_write_is_seen(text: str) -> None:
    assert list(sends(ast.parse(text)))


@pytest.mark.parametrize(
    "text", ["effects.apply(e, 1)", "clients.effects('a').apply(e, 1)", "go(effects.apply)"]
)
def test_an_application_is_seen(text: str) -> None:
    assert list(applies(ast.parse(text)))


@pytest.mark.parametrize("text", ["request('PATCH', url)", "m = 'DELETE'"])
def test_a_method_is_seen(text: str) -> None:
    assert methods(ast.parse(text))


def test_a_generator_is_let_be() -> None:
    assert not list(sends(ast.parse("wanted = part.send(seen)")))
