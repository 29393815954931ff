"""The sandbox's small AWS: what the house asks by itself is answered here, and moto is there for what nobody foresaw."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.cloud import KEY, Cloud
from sandbox.shop.inventory import CLUSTER, MACHINES, NODEGROUP, REGION


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def client(cloud: Cloud, service: str) -> Any:
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY}
    return boto3.client(service, region_name=REGION, endpoint_url=cloud.endpoint_url, **keys)


def test_what_the_house_asks_needs_no_moto_which_would_hold_150_mb_until_the_end(cloud: Cloud) -> None:
    eks, ec2 = client(cloud, "eks"), client(cloud, "ec2")
    assert eks.describe_cluster(name=CLUSTER)["cluster"]["status"] == "ACTIVE"
    group = eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=NODEGROUP)["nodegroup"]
    assert group["scalingConfig"]["desiredSize"] == len(MACHINES)
    assert eks.list_updates(name=CLUSTER)["updateIds"] == []
    # What changed of the node group is asked with its name behind a question mark.
    assert eks.list_updates(name=CLUSTER, nodegroupName=NODEGROUP)["updateIds"] == []
    with pytest.raises(ClientError, match="No cluster found for name: other"):
        eks.describe_cluster(name="other")
    found = ec2.describe_instances(InstanceIds=[MACHINES[0].instance])["Reservations"]
    assert found[0]["Instances"][0]["State"]["Name"] == "running"
    cloud.power(MACHINES[0], is_on=False)
    asked = {"InstanceIds": [MACHINES[0].instance], "IncludeAllInstances": True}
    (status,) = ec2.describe_instance_status(**asked)["InstanceStatuses"]
    assert status["InstanceState"]["Name"] == "stopped"
    events = client(cloud, "cloudtrail").lookup_events(StartTime=datetime.now(UTC) - timedelta(hours=1))
    assert events["Events"] == []
    with pytest.raises(ClientError, match="SubscriptionRequired"):
        client(cloud, "health").describe_events()
    assert cloud.is_small


def test_what_nobody_foresaw_is_asked_of_moto() -> None:
    with Cloud() as cloud:
        assert client(cloud, "ec2").describe_key_pairs()["KeyPairs"] == []
        assert not cloud.is_small
