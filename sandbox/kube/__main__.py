"""`python -m sandbox.kube --port 6443`: the stand-in as a process of its own, ticking every second."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from sandbox.kube import build
from sandbox.kube.standin import KubeStandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.kube")
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--tls", action="store_true", help="serve HTTPS; kubectl needs it")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--token", default="")
    parser.add_argument("--kubeconfig", type=Path, default=Path("kube-stand-in.kubeconfig"))
    arguments = parser.parse_args()
    with KubeStandIn(port=arguments.port, tls=arguments.tls, token=arguments.token, tick_every=1.0) as kube:
        kube.apply(build.node(f"node-{number}") for number in range(arguments.nodes))
        print(f"{kube.url}, kubeconfig in {kube.kubeconfig(arguments.kubeconfig)}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
