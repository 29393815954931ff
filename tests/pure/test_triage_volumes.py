"""Alerts about volumes: how full, how long they last, what size would do, and why one failed."""

from typing import Any

import pytest
from triage_world import GIB, HIDDEN, NOW, Dark, cause, event, falling, told, unknown

from commands import reads
from commands.alertreads import Matrix, QueryRange, Series
from commands.finding import Finding, Light
from commands.model import Confidence, Gap
from commands.podreads import Events
from commands.triage.filling import growth
from commands.triage.rule import Diagnosis, Subject
from commands.triage.volumes import proposal
from commands.triagereads import Claim, ClaimView

LABELS = {"namespace": "shop", "persistentvolumeclaim": "data-db-0"}
CLAIM = ClaimView("shop", "data-db-0", "Bound", 50 * GIB, 50 * GIB, "gp3", "ebs.csi.aws.com", True, "pvc-1",
                  "eu-central-1a", ("ReadWriteOnce",), ("db-0",))  # fmt: skip
FULL: dict[Any, Any] = {
    "1 - min(kubelet_volume_stats_available": 0.92,
    "min(kubelet_volume_stats_available": 4 * GIB,
    "max(kubelet_volume_stats_capacity": 50 * GIB,
    "1 - min(kubelet_volume_stats_inodes_free": 0.01,
    Claim: CLAIM,
}


def shown(found: Diagnosis) -> dict[str, Finding]:
    return {finding.label: finding for finding in found.findings}


def test_a_volume_that_fills_says_how_long_it_lasts_and_who_mounts_it() -> None:
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {QueryRange: falling(4 * GIB, 1.2 * GIB)})
    assert cause(found) == (
        "volume shop/data-db-0 is 92 % full, 4 GiB left, full in 3 h 20 min; mounted by db-0"
    )
    assert found.cause and found.cause.suggestions[0].text == "pod show shop/db-0"
    facts = shown(found)
    assert facts["Growth in the last 6 h"].evidence == ("1.2 GiB more every hour",)
    assert facts["Make it larger"].value == "possible (gp3): 200 GiB proposed"
    assert '"storage":"200Gi"' in facts["Make it larger"].evidence[0]
    assert facts["Claim"].value == "Bound, 50 GiB in eu-central-1a, ReadWriteOnce"
    assert facts["Inodes in use"].light is Light.GREEN


def test_a_volume_that_does_not_grow_is_not_said_to_get_full() -> None:
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {QueryRange: falling(4 * GIB, 0)})
    assert cause(found) == "volume shop/data-db-0 is 92 % full, 4 GiB left, not growing; mounted by db-0"


def test_a_storage_class_that_forbids_it_is_named() -> None:
    fixed = ClaimView("shop", "data-db-0", "Bound", 50 * GIB, storage_class="gp2", expandable=False)
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {Claim: fixed})
    assert (
        shown(found)["Make it larger"].value == "not as it is: gp2 does not allow it (allowVolumeExpansion)"
    )
    forbidden = Gap("storageclasses: forbidden", "Let the bot get storageclasses.")
    unknown_class = ClaimView(
        "shop", "data-db-0", "Bound", 50 * GIB, storage_class="gp2", unread=(forbidden,)
    )
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {Claim: unknown_class})
    assert shown(found)["Make it larger"].value == "unknown: storageclasses: forbidden"
    assert shown(found)["Claim"].mend == forbidden.mend


def test_a_volume_that_is_being_resized_is_not_resized_again() -> None:
    resizing = ClaimView(
        "shop", "data-db-0", "Bound", 50 * GIB, expandable=True, resizing="FileSystemResizePending"
    )
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {Claim: resizing})
    assert shown(found)["Make it larger"].value == "under way: FileSystemResizePending"


def test_inodes_that_run_out() -> None:
    given = FULL | {
        "1 - min(kubelet_volume_stats_inodes_free": 0.98,
        "min(kubelet_volume_stats_inodes_free": 30_000.0,
    }
    found = told("KubePersistentVolumeInodesFillingUp", LABELS, given)
    assert cause(found) == (
        "volume shop/data-db-0 has 98 % of its inodes in use, 30,000 left; mounted by db-0"
    )


def test_without_the_claim_the_numbers_still_stand_and_the_other_way_round() -> None:
    found = told("KubePersistentVolumeFillingUp", LABELS, FULL | {Claim: HIDDEN})
    assert cause(found) == "volume shop/data-db-0 is 92 % full, 4 GiB left"
    assert "Claim" in unknown(found)
    dark = Dark({Claim: CLAIM, reads.Now: NOW}).drive(Subject("KubePersistentVolumeFillingUp", LABELS))
    assert dark.cause is None
    assert shown(dark)["Claim"].evidence == ("mounted by db-0",)
    assert shown(dark)["Space in use"].light is Light.UNKNOWN


@pytest.mark.parametrize(
    "capacity, used, per_hour, gib",
    [
        (50, 46, 0, 77),  # 60 % in use
        (50, 10, 0, 63),  # at least a quarter more
        (50, 46, 5, 200),  # four times is enough at once
        (50, 46, 0.05, 105),  # two weeks of growth
    ],
)
def test_what_size_is_proposed(capacity: float, used: float, per_hour: float, gib: int) -> None:
    pace = growth(falling(capacity - used, per_hour).series[0].points, capacity) if per_hour else None
    assert pace is None or abs(pace.per_hour - per_hour) < 1e-6
    scaled = None if pace is None else type(pace)(pace.per_hour * GIB, pace.left)
    assert proposal(capacity * GIB, used * GIB, scaled) == gib


# --- the line -------------------------------------------------------------------------------------


def points(*free: float, minutes: int = 10) -> tuple[tuple[float, float], ...]:
    return tuple((60.0 * minutes * n, value) for n, value in enumerate(free))


@pytest.mark.parametrize(
    "free, words",
    [
        ((100, 99, 98, 97, 96), "full in 16 h"),
        ((100, 100, 100, 100), "not growing"),
        ((96, 97, 98, 99), "not growing"),
        ((10, 5, 2, 0), "full"),
        ((30, 20, 10, 90, 80, 70, 60), "full in 1 h"),  # emptied on the way: the line begins anew
        ((100, 99.9999, 99.9998, 99.9997), "growing slowly"),
    ],
)
def test_when_it_is_full(free: tuple[float, ...], words: str) -> None:
    found = growth(points(*free), 100)
    assert found and found.words == words


def test_a_jump_since_the_last_point_counts_for_what_is_left() -> None:
    found = growth(points(100, 99, 98, 97, 96), 100, 12)
    assert found and found.words == "full in 2 h"


def test_three_points_or_two_minutes_are_no_line() -> None:
    assert growth(points(3, 2, 1), 100) is None
    assert growth(points(4, 3, 2, 1, minutes=1), 100) is None
    assert growth((), 100) is None
    assert told("KubePersistentVolumeFillingUp", LABELS, FULL | {QueryRange: Matrix((Series({}, ()),))}).cause


# --- volumes and claims that failed ---------------------------------------------------------------

PV = {"persistentvolume": "pvc-1", "phase": "Failed"}


def test_a_volume_that_failed_in_the_drivers_words() -> None:
    said = event(
        "VolumeFailedDelete", "could not delete volume: in use by i-0abc", "PersistentVolume", "pvc-1"
    )
    given = {"claim_ref": {"claim_namespace=shop,name=data-db-0": 1.0}, Events: (said,)}
    found = told("KubePersistentVolumeErrors", PV, given)
    assert cause(found) == (
        "volume pvc-1 (claim shop/data-db-0) is Failed: it could not be taken back or deleted after its claim went away: "
        "“could not delete volume: in use by i-0abc”"
    )
    assert found.cause and found.cause.confidence is Confidence.CERTAIN
    quiet = told("KubePersistentVolumeErrors", PV, {Events: HIDDEN})
    assert quiet.cause and quiet.cause.confidence is Confidence.LIKELY
    assert "Events of the claim" in unknown(quiet)


def test_a_claim_without_a_volume_says_what_the_provisioner_answered() -> None:
    waiting = ClaimView("shop", "data-db-0", "Pending")
    refused = event("ProvisioningFailed", "storageclass gp9 not found", "PersistentVolumeClaim", "data-db-0")
    found = told("KubernetesPersistentvolumeclaimPending", LABELS, {Claim: waiting, Events: (refused,)})
    assert cause(found) == "claim shop/data-db-0 gets no volume: “storageclass gp9 not found”"
    later = event("WaitForFirstConsumer", type="Normal")
    found = told("KubernetesPersistentvolumeclaimPending", LABELS, {Claim: waiting, Events: (later,)})
    assert "waits for a pod that is scheduled" in cause(found)
    found = told("KubernetesPersistentvolumeclaimPending", LABELS, {Claim: waiting, Events: HIDDEN})
    assert cause(found) == "claim shop/data-db-0 names no StorageClass, and there is no default one"
