"""How names of machines are said, and that a name typed as it is shown is understood."""

import pytest

from commands.phrase import full_name, shortly

SECOND = "ip-10-0-2-82.eu-central-1.compute.internal"
THIRD = "ip-10-0-3-113.eu-central-1.compute.internal"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"Close {SECOND} to new pods", "Close ip-10-0-2-82 to new pods"),
        (f"highest 9 % on {SECOND}, then {THIRD}", "highest 9 % on ip-10-0-2-82, then ip-10-0-3-113"),
        ("ip-172-31-9-1.ec2.internal", "ip-172-31-9-1"),
        ("worker-1.rack2.example.internal", "worker-1.rack2.example.internal"),
        ("ip-10-0-2-82.example.org", "ip-10-0-2-82.example.org"),
        ("", ""),
    ],
)
def test_only_what_aws_appends_to_an_address_is_left_out(text: str, said: str) -> None:
    assert shortly(text) == said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ip-10-0-2-82", SECOND),
        (SECOND, SECOND),
        ("ip-10-0-2-8", "ip-10-0-2-8"),
        ("node-7", "node-7"),
    ],
)
def test_a_name_typed_as_it_is_shown_is_the_whole_name(typed: str, meant: str) -> None:
    assert full_name(typed, (SECOND, THIRD)) == meant


def test_two_machines_of_one_address_are_told_apart_by_their_whole_names() -> None:
    twins = (SECOND, "ip-10-0-2-82.eu-west-1.compute.internal")
    assert full_name("ip-10-0-2-82", twins) == "ip-10-0-2-82"
    assert full_name("ip-10-0-2-82", ("ip-10-0-2-82", SECOND)) == "ip-10-0-2-82"
