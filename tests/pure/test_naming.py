"""The channel of an incident by name: whatever the title, Slack takes it, and no two are the same."""

import re
import unicodedata
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.response.naming import LONGEST, names, slug
from commands.site import Site

ID = "INC-2026-11-23-001"
TEMPLATE = Site().incident.channel_name


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("checkout is down", "checkout-is-down"),
        ("  API: 5xx > 10 %!  ", "api-5xx-10"),
        ("Überlastung in Größe XL", "uberlastung-in-grosse-xl"),
        ("Café Łódź Œuvre", "cafe-lodz-oeuvre"),
        ("/etc/passwd & <!channel>", "etc-passwd-channel"),
        ("決済が落ちた", "決済が落ちた"),
        ("Платежи не работают", "платежи-не-работают"),
        ("भुगतान बंद", "भुगतान-बंद"),
        ("Ⅷ ﬁre ①", "viii-fire-1"),
        ("🔥🔥🔥", ""),
        ("\u202eevil\u202c \u200b", "evil"),
        ("", ""),
    ],
)
def test_a_title_becomes_lower_case_words_of_any_script(title: str, wanted: str) -> None:
    assert slug(title) == unicodedata.normalize("NFC", wanted)


def test_a_long_title_ends_at_the_end_of_a_word() -> None:
    assert (
        slug("the payment provider answers with errors and nobody knows why")
        == "the-payment-provider-answers-with-errors"
    )
    assert slug("x" * 200) == "x" * 40


@pytest.mark.parametrize(
    ("title", "wanted"), [("checkout is down", "checkout-is-down"), ("決済 API", "api"), ("決済", "")]
)
def test_the_plain_form_is_ascii_alone(title: str, wanted: str) -> None:
    assert slug(title, is_plain=True) == wanted


def first(title: str, template: str = TEMPLATE, count: int = 3, *, is_plain: bool = False) -> list[str]:
    return list(islice(names(ID, title, template, is_plain=is_plain), count))


def test_a_name_tells_the_day_the_number_and_the_title_and_is_counted_where_it_is_taken() -> None:
    assert first("checkout is down") == [
        "inc-20261123-001-checkout-is-down",
        "inc-20261123-001-checkout-is-down-2",
        "inc-20261123-001-checkout-is-down-3",
    ]


def test_a_title_without_a_letter_goes_by_a_word() -> None:
    assert first("🔥", count=1) == ["inc-20261123-001-incident"]
    assert first("決済", count=1, is_plain=True) == ["inc-20261123-001-incident"]


def test_the_thousandth_of_a_day_keeps_its_number() -> None:
    assert next(names("INC-2026-11-23-1000", "x", TEMPLATE)) == "inc-20261123-1000-x"


def test_a_site_has_its_own_template() -> None:
    assert first("checkout is down", "ops_{slug}_{date}", 2) == [
        "ops_checkout-is-down_20261123",
        "ops_checkout-is-down_20261123-2",
    ]


@example("000¼¼", "p" * 60 + "-{date}-{slug}", False)  # cut, its title ends in a number of ours
@given(
    st.text(max_size=300), st.sampled_from([TEMPLATE, "{nnn}", "p" * 60 + "-{date}-{slug}"]), st.booleans()
)
def test_whatever_the_title_slack_takes_the_name(title: str, template: str, is_plain: bool) -> None:
    made = first(title, template, 12, is_plain=is_plain)
    assert len(set(made)) == 12
    for name in made:
        assert 0 < len(name) <= LONGEST and name == name.lower() and not re.search(r"[\s.]", name)
        assert all(letter in "-_" or unicodedata.category(letter)[0] in "LMN" for letter in name)
        assert name.isascii() or not is_plain
