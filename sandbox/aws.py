"""AWS on loopback: moto's server in a thread of this process, and the one cluster the bot asks about.

Owns the server, made-up credentials and the EKS cluster with its node group. Because moto runs here, a
cluster can be put into a state that AWS only passes through, such as UPDATING. Called by tests and by
`make sandbox`; must never let a call reach the real AWS, so clients get the endpoint and the credentials
explicitly and processes get `env`. Moto checks no credentials and knows no add-ons, insights or updates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import wraps
from types import TracebackType
from typing import Any, Self

import boto3
import urllib3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends
from moto.server import ThreadedMotoServer

# Hundreds of images that nobody asks for.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

REGION = "eu-west-1"
ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox"


class Aws:
    endpoint_url: str

    def __init__(self, region: str = REGION) -> None:
        self.region = region
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            server.start()
            closing.callback(server.stop)
            host, port = server.get_host_and_port()
            self.endpoint_url = f"http://{host}:{port}"
            # Moto's state belongs to the process, not to the server: an earlier one may have left some.
            self.reset()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """A second call does nothing."""
        self._closing.close()

    @property
    def env(self) -> Mapping[str, str]:
        """For a process that must see this AWS and no other, not even the machine's own files or role."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def reset(self) -> None:
        """Forget everything that was created."""
        with urllib3.PoolManager() as pool:
            answer = pool.request("POST", f"{self.endpoint_url}/moto-api/reset", timeout=60)
        if answer.status != 200:
            raise RuntimeError(f"moto did not reset: {answer.status}")

    def client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def instance(self, id: str, zone: str, region: str | None = None) -> None:
        """A running EC2 instance of this id; a second call does nothing. Loads moto's EC2, which takes seconds and
        200 MB, so only when it is needed."""
        from moto.ec2.models import ec2_backends

        region = region or self.region
        known = ec2_backends[DEFAULT_ACCOUNT_ID][region]
        if any(each.id == id for made in known.reservations.values() for each in made.instances):
            return
        client = self.client("ec2", region)
        try:
            made = client.run_instances(
                ImageId="ami-0c7e1f4d2a9b35e60",
                MinCount=1,
                MaxCount=1,
                InstanceType="m5.large",
                Placement={"AvailabilityZone": zone},
            )
        finally:
            client.close()
        # The API gives ids away as it likes.
        (given,) = (each["InstanceId"] for each in made["Instances"])
        for reservation in known.reservations.values():
            for each in reservation.instances:
                each.id = id if each.id == given else each.id

    def power(self, id: str, region: str | None = None, *, is_on: bool) -> None:
        """Start or stop an instance."""
        client = self.client("ec2", region or self.region)
        try:
            (client.start_instances if is_on else client.stop_instances)(InstanceIds=[id])
        finally:
            client.close()

    def eks_cluster(
        self,
        name: str,
        region: str | None = None,
        version: str = "1.36",
        *,
        status: str = "ACTIVE",
        nodegroup: str = "workers",
        nodegroup_status: str = "ACTIVE",
    ) -> None:
        """A cluster with one node group; `status` may be one that AWS only passes through."""
        region = region or self.region
        client = self.client("eks", region)
        role = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{name}"
        subnets = ["subnet-1", "subnet-2"]
        try:
            client.create_cluster(
                name=name, version=version, roleArn=role, resourcesVpcConfig={"subnetIds": subnets}
            )
            client.create_nodegroup(
                clusterName=name,
                nodegroupName=nodegroup,
                nodeRole=role,
                subnets=subnets,
                version=version,
                scalingConfig={"minSize": 1, "maxSize": 10, "desiredSize": 3},
            )
        finally:
            client.close()
        # The API creates everything finished; no call of it leads to another state.
        cluster = eks_backends[DEFAULT_ACCOUNT_ID][region].clusters[name]
        cluster.nodegroups[nodegroup].status = nodegroup_status
        cluster.status = status

    def network(self, name: str, region: str | None = None) -> str:
        """Put an EKS cluster into a VPC of its own with a subnet; the id of the VPC. Loads moto's EC2, as `instance`
        does."""
        region = region or self.region
        _honour_dry_runs()
        client = self.client("ec2", region)
        try:
            vpc = str(client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])
            subnet = str(client.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"])
        finally:
            client.close()
        # Of its own accord moto names no VPC.
        cluster = eks_backends[DEFAULT_ACCOUNT_ID][region].clusters[name]
        cluster.resources_vpc_config = {"vpcId": vpc, "subnetIds": [subnet]}
        return vpc


def _honour_dry_runs() -> None:
    """moto takes the dry run of an ACL's entry for the thing itself."""
    from moto.ec2.responses.network_acls import NetworkACLs

    for name in ("create_network_acl_entry", "delete_network_acl_entry"):
        method = getattr(NetworkACLs, name)
        if not hasattr(method, "__wrapped__"):
            setattr(NetworkACLs, name, _dry_first(method))


def _dry_first(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(method)
    def answered(asked: Any) -> Any:
        asked.error_on_dryrun()
        return method(asked)

    return answered
