"""`help`: every page is derived from the declarations, so that it cannot say what is not so.

Only what is built is shown, and of what changes something only what the asker may submit. The pages are
about all commands, this one included, but a command file may not import the catalog, which imports it: so
`commands(others, zone)` is called by Catalog.load() with what it found, instead of a COMMANDS of this module.
Lines are short enough for a phone, and a section stays below Slack's 3,000 characters for a text.
"""

import textwrap
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial

from commands import grammar, words
from commands.command import Command, Flag, Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.reads import DeadLetters, DeadLetterView, EffectiveConfig, RunLog, RunView, Whoami, WhoamiView
from commands.site import ClusterSite
from commands.version import VERSION

WIDTH = 70
_FEW = 6  # different things that may stand behind a word's verbs, listed in its usage
_TEXT = 2800  # below Slack's 3,000, with room for a title

_ROWS = ("GE-1", "GE-2")


def commands(others: tuple[Command, ...], zone: tzinfo) -> tuple[Command, ...]:
    """The help command about these commands and itself; times are told in `zone`."""

    def parts(args: Args, site: ClusterSite) -> Parts:
        return _parts(args, everything, zone)

    own = Command(
        word="help",
        verbs=("", "examples", "schedule", "config", "whoami", "outbox"),
        summary="what can be typed, what runs by itself, who I am to the bot",
        rows=_ROWS,
        parts=parts,
        examples=("help", "help examples", "help schedule", "help whoami", "help outbox"),
        names="WORD [VERB]",
        immediate=True,
    )
    everything = (*others, own)
    return (own,)


def _parts(args: Args, everything: Sequence[Command], zone: tzinfo) -> Parts:
    match args.verb:
        case "examples":
            return dict(_examples(everything))
        case "schedule":
            return {"help-schedule": Part("What runs by itself", _schedule(zone))}
        case "config":
            return {"help-config": Part("The configuration in force", _config())}
        case "whoami":
            return {"help-whoami": Part("Who you are to the bot", _whoami(everything))}
        case "outbox":
            return {"help-outbox": Part("Messages Slack did not take", _outbox(zone))}
    return _about(args.name, everything) if args.name else dict(_first_page(everything))


Writer = Callable[[Sequence[Command]], Iterable[str]]


def _for_asker(key: str, title: str, everything: Sequence[Command], write: Writer) -> tuple[str, Part]:
    """A page of what the asker may type."""

    def inquiry() -> Inquiry:
        changes = yield from _changes()
        return _page(key, title, write(_visible(everything, changes)) or ("Nothing that is for you.",))

    return key, Part(title, inquiry())


def _changes() -> Generator[Reads, Seen, frozenset[str]]:
    """The changing lines that the asker may submit; none where that cannot be read."""
    seen = yield (Whoami(),)
    who: WhoamiView | Gap = seen[Whoami()]
    return frozenset() if isinstance(who, Gap) else who.changes


def _visible(everything: Sequence[Command], changes: frozenset[str]) -> list[Command]:
    return [own for command in everything for own in _own_part(command, everything, changes)]


def _own_part(command: Command, everything: Sequence[Command], changes: frozenset[str]) -> Iterator[Command]:
    """The command with those verbs that change nothing, or that are among these; none when none is left."""
    word = words.WORDS[command.word]
    hidden = {verb.name for verb in word.verbs if verb.changes and f"{word.name} {verb.name}" not in changes}
    verbs = tuple(verb for verb in command.verbs if verb not in hidden)
    if verbs == command.verbs:
        yield command
    elif verbs:
        own = (line for line in command.examples if grammar.parse(line, everything).args.verb in verbs)
        yield replace(command, verbs=verbs, examples=tuple(own))


def _said(section: Section) -> Inquiry:
    """A page that needs nothing read."""
    yield from ()
    return section


def _page(key: str, title: str, lines: Iterable[str], findings: Iterable[Finding] = ()) -> Section:
    return Section(key, title, done=True, findings=tuple(findings), note="\n".join(lines))


# --- Page one -------------------------------------------------------------------------------------

_RULES = (
    "`/sre <word> [verb] [name] [flags]`",
    "In a thread: `@sre` and the same words.",
    "The bare word only looks. A verb with `*` shows a plan and waits",
    "for somebody's Approve, one with `**` for two people's.",
    "`--cluster eu`, `cluster=eu` and `—cluster eu` are the same.",
    "More: `/sre help <word>`, `/sre help examples`",
)


def _first_page(everything: Sequence[Command]) -> Iterator[tuple[str, Part]]:
    yield "help", Part("What you can type", _said(_page("help", "What you can type", _RULES)))
    for group in words.Group:
        if _grouped(everything, group):
            yield _for_asker(_key_of(group), group.value, everything, partial(_group_lines, group))
    yield _for_asker("help-flags", "Flags everywhere, and shortcuts", everything, _ending)


def _key_of(group: words.Group) -> str:
    return f"help-{group.name.lower()}"


def _group_lines(group: words.Group, visible: Sequence[Command]) -> list[str]:
    return [line for word, own in _grouped(visible, group) for line in _word_lines(word, own)]


def _ending(visible: Sequence[Command]) -> list[str]:
    return [*_shortcut_lines(visible), *map(_flag_line, grammar.taken_always())]


def _grouped(
    everything: Sequence[Command], group: words.Group
) -> list[tuple[words.Word, tuple[Command, ...]]]:
    found = ((word, _own(word, everything)) for word in words.WORDS.values() if word.group is group)
    return [(word, own) for word, own in found if own]


def _own(word: words.Word, everything: Sequence[Command]) -> tuple[Command, ...]:
    return tuple(command for command in everything if command.word == word.name)


def _word_lines(word: words.Word, own: Sequence[Command]) -> list[str]:
    lines = _wrapped(f"`{word.name}` {_about_word(word, own)}", indent="   ")
    verbs = " · ".join(f"{verb.name}{verb.mark}" for verb in _built(word, own))
    # In a code span, because a verb's * would turn the text between two of them bold.
    lines += [f"   `{line}`" for line in textwrap.wrap(verbs, WIDTH - 5)]
    examples = [example for command in own for example in command.examples]
    return [*lines, *(f"   e.g. `/sre {example}`" for example in examples[-1:])]


def _about_word(word: words.Word, own: Sequence[Command]) -> str:
    """What the word alone answers; where that is not built, what its verbs are for."""
    return word.bare if grammar.serves_bare(word, own) else own[0].summary


def _built(word: words.Word, own: Iterable[Command]) -> list[words.Verb]:
    """The built verbs in the manual's order."""
    served = {verb for command in own for verb in command.verbs}
    return [verb for verb in word.verbs if verb.name in served]


def _shortcut_lines(everything: Sequence[Command]) -> list[str]:
    served = {line for command in everything for line in grammar.built_lines([command])}
    return [f"`{short.name}` is `{short.text}`" for short in words.SHORTCUTS.values() if short.text in served]


def _flag_line(flag: Flag) -> str:
    name = f"-{flag.short}/--{flag.name}" if flag.short else f"--{flag.name}"
    return f"`{name} {flag.value}`".replace(" `", "`") + f" {flag.help}"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


# --- One word -------------------------------------------------------------------------------------


def _about(name: str, everything: Sequence[Command]) -> Parts:
    shortcut = words.SHORTCUTS.get(name.casefold())
    word = words.word_of(shortcut.word if shortcut else name)
    if word is None:
        unknown = _unknown(name, everything)
        return {unknown.key: Part(unknown.title, _said(unknown))}
    if not _own(word, everything):
        raise grammar.planned(word.name, grammar.built_words(everything))
    key, title = f"help-{word.name}", f"{word.name} — {_about_word(word, _own(word, everything))}"
    if len("\n".join(_word_page(word, _own(word, everything)))) <= _TEXT:
        return dict([_for_asker(key, title, everything, partial(_word_page, word))])
    rest = _in_pieces(f"{key}-more", "Flags and examples", everything, partial(_word_rest, word))
    return dict((*_in_pieces(key, title, everything, partial(_word_head, word)), *rest))


def _in_pieces(
    key: str, title: str, everything: Sequence[Command], write: Writer
) -> Iterator[tuple[str, Part]]:
    """As many pages as all of it needs; an asker who may type less sees the last of them shorter."""
    for number in range(len(_pieces(write(everything)))):
        piece = partial(_piece, write, number)
        name, called = (f"{key}-{number}", f"{title}, on") if number else (key, title)
        yield _for_asker(name, called, everything, piece)


def _piece(write: Writer, number: int, visible: Sequence[Command]) -> list[str]:
    pieces = _pieces(write(visible))
    return pieces[number] if number < len(pieces) else []


def _pieces(lines: Iterable[str]) -> list[list[str]]:
    """The lines in as many texts as they need; what goes on in an indented line stays together with it."""
    pieces: list[list[str]] = [[]]
    for line in lines:
        length = sum(len(each) + 1 for each in (*pieces[-1], line))
        if length > _TEXT - 2 * WIDTH and not line.startswith(" "):
            pieces.append([])
        pieces[-1].append(line)
    return pieces


def _unknown(name: str, everything: Sequence[Command]) -> Section:
    near = _word_of_verb(name, everything) or grammar.nearest_word(name)
    title = f"There is no word {name[:40]}"
    if near is None:
        listed = ", ".join(f"`{word}`" for word in grammar.built_words(everything))
        return _page("help", title, [f"What works today: {listed}"])
    text = f"help {near}"
    offer = Finding(_ROWS[0], f"Did you mean {text}?", Light.GREEN, suggestions=(Suggestion(text, text),))
    return _page("help", title, (), [offer])


def _word_of_verb(name: str, everything: Sequence[Command]) -> str | None:
    """The one built word that has this verb: `help disk` means `help node`. Where several have it, none is meant."""
    having = {command.word for command in everything if name in command.verbs}
    return having.pop() if len(having) == 1 else None


def _word_page(word: words.Word, visible: Sequence[Command]) -> list[str]:
    return [*_word_head(word, visible), *_word_rest(word, visible)]


def _word_head(word: words.Word, visible: Sequence[Command]) -> list[str]:
    """What can be typed of it, and what that answers."""
    own = _own(word, visible)
    if not own:
        return _wrapped(f"Nothing of `{word.name}` is for you; `/sre help whoami` says what is.")
    names = _names(own)
    verbs = _built(word, own)
    usage = ["/sre", word.name, "[verb]" if verbs else "", names, "[flags]"]
    lines = [f"`{' '.join(part for part in usage if part)}`"]
    if word.aliases:
        lines += _wrapped(f"Also typed as {', '.join(word.aliases)}.")
    if len(own) > 1:  # each says better what its verbs do than the list of the verbs
        return [*lines, *(line for command in own for line in _verbs_of(command, word))]
    lines += _wrapped(own[0].summary)
    return [*lines, *_titled("Verbs", (f"`{verb.name}{verb.mark}` {verb.help}" for verb in verbs))]


def _names(own: Sequence[Command]) -> str:
    """What may stand behind the verbs; where that is something else for many of them, only that something may."""
    found = dict.fromkeys(f"[{command.names}]" for command in own if command.names)
    return " ".join(found) if len(found) <= _FEW else "…"


def _verbs_of(command: Command, word: words.Word) -> list[str]:
    verbs = (f"`{verb.name}{verb.mark}`" for verb in _built(word, [command]))
    return _wrapped(" ".join((*verbs, command.summary)), indent="   ")


def _word_rest(word: words.Word, visible: Sequence[Command]) -> list[str]:
    own = _own(word, visible)
    if not own:
        return []
    lines = _titled("Flags, beside those everywhere", map(_flag_line, _flags(own)))
    lines += _titled("Examples", (f"`/sre {example}`" for command in own for example in command.examples))
    lines += _titled("By itself", (_due_line(due.text, due.cron) for own_ in own for due in own_.schedule))
    roles = sorted({command.role for command in own})
    rows = dict.fromkeys(row for command in own for row in command.rows)
    return [*lines, f"For: {', '.join(roles)}", *_wrapped(f"Manual: {', '.join(rows)}")]


def _flags(own: Sequence[Command]) -> list[Flag]:
    """What its commands take; told in a command's own words where it has some."""
    found = {f.name: f for one in own for verb in one.verbs for f in grammar.taken(one, verb)}
    found |= {flag.name: flag for one in own for flag in one.flags}
    everywhere = grammar.taken_always()
    return [flag for flag in found.values() if flag not in everywhere]


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [f"*{title}*", *found] if found else []


def _due_line(text: str, cron: str) -> str:
    return f"`{cron}` {text}"


# --- Examples -------------------------------------------------------------------------------------


def _examples(everything: Sequence[Command]) -> Iterator[tuple[str, Part]]:
    """A section a group; buttons only for lines that change nothing."""
    for group in words.Group:
        if _grouped(everything, group):
            yield _key_of(group), Part(group.value, _examples_of(group, everything))


def _examples_of(group: words.Group, everything: Sequence[Command]) -> Inquiry:
    changes = yield from _changes()
    visible = [command for _, own in _grouped(_visible(everything, changes), group) for command in own]
    return _page(_key_of(group), group.value, (), map(_example_finding, visible))


def _example_finding(command: Command) -> Finding:
    word = words.WORDS[command.word]
    harmless = not any(verb.changes for verb in _built(word, [command]))
    offers = command.examples[:1] if harmless else ()
    return Finding(
        _ROWS[0],
        command.summary,
        Light.GREEN,
        evidence=tuple(f"`/sre {example}`" for example in command.examples),
        suggestions=tuple(Suggestion(example, example) for example in offers),
    )


# --- Pages about the bot itself -------------------------------------------------------------------


def _schedule(zone: tzinfo) -> Inquiry:
    seen = yield (RunLog(),)
    runs: tuple[RunView, ...] | Gap = seen[RunLog()]
    title = "What runs by itself"
    if isinstance(runs, Gap):
        return _unread("help-schedule", title, runs)
    lines = [line for run in runs for line in _run_lines(run, zone)]
    return _page("help-schedule", title, lines or ["Nothing is scheduled."])


def _run_lines(run: RunView, zone: tzinfo) -> list[str]:
    bad = run.overdue or run.result in ("failed", "missed")
    mark = "✗" if bad else {"answered": "✓", "reading": "…"}.get(run.result, "·")
    ran = run.last_started
    last = f"last {_local(ran, zone)} {run.result}".rstrip() if ran else "never ran"
    lines = [f"{mark} *{run.name}* `{run.text}`", f"   {last}", f"   next {_local(run.next_due, zone)}"]
    if run.overdue:
        since = f" since {_local(run.last_due, zone)}" if run.last_due else ""
        lines.insert(1, f"   OVERDUE{since}")
    return lines


def _local(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%a %d %b %H:%M %Z}"


def _whoami(everything: Sequence[Command]) -> Inquiry:
    seen = yield (Whoami(),)
    who: WhoamiView | Gap = seen[Whoami()]
    title = "Who you are to the bot"
    if isinstance(who, Gap):
        return _unread("help-whoami", title, who)
    return _page("help-whoami", title, _who_lines(who, everything))


def _who_lines(who: WhoamiView, everything: Sequence[Command]) -> Iterator[str]:
    held = ", ".join(f"`{role}`" for role in who.roles)
    yield f"Your roles: {held or 'none, which is enough to look at everything'}"
    if who.unsure:
        unsure = ", ".join(f"`{role}`" for role in who.unsure)
        yield f"Not known, because Slack has not told lately who is in a user group: {unsure}"
    for one in everything:
        if one.role not in ("anyone", *who.roles):
            lines = ", ".join(f"`{line}`" for line in grammar.built_lines([one]))
            yield f"Not for you: {lines} (`{one.role}`)"
    yield from (f"• You may {grant}" for grant in who.grants)
    if not who.grants:
        yield "Changes: none. The config key `access` says who may ask for and approve them."
    yield f"I am SRE Bot {VERSION}."


def _config() -> Inquiry:
    """Blocks of code, because the indentation is part of the text."""
    seen = yield (EffectiveConfig(),)
    text: str | Gap = seen[EffectiveConfig()]
    title = "The configuration in force"
    if isinstance(text, Gap):
        return _unread("help-config", title, text)
    chunks = _chunks(text.replace("```", "'''").splitlines())
    return _page(
        "help-config",
        title,
        ("Secrets are masked.",),
        (
            Finding(_ROWS[0], f"Part {n} of {len(chunks)}", Light.GREEN, evidence=(f"```\n{chunk}\n```",))
            for n, chunk in enumerate(chunks, start=1)
        ),
    )


def _chunks(lines: Iterable[str]) -> list[str]:
    """Whole lines in pieces of at most _TEXT characters, each counted as long as Slack's escape of it."""
    chunks: list[list[str]] = [[]]
    room = _TEXT
    for line in (line[: _TEXT // 5] for line in lines):
        length = len(line) + 1 + sum(4 for character in line if character in "&<>")
        if length > room:
            chunks.append([])
            room = _TEXT
        chunks[-1].append(line)
        room -= length
    return ["\n".join(chunk) for chunk in chunks]


def _outbox(zone: tzinfo) -> Inquiry:
    seen = yield (DeadLetters(),)
    letters: tuple[DeadLetterView, ...] | Gap = seen[DeadLetters()]
    title = "Messages Slack did not take"
    if isinstance(letters, Gap):
        return _unread("help-outbox", title, letters)
    lines = [line for letter in letters[:20] for line in _letter_lines(letter, zone)]
    if len(letters) > 20:
        lines.append(f"and {len(letters) - 20} more")
    return _page("help-outbox", title, lines or ["None: everything was delivered."])


def _letter_lines(letter: DeadLetterView, zone: tzinfo) -> list[str]:
    head = f"✗ `{letter.card}` for {letter.channel} · {letter.attempts} tries"
    return [head, f"   since {_local(letter.since, zone)}: {letter.error[:100]}"]


def _unread(key: str, title: str, gap: Gap) -> Section:
    mend = (f"→ {gap.mend}",) if gap.mend else ()
    return _page(key, title, (f"Cannot be read: {gap.reason}", *mend))
