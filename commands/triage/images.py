"""Why an image is not pulled: what the kubelet, the runtime and the registry said, with the cause and what one does.

A table of their words, tried in order. Used by pods.py and `debug startup`. Of a pull secret only whether it is
there is read.
"""

import re
from collections.abc import Mapping

from commands.finding import Finding, Light, Suggestion
from commands.model import Confidence, Gap, Read, Seen
from commands.podreads import ContainerView
from commands.reads import Nodes, NodeView
from commands.triage.knownwords import Meaning, Table, known
from commands.triage.rule import Diagnosing, Diagnosis
from commands.triage.scene import Scene, cause, named, node
from commands.triagereads import ImageTags
from commands.wording import nearest, one_line, unread
from commands.workloads import EcrImage, Referred, ReferredView, on_ecr

WORDS = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
        "ImageInspectError", "SignatureValidationFailed",
    }
)  # fmt: skip


_TABLE: Table = (
    (r"couldn't parse image (?:name|reference)|invalid reference format|InvalidImageName|failed to apply default image tag",
     Meaning("name", "its image name cannot be read", "correct the name: small letters, one tag, no spaces")),
    (r"not present with pull policy of Never|ErrImageNeverPull",
     Meaning("never", "the image is not on the node, and may not be pulled (imagePullPolicy Never)",
             "set imagePullPolicy to IfNotPresent")),
    (r"no match for platform|no matching manifest for|does not match the specified platform|exec format error",
     Meaning("platform", "the image is not built for the node's architecture",
             "build the image for both architectures, or bind the pod to kubernetes.io/arch")),
    (r"toomanyrequests|429 Too Many Requests|pull rate limit",
     Meaning("limit", "the registry has had too many pulls from here (429)",
             "pull through an ECR cache or with an account; it goes on by itself when the limit is over")),
    (r"pull QPS exceeded",
     Meaning("limit", "the node pulls more images at once than its kubelet may", "wait: it goes on by itself")),
    (r"authorization token has expired|token has expired",
     Meaning("ecr-auth", "the credentials for the registry have expired (ECR's last 12 h)",
             "let the kubelet's credential provider fetch them, or renew the pull secret")),
    (r"not authorized to perform:? ecr:|AccessDenied(?:Exception)?\b.*ecr|ecr:.*AccessDenied",
     Meaning("ecr-403", "the node's role may not pull from ECR",
             "attach AmazonEC2ContainerRegistryReadOnly (or PullOnly) to the node role")),
    (r"no basic auth credentials",
     Meaning("ecr-auth", "the registry got no credentials from the node",
             "give the node role AmazonEC2ContainerRegistryReadOnly, and see that the registry's region is right")),
    (r"403 Forbidden",
     Meaning("ecr-403", "the registry refuses the node (403)",
             "let the repository's policy allow this account, and the node role pull")),
    (r"no space left on device",
     Meaning("disk", "the node's disk is full", "free its disk or replace the node")),
    (r"x509: |certificate signed by unknown authority|certificate has expired",
     Meaning("tls", "the node does not trust the registry's certificate", "install the registry's CA on the nodes")),
    (r"server gave HTTP response to HTTPS client",
     Meaning("tls", "the registry speaks plain HTTP", "give it a certificate, or allow it in the runtime's hosts file")),
    (r"no such host|server misbehaving|Temporary failure in name resolution",
     Meaning("dns", "the registry's name does not resolve on the node",
             "check the name, the node's DNS and, in a private VPC, the endpoints for ecr.api and ecr.dkr")),
    (r"i/o timeout|TLS handshake timeout|context deadline exceeded|Client\.Timeout|connection timed out|request canceled",
     Meaning("timeout", "the node does not reach the registry in time",
             "check its way out: NAT gateway, security groups, endpoints for ecr.api, ecr.dkr and s3")),
    (r"connection refused|network is unreachable|no route to host|connection reset by peer",
     Meaning("timeout", "the node cannot connect to the registry", "check its way out and the registry's port")),
    (r"repository .*does not exist in the registry|NAME_UNKNOWN|name unknown|RepositoryNotFound",
     Meaning("repository", "the registry has no such repository", "correct the repository's name, or create it")),
    (r"manifest unknown|MANIFEST_UNKNOWN|not found: manifest|manifest for .* not found|: not found\b|tag .* not found",
     Meaning("tag", "the registry has no such tag", "correct the tag, or push the image")),
    (r"pull access denied|insufficient_scope|requested access to the resource is denied",
     Meaning("denied", "the registry has no such repository, or it is private and there are no credentials",
             "correct the name, or name a pull secret in the pod or its service account")),
    (r"401 Unauthorized|unauthorized|authentication required|authorization failed|authorize",
     Meaning("denied", "the registry does not take the credentials (401)", "renew the pull secret")),
    (r"\b50[0-4] (?:Internal|Bad|Service|Gateway)|unexpected status.*\b5\d\d\b",
     Meaning("registry", "the registry itself fails", "wait, or see the registry's status page")),
    (r"failed to extract layer|unexpected EOF|failed commit on ref|unexpected commit digest|failed to unpack",
     Meaning("broken", "a layer of the image did not arrive whole", "push the image again, and look at the node's disk")),
    (r"SignatureValidationFailed|signature",
     Meaning("signature", "the image's signature was not accepted", "sign the image, or correct the policy")),
)  # fmt: skip


def refusal(message: str) -> Meaning:
    found = known(_TABLE, message, re.IGNORECASE)
    return (
        found[0] if found else Meaning("other", "its image cannot be pulled", "read what the registry said")
    )


def message(scene: Scene, container: ContainerView) -> str:
    """The most that was said: the event of the failed pull, else the container's own words."""
    pulls = [event.message for event in scene.said("Failed", "InspectFailed", "ErrImageNeverPull")]
    mine = [each for each in pulls if "pull" in each.casefold() and container.image in each] or [
        each for each in pulls if "image" in each.casefold() and not each.startswith("Error: ")
    ]
    return (mine or [f"{container.word}: {container.message}"])[0]


def diagnose(scene: Scene, container: ContainerView) -> Diagnosing:
    text = message(scene, container)
    found = refusal(f"{text} {container.word}")
    reads = _more(scene, container, found)
    seen = (yield reads) if reads else Seen({})
    facts, gaps = _facts(scene, container, found, seen)
    said = f"{named(scene, container)} does not start: {found.text} ({container.image}){_missing(seen)}"
    pulled = Finding(
        "AL-25", "Image pull", Light.RED, found.text,
        evidence=(f"what to do: {found.fix}", *facts, one_line(text, 380), f"image {container.image}"),
    )  # fmt: skip
    confidence = Confidence.POSSIBLE if found.kind == "other" else Confidence.CERTAIN
    return Diagnosis(cause(scene, said, confidence, *_steps(scene, found)), (pulled, *gaps))


def _more(scene: Scene, container: ContainerView, found: Meaning) -> tuple[Read, ...]:
    secrets = tuple(Referred(scene.pod.namespace, "Secret", name) for name in _pull_secrets(scene))
    match found.kind:
        case "tag" | "repository":
            return (ImageTags(container.image),) if on_ecr(container.image) else ()
        case "platform":
            return (Nodes(),)
        case "ecr-auth" | "ecr-403":
            return (Nodes(), *secrets)
        case "denied" | "limit":
            return secrets
    return ()


def _pull_secrets(scene: Scene) -> tuple[str, ...]:
    return scene.spec.pull_secrets if scene.spec else ()


def _facts(
    scene: Scene, container: ContainerView, found: Meaning, seen: Mapping[Read, object]
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    facts: list[str] = []
    gaps: list[Finding] = []
    for read, answer in seen.items():
        if isinstance(answer, Gap):
            gaps.append(unread("AL-25", _LABELS.get(type(read).__name__, "Registry"), answer))
        elif isinstance(read, ImageTags):
            facts.append(_tags(container.image, answer))
        elif isinstance(read, Referred) and isinstance(answer, ReferredView):
            facts.append(_secret(read.name, answer))
        elif isinstance(read, Nodes):
            facts += _about_node(scene, container, found, answer)
    if found.kind in ("denied", "ecr-auth") and scene.spec and not scene.spec.pull_secrets:
        facts.append("the pod names no imagePullSecret")
    return tuple(filter(None, facts)), tuple(gaps)


_LABELS = {"ImageTags": "Tags", "Referred": "Pull secret", "Nodes": "Node"}


def _secret(name: str, view: ReferredView) -> str:
    if not view.exists:
        return f"pull secret {name} does not exist"
    if view.keys is not None and not view.keys & {".dockerconfigjson", ".dockercfg"}:
        return f"pull secret {name} is there and is none for a registry: it has no .dockerconfigjson"
    return f"pull secret {name} is there"


def _missing(seen: Mapping[Read, object]) -> str:
    """; of the pull secrets that were to let it in, those that are not there."""
    gone = [
        read.name
        for read, answer in seen.items()
        if isinstance(read, Referred) and isinstance(answer, ReferredView) and not answer.exists
    ]
    return f"; its pull secret {', '.join(gone)} does not exist" if gone else ""


def _tags(image: str, tags: object) -> str:
    if tags is None:
        return "ECR has no such repository in this account and region"
    known = tuple(map(str, tags)) if isinstance(tags, tuple) else ()
    wanted = (on_ecr(image) or EcrImage("", "", "")).tag
    near = [*nearest(wanted, known), *known]
    close = list(dict.fromkeys(near))[:3]
    return f"nearest tags: {', '.join(close)}" if close else "the repository is empty"


def _about_node(scene: Scene, container: ContainerView, found: Meaning, nodes: object) -> list[str]:
    listed: tuple[NodeView, ...] = nodes if isinstance(nodes, tuple) else ()
    mine = next((each for each in listed if each.name == scene.pod.node), None)
    if mine is None:
        return []
    if found.kind == "platform":
        archs = sorted({each.labels.get("kubernetes.io/arch", "?") for each in listed})
        own = mine.labels.get("kubernetes.io/arch", "of unknown architecture")
        return [f"{mine.name} is {own}; the cluster has {', '.join(archs)}"]
    ecr, region = on_ecr(container.image), mine.labels.get("topology.kubernetes.io/region", "")
    facts = [f"the registry is account {ecr.account} in {ecr.region}"] if ecr else ["it is not on ECR"]
    if ecr and region and ecr.region != region:
        facts.append(f"the node is in {region}: another region")
    return facts


def _steps(scene: Scene, found: Meaning) -> tuple[Suggestion, ...]:
    if found.kind == "disk":
        return (*node(scene), Suggestion("Disks of the nodes", "node disk"))
    if found.kind in ("platform", "timeout", "dns"):
        return node(scene)
    owner = scene.typed_owner
    return (Suggestion("What was rolled out", f"deploy history {owner}"),) if owner else ()
