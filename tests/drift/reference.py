"""docs/commands.md, written from the declarations: what can be typed, by whom, and what each word looks at.

tests/drift/test_reference.py holds the file to it. What a word looks at is read off its source: the reads and effects
that its own modules make, and those they import, with the rights that commands/needs.py declares for them.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache

from commands import grammar, needs, words
from commands.catalog import Catalog
from commands.command import Command, Flag
from commands.needs import Action, Needs, Rule
from tests.drift.tree import Module, modules

_HEAD = """# Every command

`/sre WORD [VERB] [NAME] [FLAGS]`, as a slash command, as `@sre …` in a thread, or in a direct message. The bare word only
looks. A verb with `*` shows a plan and waits for the approval of one person other than its requester, one with `**` for that
of two ([how](changes.md)); with `†` its requester may confirm it. What is in capitals is yours to fill in; …, where a name
stands, may be more of them.

Every command takes {always}. Those with a star take {on_changes}, too.

{count} verbs of {words} words are built. A word or verb that is planned and not built says so when it is typed.

*Asks for* lists the rights that a word may use, whichever of its verbs is typed. A right that is missing is no failure: the
card says what it could not read. Prometheus, Alertmanager and Grafana need no right in the cluster where they are reached
by their addresses.
"""


_ON_CHANGES = ("why", "dry-run")


@cache
def _catalog() -> Catalog:
    return Catalog.load()


_FOOT = """
---

This page is written by `UPDATE_GOLDEN=1 make test ARGS=tests/drift/test_reference.py` from what is declared in `commands/`.
"""


def written() -> str:
    catalog = _catalog()
    built = {command.word for command in catalog}
    about = _HEAD.format(
        always=_listed(f"`{_flag(flag)}`" for flag in grammar.taken_always()),
        on_changes=_listed(
            f"`{_flag(flag)}`" for flag in grammar.EVERYWHERE if flag.name in ("why", "dry-run")
        ),
        count=sum(len(command.verbs) for command in catalog),
        words=len(built),
    )
    groups = "".join(_group(group, catalog) for group in words.Group)
    return f"{about}{groups}{_shortcuts(catalog)}{_calendar(catalog)}{_FOOT}"


def _group(group: words.Group, catalog: Catalog) -> str:
    found = [(word, [each for each in catalog if each.word == word.name]) for word in words.WORDS.values()]
    mine = [_word(word, own) for word, own in found if own and word.group is group]
    return f"\n## {group.value[0]}{group.value[1:].lower()}\n{''.join(mine)}" if mine else ""


def _word(word: words.Word, own: Sequence[Command]) -> str:
    lines = [f"\n### {word.name}\n"]
    if word.aliases:
        lines += [f"Also typed as {_listed(f'`{alias}`' for alias in word.aliases)}.", ""]
    lines += [
        "| typed | does |",
        "|---|---|",
        *(_row(word, verb, command) for command in own for verb in command.verbs),
    ]
    lines += ["", *_flags(own), *_roles(own)]
    examples = [f"/sre {example}" for command in own for example in command.examples]
    lines += ["```text", *examples, "```", "", *_rights_of(word.name), ""]
    return "\n".join(lines)


def _row(word: words.Word, name: str, command: Command) -> str:
    verb = word.verb(name)
    mark = (verb.mark.replace("*", "\\*") + ("†" if verb.own else "")) if verb else ""
    typed = " ".join(part for part in (word.name, name, command.names) if part)
    return f"| `{_cell(typed)}`{mark} | {_cell(verb.help if verb else word.bare)} |"


def _flags(own: Sequence[Command]) -> list[str]:
    """Each once for those verbs of which it says the same."""
    everywhere = {flag.name for flag in grammar.taken_always()} | set(_ON_CHANGES)
    found: dict[tuple[str, str], list[str]] = {}
    for command, verb in [(each, verb) for each in own for verb in each.verbs]:
        for flag in grammar.taken(command, verb):
            if flag.name not in everywhere:
                found.setdefault((_flag(flag), flag.help), []).append(
                    f"`{command.word} {verb}`".replace(" `", "`")
                )
    every = sum(len(command.verbs) for command in own)
    rows = [
        f"| `{_cell(flag)}` | {_cell(help)} | {'all of them' if len(verbs) == every else ', '.join(verbs)} |"
        for (flag, help), verbs in found.items()
    ]
    return ["| flag | means | of |", "|---|---|---|", *rows, ""] if rows else []


def _roles(own: Sequence[Command]) -> list[str]:
    limited = [(command.word, verb, command.role) for command in own for verb in command.verbs]
    told = [f"`{word} {verb}` is for `roles.{role}`." for word, verb, role in limited if role != "anyone"]
    return [" ".join(told), ""] if told else []


def _flag(flag: Flag) -> str:
    return f"--{flag.name} {flag.value}".rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(texts: Iterable[str]) -> str:
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def _shortcuts(catalog: Catalog) -> str:
    built = {line for command in catalog for line in grammar.built_lines([command])}
    rows = [f"| `{one.name}` | `{one.text}` |" for one in words.SHORTCUTS.values() if one.text in built]
    return "\n## Shortcuts\n\n| typed | means |\n|---|---|\n" + "\n".join(rows) + "\n"


def _calendar(catalog: Catalog) -> str:
    rows = [
        f"| {due.name} | `{due.cron}` | `{due.text}` | `channels.{due.channel}` | {'if bad' if due.is_quiet else ''} |"
        for due in catalog.schedule
    ]
    head = "\n## By itself\n\nIn the zone of the configuration (`timezone`); "
    head += "`/sre help schedule` says when each ran last and runs next.\n\n"
    return f"{head}| | cron | runs | tells | |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


# --- What a word looks at -------------------------------------------------------------------------


def _rights_of(word: str) -> list[str]:
    made = _made_by(word)
    looks = [need for read, need in needs.READS.items() if _named(read) in made]
    changes = any(command.change for command in _catalog() if command.word == word)
    does = [need for effect, need in needs.EFFECTS.items() if changes and _named(effect) in made]
    lines = [
        f"- to {what}: {text}" for what, text in (("look", _told(looks)), ("change", _told(does))) if text
    ]
    return ["Asks for:", "", *lines] if lines else ["Asks for nothing outside of the bot's own store."]


def _named(made: type) -> str:
    return f"{made.__module__}.{made.__name__}"


def _told(found: Iterable[Needs]) -> str:
    """By verb and by service: "get `a` `b`; list `c`; eks `DescribeCluster`"."""
    every = {need for group in found for need in group}
    plain: dict[str, set[str]] = {}
    for need in every:
        if isinstance(need, Action):
            service, _, name = need.name.partition(":")
            plain.setdefault(f"AWS {service}", set()).add(name)
        elif not need.extra:
            plain.setdefault(need.verb, set()).add(need.resource)
    extras = {f"sre-bot-{need.extra}" for need in every if isinstance(need, Rule) and need.extra}
    texts = [
        f"{verb} {' '.join(f'`{name}`' for name in sorted(names))}" for verb, names in sorted(plain.items())
    ]
    texts += [f"where granted {' '.join(f'`{name}`' for name in sorted(extras))}"] if extras else []
    return "; ".join(sorted(texts, key=lambda text: (text.startswith("where"), text.startswith("AWS"))))


@cache
def _made_by(word: str) -> frozenset[str]:
    """The classes that a word's modules make, and those that they import, by their full names."""
    left = [name for name in _homes(word) if name in _modules()]
    seen: dict[str, Module] = {}
    while left:
        name = left.pop()
        if name not in seen:
            seen[name] = _modules()[name]
            left += [each for each in _names(seen[name]).values() if each in _modules()]
            left += [
                each.rpartition(".")[0] for each in _names(seen[name]).values() if each not in _modules()
            ]
            left = [each for each in left if each in _modules()]
    return frozenset(made for module in seen.values() for made in _calls(module))


def _homes(word: str) -> Iterator[str]:
    """The modules of the functions that its commands are made of."""
    for command in _catalog():
        if command.word == word:
            change = (
                [getattr(command.change, one.name) for one in fields(command.change)]
                if command.change
                else []
            )
            yield from (getattr(each, "__module__", "") for each in (command.parts, command.entry, *change))


@cache
def _names(module: Module) -> dict[str, str]:
    """What it imports from commands: the full name of each by the name it has here."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("commands")
        for alias in node.names
    }


@cache
def _calls(module: Module) -> frozenset[str]:
    return frozenset(_called(module, _names(module)))


def _called(module: Module, names: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in names:
                yield names[name]
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=made)) if name in names:
                yield f"{names[name]}.{made}"


@cache
def _modules() -> dict[str, Module]:
    return {module.name: module for module in modules("commands")}
