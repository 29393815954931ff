"""A small AWS on loopback: what the sandbox's bot asks of it by itself, and moto for all the rest, once that is asked.

Owns the EKS cluster with its node group and the machines at EC2, of which a fault may stop one. It is not moto at once,
because moto's EKS and EC2 take two seconds and 160 MB, more than the bot and its workers; sandbox/aws.py is, and tests
use that. Checks no credentials, and no call reaches the real AWS: `env` names this address and made-up keys.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import urllib3

from sandbox.shop.inventory import AGE, CLUSTER, KUBERNETES, MACHINES, NODEGROUP, REGION, Machine

Json = dict[str, Any]
Answer = tuple[int, str, bytes]  # status, content type, body

ACCOUNT = "123456789012"
KEY = "sandbox"
VERSION = KUBERNETES.removeprefix("v").rpartition(".")[0]
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/")
_EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"


def environment(endpoint: str) -> Mapping[str, str]:
    """For a process that must see this AWS and no other, not even the machine's own files or role."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Cloud:
    endpoint_url: str

    def __init__(self) -> None:
        self._stopped: dict[str, datetime.datetime] = {}
        self._more: str = ""  # moto's address, once there is one
        self._lock = threading.Lock()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            server = _Server(("127.0.0.1", 0), _Handler)
            server.cloud = self
            self.endpoint_url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="aws", daemon=True)
            thread.start()
            closing.callback(thread.join)
            closing.callback(server.server_close)
            closing.callback(server.shutdown)
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def env(self) -> Mapping[str, str]:
        return environment(self.endpoint_url)

    @property
    def is_small(self) -> bool:
        """Nothing was asked yet that only moto knows."""
        return not self._more

    def power(self, machine: Machine, is_on: bool) -> None:
        """Start or stop a machine."""
        if is_on:
            self._stopped.pop(machine.instance, None)
        else:
            self._stopped[machine.instance] = datetime.datetime.now(datetime.UTC)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        found = _SERVICE.search(headers.get("authorization", ""))
        service = found["service"] if found else ""
        own: Mapping[str, Callable[[], Answer | None]] = {
            "eks": lambda: self._eks(method, path),
            "ec2": lambda: self._ec2({key: value[0] for key, value in parse_qs(body.decode()).items()}),
            "health": lambda: _refused("SubscriptionRequiredException", "no business support plan"),
            "cloudtrail": lambda: _json(200, {"Events": []}),
        }
        answer = own[service]() if service in own else None
        return answer or self._ask_moto(method, path, headers, body)

    # --- EKS

    def _eks(self, method: str, path: str) -> Answer | None:
        """None for what is not known here."""
        if method != "GET":
            return None
        match unquote(path.partition("?")[0]).strip("/").split("/"):
            case ["clusters", name]:
                return _json(200, {"cluster": _cluster()}) if name == CLUSTER else _unknown("cluster", name)
            case ["clusters", _, "node-groups", name]:
                known = name == NODEGROUP
                return _json(200, {"nodegroup": _nodegroup()}) if known else _unknown("node group", name)
            case ["clusters", _, "updates"]:
                return _json(200, {"updateIds": []})
        return None

    # --- EC2

    def _ec2(self, asked: Mapping[str, str]) -> Answer | None:
        ids = [value for key, value in asked.items() if key.startswith("InstanceId.")]
        machines = [each for each in MACHINES if each.instance in ids or not ids]
        told: Mapping[str, Callable[[Machine], str]] = {
            "DescribeInstances": self._instance,
            "DescribeInstanceStatus": self._status,
        }
        action = asked.get("Action", "")
        if action not in told:
            return None
        if len(machines) < len(ids):
            return _xml(400, _NO_INSTANCE)
        inside = "".join(told[action](each) for each in machines)
        name = "reservationSet" if action == "DescribeInstances" else "instanceStatusSet"
        return _xml(
            200,
            f'<{action}Response xmlns="{_EC2}"><requestId>0</requestId><{name}>{inside}</{name}></{action}Response>',
        )

    def _instance(self, machine: Machine) -> str:
        since = self._stopped.get(machine.instance)
        code, state = (80, "stopped") if since else (16, "running")
        why = ""
        if since:
            why = (
                f"<reason>User initiated ({since:%Y-%m-%d %H:%M:%S} GMT)</reason><stateReason>"
                "<code>Client.UserInitiatedShutdown</code>"
                "<message>Client.UserInitiatedShutdown: User initiated shutdown</message></stateReason>"
            )
        born = datetime.datetime.now(datetime.UTC) - AGE
        return (
            f"<item><reservationId>r-{machine.instance[2:]}</reservationId><ownerId>{ACCOUNT}</ownerId><instancesSet><item>"
            f"<instanceId>{machine.instance}</instanceId><instanceType>m5.large</instanceType>"
            f"<instanceState><code>{code}</code><name>{state}</name></instanceState>{why}"
            f"<placement><availabilityZone>{machine.zone}</availabilityZone></placement>"
            f"<privateIpAddress>{machine.address}</privateIpAddress><privateDnsName>{escape(machine.name)}</privateDnsName>"
            f"<launchTime>{born:%Y-%m-%dT%H:%M:%S.000Z}</launchTime></item></instancesSet></item>"
        )

    def _status(self, machine: Machine) -> str:
        is_off = machine.instance in self._stopped
        code, state = (80, "stopped") if is_off else (16, "running")
        word = "not-applicable" if is_off else "ok"
        return (
            f"<item><instanceId>{machine.instance}</instanceId><availabilityZone>{machine.zone}</availabilityZone>"
            f"<instanceState><code>{code}</code><name>{state}</name></instanceState>"
            f"<systemStatus><status>{word}</status></systemStatus>"
            f"<instanceStatus><status>{word}</status></instanceStatus></item>"
        )

    # --- the rest

    def _ask_moto(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        kept = {key: value for key, value in headers.items() if key not in ("connection", "content-length")}
        address = f"{self._moto()}{path}"
        found = urllib3.request(method, address, body=body, headers=kept, retries=False, timeout=30)
        return found.status, found.headers.get("Content-Type", "application/json"), found.data

    def _moto(self) -> str:
        with self._lock:
            if not self._more:
                from sandbox.aws import Aws

                moto = self._closing.enter_context(Aws(REGION))
                moto.eks_cluster(CLUSTER, version=VERSION, nodegroup=NODEGROUP)
                self._more = moto.endpoint_url
            return self._more


def _cluster() -> Json:
    return {
        "name": CLUSTER,
        "arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
        "status": "ACTIVE",
        "version": VERSION,
        "platformVersion": "eks.9",
        "endpoint": f"https://{CLUSTER}.{REGION}.eks.amazonaws.com",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{CLUSTER}",
        "resourcesVpcConfig": {"subnetIds": [], "securityGroupIds": []},
        "health": {"issues": []},
    }


def _nodegroup() -> Json:
    return {
        "nodegroupName": NODEGROUP,
        "clusterName": CLUSTER,
        "status": "ACTIVE",
        "version": VERSION,
        "scalingConfig": {"minSize": 1, "maxSize": 10, "desiredSize": len(MACHINES)},
        "instanceTypes": ["m5.large"],
        "health": {"issues": []},
    }


def _json(status: int, body: Json) -> Answer:
    return status, "application/json", json.dumps(body).encode()


def _refused(kind: str, message: str) -> Answer:
    return 400, "application/x-amz-json-1.1", json.dumps({"__type": kind, "message": message}).encode()


def _unknown(what: str, name: str) -> Answer:
    body = {"__type": "ResourceNotFoundException", "message": f"No {what} found for name: {name}."}
    return _json(404, body)


_NO_INSTANCE = (
    "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID does not exist</Message>"
    "</Error></Errors><RequestID>0</RequestID></Response>"
)


def _xml(status: int, text: str) -> Answer:
    return status, "text/xml;charset=UTF-8", f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    cloud: Cloud


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        status, kind, content = server.cloud.answer(self.command, self.path, headers, body)
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status == 404 and b"ResourceNotFound" in content:
                self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """The bot's own log has it."""
