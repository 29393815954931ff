"""The grammar's rules as tables: a line typed in Slack, and what it means or what is said about it."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import grammar, words
from commands.command import Command, Flag, Parts
from commands.errors import UsageError
from commands.model import Args
from commands.site import ClusterSite


def _nothing(args: Args, site: ClusterSite) -> Parts:
    return {}


def _command(word: str, *verbs: str, names: str = "", flags: tuple[Flag, ...] = ()) -> Command:
    return Command(word, verbs, f"about {word}", ("GE-1",), _nothing, (word,), flags, names)


EVERY = grammar.EVERYWHERE  # for commands that honour all of them

BUILT = (
    _command("health", "", "slo", "cluster"),
    _command(
        "logs",
        "",
        names="NAME",
        flags=(*EVERY, Flag("tail", "lines", "100"), Flag("previous", "the last run")),
    ),
    _command("node", "list", "show", "drain", names="NODE"),
    _command(
        "deploy",
        "",
        "list",
        "history",
        "scale",
        names="NAME",
        flags=(*EVERY, Flag("replicas", "how many", "2")),
    ),
    _command("deploy", "limits", names="NAME", flags=(Flag("grep", "text", "TEXT"),)),
    _command(
        "incident", "", "declare", "note", names="SEVERITY TITLE…", flags=(*EVERY, Flag("due", "when", "5d"))
    ),
    _command("help", "", "examples", names="WORD [VERB]"),
)


def parsed(text: str) -> Args:
    return grammar.parse(text, BUILT).args


def refusal(text: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        grammar.parse(text, BUILT)
    return refused.value


def args(word: str, verb: str = "", name: str = "", rest: str = "", **flags: str) -> Args:
    return Args(word, verb, name, {key.replace("_", "-"): value for key, value in flags.items()}, rest)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("", args("help"), id="empty text is help"),
        pytest.param(" \n\t ", args("help"), id="blank text is help"),
        pytest.param("/sre health", args("health"), id="the slash command itself may be pasted"),
        pytest.param("HEALTH Slo", args("health", "slo"), id="words and verbs in any case"),
        pytest.param("hc slo", args("health", "slo"), id="an alias"),
        pytest.param("?", args("help"), id="an alias that is a sign"),
        pytest.param("health all", args("health"), id="the default verb is the bare word"),
        pytest.param("node", args("node", "list"), id="the bare word is the default verb"),
        pytest.param("deploy list", args("deploy", "list"), id="built spellings stay as typed"),
        pytest.param("deploy history backend", args("deploy", "history", "backend"), id="verb, name"),
        pytest.param("deploy backend history", args("deploy", "history", "backend"), id="name, verb"),
        pytest.param(
            "deploy history history", args("deploy", "history", "history"), id="a name like the verb"
        ),
        pytest.param('deploy "history"', args("deploy", "", "history"), id="a quoted verb is a name"),
        pytest.param("deploy help", args("help", "", "deploy"), id="help after a word"),
        pytest.param("deploy history --help", args("help", "", "deploy"), id="--help anywhere"),
        pytest.param("help help", args("help", "", "help"), id="help about help"),
        pytest.param("help --help", args("help", "", "help"), id="in any form"),
        pytest.param("dep -h", args("help", "", "deploy"), id="-h after an alias"),
    ],
)
def test_word_and_verb(text: str, meant: Args) -> None:
    assert parsed(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param(
            "scale web 5", args("deploy", "scale", "web", replicas="5"), id="a number after the name"
        ),
        pytest.param(
            "scale web --replicas 5", args("deploy", "scale", "web", replicas="5"), id="or as a flag"
        ),
        pytest.param("Drain node-7", args("node", "drain", "node-7"), id="in any case"),
        pytest.param(
            "declare sev1 shop is down", args("incident", "declare", "sev1", "shop is down"), id="with text"
        ),
    ],
)
def test_shortcuts(text: str, meant: Args) -> None:
    assert parsed(text) == meant


@pytest.mark.parametrize(
    "text",
    ["logs --since 1h", "logs --since=1h", "logs since=1h", "logs Since=1H", "logs -since 1h"]
    + [f"logs {dash}since 1h" for dash in "‐‑‒–—―−"]
    + ["logs ——since 1h", 'logs --since "1h"', 'logs --since="1h"', "logs since=“1h”"],
)
def test_a_flag_may_be_typed_in_many_ways(text: str) -> None:
    assert parsed(text) == args("logs", since="1h")


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("-n monitoring", {"namespace": "monitoring"}),
        ("–n Monitoring", {"namespace": "monitoring"}),
        ("-n=monitoring", {"namespace": "monitoring"}),
        ("--namespace all", {"namespace": "all"}),
        ("--service backend --cluster prod", {"service": "backend", "cluster": "prod"}),
        ("--window 30d --since 90m", {"window": "30d", "since": "90m"}),
        ("--why “it’s slow — don't ask”", {"why": "it's slow — don't ask"}),
        ("--dry-run --private --incident INC-3", {"dry-run": "", "private": "", "incident": "INC-3"}),
        ("--previous --tail 20", {"previous": "", "tail": "20"}),
    ],
)
def test_flags_a_command_declares(text: str, flags: dict[str, str]) -> None:
    assert parsed(f"logs {text}").flags == flags


def test_what_is_honoured_for_every_command_is_taken_by_every_command() -> None:
    for word in ("health", "node", "help"):
        assert parsed(f"{word} --cluster eu --private").flags == {"cluster": "eu", "private": ""}


def test_a_change_takes_what_its_plan_and_approval_honour() -> None:
    found = parsed("node drain n1 --why disk --incident INC-3 --dry-run")
    assert found == args("node", "drain", "n1", why="disk", incident="INC-3", dry_run="")


@pytest.mark.parametrize("text", ["logs backend -n shop", "logs -n shop backend", "logs n=shop backend"])
def test_flags_may_stand_before_the_name(text: str) -> None:
    assert parsed(text) == args("logs", "", "backend", namespace="shop")


@pytest.mark.parametrize(
    ("text", "name", "namespace"),
    [
        ("backend", "backend", None),
        ("deploy/backend", "backend", None),
        ("Deployment/backend", "backend", None),
        ("sre-shop/backend", "backend", "sre-shop"),
        ("sre-shop/deploy/backend", "backend", "sre-shop"),
        ("sre-shop/backend -n sre-shop", "backend", "sre-shop"),
        ("podinfo:6.5.0", "podinfo:6.5.0", None),
        ("ghcr.io/shop/web:1", "ghcr.io/shop/web:1", None),
        ("10.0.0.0/8", "10.0.0.0/8", None),
        ("a/b/c", "a/b/c", None),
        ('"sre-shop/backend"', "sre-shop/backend", None),
    ],
)
def test_names(text: str, name: str, namespace: str | None) -> None:
    found = parsed(f"logs {text}")
    assert (found.name, found.flags.get("namespace")) == (name, namespace)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        pytest.param("<@U012AB3CD|max>", "@U012AB3CD", id="a person, by id: names can be changed"),
        pytest.param("<@U012AB3CD>", "@U012AB3CD", id="a person without a label"),
        pytest.param("<#C012AB3CD|sre-daily>", "#C012AB3CD", id="a channel"),
        pytest.param("<!subteam^S01|@oncall>", "@S01", id="a user group"),
        pytest.param("<!here|here>", "@here", id="everybody here"),
        pytest.param("<http://backend.svc|backend.svc>", "backend.svc", id="what Slack took for an address"),
        pytest.param("<https://a.b/c?d=1&amp;e=2>", "https://a.b/c?d=1&e=2", id="an address"),
        pytest.param("<https://a.b|a label>", "https://a.b", id="an address under a label"),
        pytest.param("<mailto:a@b.c|a@b.c>", "a@b.c", id="mail"),
        pytest.param("a&lt;b&gt;&amp;c", "a<b>&c", id="Slack's three escapes"),
        pytest.param("&amp;lt;", "&lt;", id="unescaped once"),
        pytest.param("&lt;@U1&gt;", "<@U1>", id="an escaped entity is text"),
        pytest.param("“a  b”", "a  b", id="curly double quotes"),
        pytest.param("‘a b’", "a b", id="curly single quotes"),
        pytest.param("don’t", "don't", id="an apostrophe is no quote"),
        pytest.param("'it's on'", "it's on", id="an apostrophe inside single quotes"),
        pytest.param(r'"say \"hi\" \\ \d"', r"say " + '"hi" \\ \\d', id="escapes in double quotes"),
        pytest.param(r"a\.b", r"a\.b", id="a backslash elsewhere is itself"),
        pytest.param("a—b", "a—b", id="a dash inside a word"),
        pytest.param("a\u00a0b", "a b", id="a hard space is a space"),
        pytest.param("a\nb", "a b", id="a line break is a space"),
        pytest.param("down — again", "down — again", id="a dash alone"),
        pytest.param("cpu=100 is high", "cpu=100 is high", id="key=value that is no flag"),
        pytest.param("“—since 1h”", "—since 1h", id="a quoted flag is text"),
        pytest.param("👩\u200d🚒", "👩\u200d🚒", id="emoji"),
    ],
)
def test_what_slack_and_phones_do_to_text(typed: str, read: str) -> None:
    assert parsed(f"incident note sev1 {typed}").rest == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("health " + "x" * 2000, "2,007 characters.*at most 2,000"),
        ("health \x00", r"Character 8 \(U\+0000\) cannot be seen.*nothing was done"),
        ("health \u202eslo", r"U\+202E"),
        ('logs "backend', 'mark " is opened and never closed, at `"backend`'),
        ("logs 'backend", "mark ' is opened and never closed"),
        ('logs --why="it', "never closed"),
        ('logs "a"b', 'After a closing " comes a space'),
        ("logs --since", "`--since` needs a value: `--since 1h`"),
        ("logs --since -1h", "`--since`: `-1h` is no time span"),
        ("logs --since --previous", "`--since` needs a value"),
        ('logs --service ""', "`--service` needs a value"),
        ("logs --since 1y", "`--since`: `1y` is no time span.*30m, 1h or 7d"),
        ("logs --since 0m", "out of range"),
        ("logs --since 9999999w", "out of range"),
        ("logs --tail many", "`--tail` takes a number, such as 100; `many` is none"),
        ("logs --previous=yes", "`--previous` takes no value"),
        ("logs --since 1h since=2h", "`--since` is given twice"),
        ("logs -n Sre_Shop", "`Sre_Shop` cannot be a namespace"),
        ("logs sre-shop/backend -n other", "`sre-shop/backend` and `--namespace other` disagree"),
        ("logs --tial 5", "`--tial` is no flag of `logs`. Did you mean `--tail`?.*`--previous`"),
        ("logs tial=5", "`tial` is no flag of `logs`. Did you mean `--tail`?"),
        ("logs -x", r"`-x` is no flag of `logs`\. Its flags: `--namespace`"),
        ("deploy list --grep a", "`deploy list` does not use `--grep`.*Its flags: .*`--replicas`"),
        (
            "health slo --since 1h",
            r"^`health slo` does not use `--since`, so nothing was done\. "
            r"Its flags: `--cluster`, `--incident`, `--private`\.$",
        ),
        ("health --dry-run", "`health` does not use `--dry-run`"),
        ("health --window 7d", "`health` does not use `--window`"),
        ("health --why x", "`health` does not use `--why`"),
        ("health --dry-run", "`health` does not use `--dry-run`"),
        ("health -n monitoring", "`health` does not use `--namespace`"),
        ("help --service x", "`help` does not use `--service`"),
        (
            "health --foo",
            r"`--foo` is no flag of `health`\. Its flags: `--cluster`, `--incident`, `--private`\.",
        ),
        ("deploy limits shop/web", "`deploy limits` does not use `--namespace`"),
        ("node show n1 --dry-run", "`node show` does not use `--dry-run`"),
        ("node drain n1 --since 1h", "`node drain` does not use `--since`"),
        ("logs a b", "`logs` takes one NAME; `b` is too much"),
        ("health backend", "`health` takes no name, so `backend` means nothing here.*`slo`, `cluster`"),
        ("frobnicate", "`frobnicate` is no command.*`health`, `logs`.*`/sre help`"),
        ("incident note a b --x", r"`-x` is no flag of `incident`"),
        ("`rm`", "`'rm'` is no command"),
    ],
)
def test_what_does_not_fit_says_what_to_type(text: str, says: str) -> None:
    assert re.search(says, str(refusal(text)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("slo", "`/sre slo` is planned but not built yet. What works today: `health`, `logs`"),
        ("sli budget --foo", "`/sre slo` is planned"),
        (
            "health app",
            "`/sre health app` is planned but not built yet. What works today: `health`, `health slo`",
        ),
        ("health app --unknown", "`/sre health app` is planned"),
        ("rollback backend", "`/sre deploy rollback` is planned"),
        ("deploy backend rollback", "`/sre deploy rollback` is planned"),
    ],
)
def test_what_is_declared_and_not_built_is_no_typing_error(text: str, says: str) -> None:
    assert says in str(refusal(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("helth slo", "health slo"),
        ("haelth", "health"),
        ("health slp", "health slo"),
        ("health solo", "health slo"),
        ("lgos backend —since 1h", "logs backend --since 1h"),
        ("deploy hstory backend", "deploy history backend"),
        ("nods", "node list"),
        ("help exampels", "help examples"),
    ],
)
def test_a_slip_gets_a_question_and_a_button(text: str, meant: str) -> None:
    refused = refusal(text)
    assert isinstance(refused, grammar.Misspelt)
    assert f"Did you mean `{meant}`?" in str(refused)
    assert refused.suggestion is not None and refused.suggestion.text == meant
    assert grammar.format(parsed(meant)) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("node drian node-7", "node drain node-7"),
        ("drian node-7", "node drain node-7"),
        ("noed drain node-7", "node drain node-7"),
        ("scael web 5", "deploy scale web --replicas 5"),
    ],
)
def test_a_slip_in_a_changing_verb_gets_no_button(text: str, meant: str) -> None:
    refused = refusal(text)
    assert isinstance(refused, grammar.Misspelt)
    assert f"Did you mean `{meant}`?" in str(refused) and "type it out" in str(refused)
    assert refused.suggestion is None


@pytest.mark.parametrize(
    ("typed", "why", "others"),
    [
        ("drain n1 --why kernel update", "kernel update", {}),
        ("node drain n1 --why kernel update --dry-run", "kernel update", {"dry-run": ""}),
        ("node n1 drain --dry-run --why it - really - is due", "it - really - is due", {"dry-run": ""}),
        ("drain n1 --why kernel update cluster=eu", "kernel update", {"cluster": "eu"}),
        ("drain n1 —why don't wait for “Bob”", "don't wait for Bob", {}),
        ("drain --why urgent n1", "urgent", {}),
        ("scale web 5 --why list is long", "list is long", {"replicas": "5"}),
    ],
)
def test_a_reason_behind_the_name_needs_no_quotes(typed: str, why: str, others: dict[str, str]) -> None:
    meant = parsed(typed)
    assert (meant.flags, meant.rest) == ({"why": why, **others}, "")
    assert meant.name in ("n1", "web")
    assert parsed(grammar.format(meant)) == meant


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ('drain n1 --why "kernel" update', "`node drain` takes one NODE; `update` is too much"),
        ("drain --why kernel update n1", "`n1` is too much"),
        ("drain n1 --why kernel tiemout=5m", "`tiemout` is no flag"),
        ("drain n1 --why kernel --force", "`--force` is no flag"),
        ("drain n1 --why", "`--why` needs a value"),
    ],
)
def test_a_reason_swallows_no_flag_and_no_name(typed: str, says: str) -> None:
    assert says in str(refusal(typed))


@given(st.lists(st.from_regex(r"[a-z0-9.,;:'!?]{1,8}", fullmatch=True), min_size=1, max_size=6))
def test_any_plain_words_are_a_reason_as_they_stand(said: list[str]) -> None:
    first, *others = said
    if first[0] in "\"'" or any(each[0] in "\"'" for each in others):
        return  # a quotation is its own test
    assert parsed(f"drain n1 --why {' '.join(said)}") == args("node", "drain", "n1", why=" ".join(said))


def test_a_word_that_does_not_answer_alone_shows_its_page() -> None:
    only_verbs = (*BUILT, _command("task", "approve"))
    assert grammar.parse("task", only_verbs).args == args("help", "", "task")
    with pytest.raises(UsageError, match="`/sre task` is planned"):
        grammar.parse("task --why x", only_verbs)
    assert parsed("node") == args("node", "list")


def test_what_cannot_be_seen_does_not_stand_in_a_reason() -> None:
    assert grammar.visible("a\u202eb\u200bc\nd\u2066e") == "a b c d e"
    assert grammar.visible("👩\u200d🚒 Jürgen") == "👩\u200d🚒 Jürgen"


def test_a_slip_towards_something_unbuilt_says_both() -> None:
    refused = refusal("deploy rolback web")
    assert "Did you mean `deploy rollback web`? `/sre deploy rollback` is planned" in str(refused)
    assert isinstance(refused, grammar.Misspelt) and refused.suggestion is None


@pytest.mark.parametrize("word", words.WORDS)
def test_no_slip_of_one_letter_is_ever_corrected(word: str) -> None:
    for slip in (word[1:], word[:-1], word[1] + word[0] + word[2:], word + "x"):
        if words.word_of(slip) is None:
            refusal(slip)


def test_the_escape_from_a_slip_is_named() -> None:
    assert 'type `"lst"`' in str(refusal("deploy lst"))
    assert parsed('deploy "lst"') == args("deploy", "", "lst")
    assert "If it is a name" not in str(refusal("health slp"))


def test_the_matched_command_comes_along() -> None:
    assert grammar.parse("deploy limits web", BUILT).command is BUILT[4]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("1h", timedelta(hours=1)),
        ("7D", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert grammar.duration(text) == span


@pytest.mark.parametrize("text", ["", "h", "1", "1.5h", "-1h", "1h30m", "1 h", "１h", "367d", "0s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        grammar.duration(text)


# --- Round trip -----------------------------------------------------------------------------------

# Everything parse can put into a value: no invisible characters, and no curly quotes, which it straightens.
_texts = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="“”„‟‘’‚‛")
    | st.sampled_from(" \"'\\-—=&<>;@/"),
    max_size=30,
)
_risky = st.sampled_from(
    [
        "list",
        "lst",
        "help",
        "history",
        "--since",
        "since=1h",
        "a/b",
        "a b",
        "disk  full",
        "a list",
        "<@U1|x",
        "y>",
        "&lt;",
        "\\",
        "—",
    ]
)
_values = (_texts | _risky).filter(bool)
_flags = st.fixed_dictionaries(
    {},
    optional={
        "why": _values,
        "service": _values,
        "since": st.sampled_from(["30m", "7d"]),
        "namespace": st.sampled_from(["all", "sre-shop"]),
        "dry-run": st.just(""),
    },
)


@given(st.sampled_from(["", "declare", "note"]), _texts | _risky, _texts | _risky, _flags)
def test_the_canonical_line_means_the_same(verb: str, name: str, rest: str, flags: dict[str, str]) -> None:
    meant = Args("incident", verb, name, flags, rest)
    assert parsed(grammar.format(meant)) == meant


@given(_texts | _risky, _flags)
def test_the_canonical_line_of_a_bare_word_means_the_same(name: str, flags: dict[str, str]) -> None:
    meant = Args("deploy", "", name, flags)
    assert parsed(grammar.format(meant)) == meant


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        meant = parsed(text)
    except UsageError as refused:
        assert str(refused)
    else:
        assert parsed(grammar.format(meant)) == meant


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("hc SLO", "health slo"),
        ("logs deploy/backend —since 1H n=shop", "logs backend --namespace shop --since 1h"),
        ('logs --why "disk full"', 'logs --why "disk full"'),
        ("declare sev1 a & b", 'incident declare sev1 "a & b"'),
    ],
)
def test_the_canonical_line_is_what_a_person_would_type(text: str, canonical: str) -> None:
    assert grammar.format(parsed(text)) == canonical


# --- The words ------------------------------------------------------------------------------------


def test_twenty_words_in_four_groups_of_five() -> None:
    groups = [word.group for word in words.WORDS.values()]
    assert [groups.count(group) for group in words.Group] == [5, 5, 5, 5]


def test_nothing_typed_has_two_meanings() -> None:
    aliases = [alias for word in words.WORDS.values() for alias in word.aliases]
    typed = [*words.WORDS, *aliases, *words.SHORTCUTS]
    assert len(typed) == len(set(typed))


@pytest.mark.parametrize("word", words.WORDS.values(), ids=lambda word: word.name)
def test_a_word_is_declared_in_full(word: words.Word) -> None:
    names = [verb.name for verb in word.verbs]
    assert word.bare and len(names) == len(set(names)) and all(verb.help for verb in word.verbs)
    assert not word.default or word.default in names
    default = word.verb(word.default)
    assert default is None or not default.changes, "the bare word only looks"


@pytest.mark.parametrize("shortcut", words.SHORTCUTS.values(), ids=lambda shortcut: shortcut.name)
def test_a_shortcut_leads_to_a_declared_verb(shortcut: words.Shortcut) -> None:
    assert words.WORDS[shortcut.word].verb(shortcut.verb) is not None


def test_the_verbs_that_need_two_people() -> None:
    two = {f"{w.name} {v.name}" for w in words.WORDS.values() for v in w.verbs if v.mark == "**"}
    assert two == {
        "restore cluster",
        "restore dataloss",
        "incident block",
        "incident rotate",
        "incident freeze",
    }


KINDED = (_command("deploy", "history", names="NAME", flags=(Flag("kind", "which", "KIND"), EVERY[0])),)


@pytest.mark.parametrize(
    ("typed", "flags"),
    [
        ("sts/web", {"kind": "sts"}),
        ("shop/StatefulSet/web", {"kind": "statefulset", "namespace": "shop"}),
        ("sts/web --kind sts", {"kind": "sts"}),
        ("shop/web", {"namespace": "shop"}),
        ("web", {}),
        ('"sts/web"', {}),
    ],
)
def test_a_kind_before_the_name_is_kept_where_a_flag_takes_it(typed: str, flags: dict[str, str]) -> None:
    found = grammar.parse(f"deploy history {typed}", KINDED).args
    assert found.flags == flags
    assert grammar.parse(grammar.format(found), KINDED).args == found


def test_a_kind_that_is_typed_twice_must_be_the_same() -> None:
    with pytest.raises(UsageError, match="disagree"):
        grammar.parse("deploy history sts/web --kind ds", KINDED)


# --- Label matchers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "token", "label"),
    [
        ('why="a b"', "why=a b", 'why="a b"'),
        ('pod=~"web 1|db"', 'pod=~"web 1|db"', 'pod=~"web 1|db"'),
        ('severity!="x"', 'severity!="x"', 'severity!="x"'),
        ('{a="b c",d!~"e"}', '{a="b c",d!~"e"}', '{a="b c",d!~"e"}'),
        ("a=b", "a=b", ""),
    ],
)
def test_a_label_matcher_keeps_its_quotation_marks_beside_what_a_flag_would_be(
    typed: str, token: str, label: str
) -> None:
    (found,) = grammar._tokens(grammar._clean(typed))
    assert (found.text, found.label) == (token, label)


def test_what_only_begins_like_a_matcher_stays_plain_words() -> None:
    assert [each.text for each in grammar._tokens('because x!="foo bar')] == ["because", 'x!="foo', "bar"]
