"""The manifests of k8s/ as a cluster would get them: kustomize (it is in kubectl) over one overlay.

Called by the tests of shipping; whoever calls it needs the control plane's programs (sandbox/envtest.py).
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sandbox import envtest

K8S = Path(__file__).parents[1] / "k8s"

Json = dict[str, Any]


def overlays() -> list[str]:
    return sorted(file.parent.name for file in K8S.glob("overlays/*/kustomization.yaml"))


def rendered(overlay: str) -> str:
    program = envtest.present() / "kubectl"
    argv = [str(program), "kustomize", str(K8S / "overlays" / overlay)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return str(done.stdout)


def of_kind(text: str, kind: str) -> dict[str, Json]:
    """By name."""
    documents = (each for each in yaml.safe_load_all(text) if each)
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == kind}


def pods_of(text: str) -> Iterator[tuple[str, Json]]:
    """The template of every pod, by the name of its Deployment or StatefulSet."""
    for kind in ("Deployment", "StatefulSet"):
        for name, each in of_kind(text, kind).items():
            yield name, each["spec"]["template"]
