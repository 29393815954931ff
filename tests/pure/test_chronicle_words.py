"""What an incident's timeline says of changes that were seen in the cluster."""

from datetime import UTC, datetime, timedelta

from commands.chronicle import of_changes
from commands.triagereads import ChangeSeen

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def change(name: str, minutes: int, by: str = "helm") -> ChangeSeen:
    return ChangeSeen(
        "Deployment", "shop", name, "rollout of revision 7", NOW - timedelta(minutes=minutes), by
    )


def test_changes_of_others_are_told_oldest_first_since_shortly_before_it_began() -> None:
    seen = (change("web", 1), change("db", 2, "sre-bot"), change("api", 3), change("old", 500))
    told = of_changes(seen, NOW - timedelta(hours=2))
    assert [draft.text for draft in told] == [
        "Deployment shop/api: rollout of revision 7 by helm",
        "Deployment shop/web: rollout of revision 7 by helm",
    ]
    assert told[0].at == NOW - timedelta(minutes=3) and told[0].facts["object"] == "deployment/shop/api"


def test_the_same_change_has_the_same_key_at_every_look_and_the_next_one_another() -> None:
    (one,) = of_changes((change("web", 1),), NOW - timedelta(hours=2))
    (again,) = of_changes((change("web", 1),), NOW - timedelta(hours=1))
    (other,) = of_changes((change("web", 0),), NOW - timedelta(hours=2))
    assert one.key == again.key != other.key


def test_of_very_many_the_newest_are_told() -> None:
    told = of_changes([change("web", minutes) for minutes in range(60)], NOW - timedelta(hours=2))
    assert len(told) == 50 and told[-1].at == NOW
