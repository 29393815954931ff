"""Matchers as Alertmanager writes them, and what is refused in their place."""

import time

import pytest

from commands.errors import UsageError
from commands.matchers import all_find, parse, parse_all

LABELS = {"alertname": "PodDown", "namespace": "shop-eu", "quote": 'a"b\\c\nd', "foo.bar": "x"}


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ('namespace="shop-eu"', True),
        ("namespace=shop-eu", True),
        (' namespace = "shop-eu" ', True),
        ('namespace!="shop-eu"', False),
        ('namespace=~"shop-.*"', True),
        ('namespace=~"shop"', False),  # anchored at both ends
        ('namespace!~"pay|shop"', True),
        ('absent=""', True),
        ('absent!=""', False),
        ('quote="a\\"b\\\\c\\nd"', True),
        ('"foo.bar"="x"', True),
        (r'namespace=~"\\w+-eu"', True),
        (r'namespace=~"\w+-eu"', True),
        ('namespace=~"(?i)SHOP-EU"', True),
    ],
)
def test_a_matcher_finds_what_alertmanager_finds(text: str, finds: bool) -> None:
    assert parse(text).finds(LABELS) is finds


@pytest.mark.parametrize("text", ['a="b"', 'a=~"b|c"', 'a!~"x\\\\d"', 'a!="q\\"\\n"', '"foo.bar"="x"'])
def test_a_matcher_is_written_as_it_is_read(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no matcher"),
        ("severity", "is no matcher"),
        ("1a=b", "is no matcher"),
        ('a="b', "double quotes"),
        ('a="b" c', "double quotes"),
        ("a=b c", "double quotes"),
        ('a=~"("', "regular expression is wrong"),
        ('a=~"a**"', "regular expression is wrong|repetition"),
        ('a=~"(?=x)y"', "look around"),
        (r'a=~"(x)\1"', "refer back"),
        ('a=~"(a+)+"', "repetition of a repetition"),
        ('a=~"a++"', "repetition of a repetition"),
        ('a=~"' + "x" * 1_001 + '"', "too long"),
    ],
)
def test_what_is_no_matcher_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "expression",
    ["[*+]+", r"\++", "(web|api)-[0-9]+", "(a.*|b)", "(foo|bar)*", "(?P<n>x)+", "(ab{2})", "[(]a*[)]+"],
)
def test_harmless_expressions_are_taken(expression: str) -> None:
    assert parse(f'a=~"{expression}"').value == expression


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('a="b"', 1),
        ('{a="b", c=~"d,e|f"}', 2),
        ('a="}",b="{",', 2),
        ('a="x\\",y", b=c', 2),
    ],
)
def test_several_are_parted_by_the_commas_outside_of_quotes(text: str, count: int) -> None:
    assert len(parse_all(text)) == count


def test_all_must_find() -> None:
    assert all_find(parse_all('alertname="PodDown",namespace=~"shop.*"'), LABELS)
    assert not all_find(parse_all('alertname="PodDown",namespace="pay"'), LABELS)


def test_a_matcher_that_finds_what_is_not_there_is_known() -> None:
    assert [parse(text).finds_absent for text in ('a=""', 'a=~".*"', 'a!="x"', 'a="x"')] == [
        True,
        True,
        True,
        False,
    ]


def test_matching_takes_no_time_that_anybody_would_notice() -> None:
    matcher, started = parse('pod=~"(a|b|c)*.*d.*e.*f"'), time.monotonic()
    assert not matcher.finds({"pod": "abc" * 60})
    assert time.monotonic() - started < 1
