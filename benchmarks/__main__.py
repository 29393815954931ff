"""`python -m benchmarks`: every measurement after the other, and one summary. `--quick` for a first look.

Drains need a real control plane and take ten minutes: they are among them where KUBEBUILDER_ASSETS says where it
is. `benchmarks.health_cluster` and `benchmarks.drain_plan` are not: they fill one with 10,000 pods first.
"""

import os
import sys

from benchmarks import (
    alerts,
    audit,
    courier,
    drain,
    drain_beside,
    durability,
    incidents,
    memory,
    slash_ack,
    telling,
    trivial_job,
    webhook,
)
from benchmarks.common import machine, main

ALL = (durability, audit, trivial_job, slash_ack, webhook, courier, alerts, incidents, memory, telling)
ON_A_CONTROL_PLANE = (drain, drain_beside)


def run(is_quick: bool) -> list[str]:
    said: list[str] = []
    for each in (*ALL, *(ON_A_CONTROL_PLANE if os.environ.get("KUBEBUILDER_ASSETS") else ())):
        print(f"\n=== {each.__name__.rpartition('.')[2]}: {str(each.__doc__).splitlines()[0]}")
        said += each.run(is_quick)
    return ["\n=== summary", machine(), *said]


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
