"""Who may touch what, where import-linter cannot see it: names, calls, literals, and each vendor's one home."""

import ast
import sys
from collections.abc import Iterator, Mapping

import pytest
from slack_sdk import WebClient

from tests.drift.tree import PRODUCT, Module, imports_of, is_within, modules, nodes

# Pure beside everything under commands/.
PURE = (
    "bot/access.py", "bot/alertbody.py", "bot/alertcard.py", "bot/alerts.py", "bot/alertthread.py", "bot/alertwords.py",
    "bot/blocks.py", "bot/careviews.py", "bot/changecard.py", "bot/changerequestcard.py", "bot/changethread.py",
    "bot/changewords.py", "bot/duties.py", "bot/findings.py", "bot/forms.py", "bot/incidentcard.py", "bot/incidentthread.py",
    "bot/incidentwords.py", "bot/storms.py", "bot/rights.py", "bot/taskcard.py",
    "bot/render.py",
)  # fmt: skip

# What a pure module may import of the standard library: nothing here reads a clock, a file, the network,
# the environment or chance. zoneinfo reads the time zone tables and nothing else.
PURE_LIBRARY = (
    "__future__", "abc", "base64", "bisect", "calendar", "collections", "copy", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "ipaddress",
    "itertools", "json", "math", "operator", "re", "shlex", "statistics", "string", "textwrap", "types",
    "typing", "unicodedata", "urllib.parse", "zoneinfo",
)  # fmt: skip
# Beyond it, each with its reason.
PURE_MORE: Mapping[str, tuple[str, ...]] = {
    "commands/catalog.py": ("importlib", "pkgutil"),  # it finds the command files, once, at the start
    "commands/timeline.py": ("csv", "io"),  # tables as text, in memory
    "bot/alertbody.py": ("orjson",),  # a parser: text in, values out
    # Pure themselves:
    "bot/alerts.py": ("bot.alertbody",),
    "bot/render.py": (
        "bot.alertcard",
        "bot.alertthread",
        "bot.alertwords",
        "bot.blocks",
        "bot.changecard",
        "bot.changerequestcard",
        "bot.changethread",
        "bot.findings",
        "bot.homecard",
        "bot.incidentcard",
        "bot.taskcard",
    ),
    "bot/homecard.py": ("bot.alertwords", "bot.blocks", "bot.findings", "bot.incidentwords"),
    "bot/taskcard.py": ("bot.alertwords", "bot.blocks"),
    "bot/forms.py": ("bot.blocks", "orjson"),
    "bot/incidentcard.py": ("bot.alertwords", "bot.blocks", "bot.incidentthread", "bot.incidentwords"),
    "bot/incidentthread.py": ("bot.alertwords", "bot.blocks", "bot.incidentwords"),
    "bot/incidentwords.py": ("bot.alertwords", "bot.blocks"),
    "bot/changerequestcard.py": ("bot.blocks",),
    "bot/alertthread.py": ("bot.alertwords", "bot.blocks", "bot.findings"),
    "bot/alertcard.py": ("bot.alertwords", "bot.blocks"),
    "bot/alertwords.py": ("bot.blocks",),
    "bot/careviews.py": ("bot.blocks",),
    "bot/changethread.py": ("bot.blocks", "bot.changecard", "bot.changewords", "bot.findings"),
    "bot/changecard.py": ("bot.blocks", "bot.changewords", "bot.findings"),
    "bot/changewords.py": ("bot.blocks",),
    "bot/findings.py": ("bot.blocks",),
}

IMPURE_NAMES = ("open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__")
IMPURE_CALLS = ("now", "utcnow", "today", "read_text", "write_text", "read_bytes", "write_bytes")

# The one home of each vendor. A library that is not here has no home yet: give it one.
EVERYWHERE = ("orjson", "prometheus_client")
HOMES: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("workers/link.py", "bot/doctor/cluster.py"),
    "urllib3": ("workers/link.py", "workers/api.py", "bot/doctor/cluster.py"),
    "boto3": ("workers/awslink.py", "workers/signing.py", "bot/doctor/aws.py", "bot/doctor/monitoring.py"),
    "botocore": (
        "workers/awslink.py", "workers/aws.py", "workers/awsfacts.py", "workers/awssecurity.py",
        "workers/awswrites.py", "workers/cloudtrail.py", "workers/signing.py", "bot/doctor/aws.py",
        "bot/doctor/monitoring.py",
    ),
    "httpx": ("workers/http.py", "bot/doctor/monitoring.py"),
    "httpcore": ("workers/http.py",),
    "slack_bolt": ("bot/slack.py", "bot/web.py", "bot/__main__.py"),
    "slack_sdk": (
        "bot/courier.py", "bot/furnishing.py", "bot/homes.py", "bot/roommaking.py", "bot/rooms.py", "bot/scribe.py",
        "bot/wire.py", "bot/people.py", "bot/doctor/slack.py", "bot/doctor/channels.py", "bot/doctor/people.py",
        "bot/slack.py", "bot/web.py", "bot/__main__.py",
    ),
    # Its exceptions are everybody's who must say "the store does not answer".
    "redis.exceptions": (
        "bot/state.py", "bot/presence.py", "bot/doctor/__init__.py", "bot/doctor/store.py", "bot/doctor/house.py",
        "bot/slack.py", "bot/web.py", "bot/courier.py", "bot/__main__.py",
        "bot/scribe.py", "bot/turns.py", "workers/__main__.py",
        "workers/ownstore.py", "workers/jobs.py", "workers/alone.py",
    ),
    "redis": ("bot/state.py", "bot/doctor/store.py"),  # and bot/outbox.py, through the State it is given
    "rq": ("bot/state.py", "workers/__main__.py"),
    "pydantic": ("bot/state.py", "bot/casebook.py", "bot/book.py", "bot/changerecords.py"),
    "yaml": (
        "bot/settings.py", "bot/sitefile.py", "bot/sitevalues.py", "bot/manifest.py",
        "workers/link.py",  # a kubeconfig
        "workers/alertmanager.py",  # its route tree
    ),
    "waitress": ("bot/web.py", "workers/port.py"),
    "opentelemetry": ("bot/tracing.py",),  # within its functions: an extra, and 0.2 s at the start
    "cronsim": ("workers/scheduler.py",),
    "matplotlib": ("workers/pictures.py",),
}  # fmt: skip

# bot/slack.py opens the window that asks for a reason: what a press allows for that is over after 3 s, and the
# outbox would come later.
SLACK_CALLERS = (
    "bot/wire.py", "bot/people.py", "bot/doctor/slack.py", "bot/doctor/people.py", "bot/slack.py",
)  # fmt: skip
# Every method of the Web API as the SDK calls it (chat_postMessage), and the way to call any of them.
SLACK_METHODS = frozenset(name for name in dir(WebClient) if "_" in name.strip("_") and name[0] != "_")

# Where `except Exception` may stand, and why nothing narrower will do.
CATCH_ALL: Mapping[str, str] = {
    "bot/courier.py": "a thread that ends would leave Slack without a sender",
    "bot/doctor/check.py": "a broken check is a line, and the others go on",
    "bot/logs.py": "a log call must not break what it tells of",
    "bot/scribe.py": "a thread that ends would leave timelines without what people mark",
    "bot/turns.py": "a thread that ends would leave the calendar, the rounds, the rooms or the Homes without a clock",
    "bot/tracing.py": "the step is told by the kind of what ended it, and it is raised again",
    "bot/sitevalues.py": "zoneinfo raises four kinds, by what the text looks like",
    "commands/catalog.py": "whatever a command file raises, its name must be told",
    "workers/engine.py": "a part runs in a thread of its own: raised again where the request can be failed",
    "workers/jobs.py": "the top of a job: the request is failed, then it is raised again for RQ",
    "workers/podtable.py": "carried to the thread that asked",
    "workers/reader.py": "carried to the thread that asked",
    "workers/alone.py": "whatever is wrong with one record or line, the others must not wait for it",
}

BLOCK_TYPES = frozenset(
    {
        "actions", "alert", "card", "carousel", "container", "context", "data_table", "divider", "file", "header",
        "image", "input", "markdown", "plan", "rich_text", "section", "table", "task_card", "video",
    }
)  # fmt: skip


def is_pure(file: str) -> bool:
    return file.startswith("commands/") or file in PURE


# --- What the tests below look for ----------------------------------------------------------------


def impurities(tree: ast.AST, more: tuple[str, ...] = ()) -> Iterator[str]:
    """What a pure module must not have, with its line."""
    for name in imports_of(tree):
        if not is_within(name, "commands", *PURE_LIBRARY, *more):
            yield f"imports {name}"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_NAMES:
                yield f"{node.lineno}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_CALLS:
                yield f"{node.lineno}: .{name}()"
            case ast.Global():
                yield f"{node.lineno}: global"


def blocks(tree: ast.AST) -> Iterator[str]:
    """Slack blocks made by hand: {"type": "section"} or dict(type="section"), and the SDK's classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
            case ast.Call(func=ast.Name(id="dict"), keywords=words):
                pairs = zip([ast.Constant(word.arg) for word in words], [w.value for w in words], strict=True)
            case _:
                continue
        for key, value in pairs:
            match key, value:
                case ast.Constant(value="type"), ast.Constant(value=str(kind)) if kind in BLOCK_TYPES:
                    yield f'{node.lineno}: "type": "{kind}"'
    yield from (f"imports {name}" for name in imports_of(tree) if is_within(name, "slack_sdk.models"))


def slack_calls(tree: ast.AST) -> Iterator[str]:
    """Calls of the Web API: on any object, because who holds a client does not matter. `say` is one, too."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in SLACK_METHODS:
                yield f"{node.lineno}: .{name}()"
            case ast.arg(arg="say"):
                yield f"{node.lineno}: a listener that takes `say`"


def misplaced(module: Module) -> Iterator[str]:
    """Vendors imported outside their home."""
    for name in module.imports():
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in PRODUCT or top in EVERYWHERE:
            continue
        vendor = next((vendor for vendor in HOMES if is_within(name, vendor)), None)
        if vendor is None:
            yield f"{module.file}: {name} has no home: give it one in HOMES"
        elif module.file not in HOMES[vendor]:
            yield f"{module.file}: {name} may be imported by {', '.join(HOMES[vendor])} only"


# --- The tree -------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [m for m in modules() if is_pure(m.file)], ids=lambda m: m.file)
def test_a_pure_module_has_no_clock_no_file_no_output_and_no_chance(module: Module) -> None:
    assert list(impurities(module.tree, PURE_MORE.get(module.file, ()))) == [], (
        f"{module.file} is pure: time is a read (Now), everything else outside is a read or an effect"
    )


def test_blocks_are_built_in_one_place() -> None:
    found = {module.file: list(blocks(module.tree)) for module in modules()}
    assert found.pop("bot/blocks.py")
    assert {file: wrong for file, wrong in found.items() if wrong} == {}, "call a function of bot/blocks.py"


def test_slack_is_called_by_the_courier_for_a_window_and_asked_by_people_and_the_doctor() -> None:
    found = {module.file: list(slack_calls(module.tree)) for module in modules()}
    assert all(found.pop(file) for file in SLACK_CALLERS)
    assert {file: wrong for file, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.file)
def test_every_vendor_has_one_home(module: Module) -> None:
    assert list(misplaced(module)) == []


def test_no_home_stands_empty() -> None:
    """A permission that nobody uses is taken back."""
    used = {
        (vendor, m.file)
        for m in modules()
        for name in m.imports()
        for vendor in HOMES
        if is_within(name, vendor)
    }
    given = {(vendor, file) for vendor, homes in HOMES.items() for file in homes}
    assert given - used == set(), "nobody imports these any more: take them out of HOMES"


def test_a_command_is_imported_by_the_catalog_alone() -> None:
    """Each is a file (or a package) of its own that nobody else knows of, so it can be taken out again."""
    commands = [m.name for m in modules("commands") if "COMMANDS" in assigned(m.tree)]
    assert commands
    wrong = [
        f"{module.file} imports {name}"
        for module in modules()
        for name in module.imports()
        for command in commands
        if is_within(name, command) and not is_within(module.name, command)
    ]
    assert wrong == [], "move what two commands share to a module of commands/ that defines no COMMANDS"


def assigned(tree: ast.Module) -> set[str]:
    """Names given a value at the top of a module."""
    plain = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    typed = (node.target for node in tree.body if isinstance(node, ast.AnnAssign))
    return {target.id for target in (*plain, *typed) if isinstance(target, ast.Name)}


def test_the_product_knows_nothing_of_its_tests_and_stand_ins() -> None:
    wrong = [
        f"{module.file} imports {name}"
        for module in modules()
        for name in module.imports()
        if is_within(name, "sandbox", "tests", "benchmarks") or name.startswith(".")
    ]
    assert wrong == []


def test_everything_is_caught_only_where_a_reason_is_written_down() -> None:
    found = {
        module.file for module, node in nodes() if isinstance(node, ast.ExceptHandler) and is_broad(node)
    }
    assert found - set(CATCH_ALL) == set(), "catch what can be meant, or give CATCH_ALL the reason"
    assert set(CATCH_ALL) - found == set(), "these catch no more than they mean: take them out of CATCH_ALL"


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or getattr(each, "id", "") in ("Exception", "BaseException") for each in caught)


# --- The eyes of these tests ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import os.path",
        "from random import choice",
        "import urllib.request",
        "from bot import state",
        "import requests",
        "def f():\n    import logging",
        "datetime.now(UTC)",
        "date.today()",
        "print(1)",
        "open('x')",
        "Path('x').read_text()",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_an_impurity_is_seen(text: str) -> None:
    assert list(impurities(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    ["from urllib.parse import urlsplit", "from commands.reads import Now", "yield (Now(),)", "x.open"],
)
def test_what_is_pure_is_let_be(text: str) -> None:
    assert not list(impurities(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        'x = {"type": "section", "text": t}',
        "dict(type='divider')",
        "from slack_sdk.models.blocks import Block",
    ],
)
def test_a_block_is_seen(text: str) -> None:
    assert list(blocks(ast.parse(text)))


@pytest.mark.parametrize(
    "text", ["c.chat_postMessage(channel=x)", "self._slack.api_call('x')", "def on(ack, say): ..."]
)
def test_a_call_to_slack_is_seen(text: str) -> None:
    assert list(slack_calls(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    ["import kubernetes", "from kubernetes.client import V1Pod", "from redis import Redis", "import flask"],
)
def test_a_vendor_outside_its_home_is_seen(text: str) -> None:
    assert list(misplaced(Module("bot/desk.py", "bot.desk", ast.parse(text))))
