"""`python -m benchmarks`: every measurement after the other, and one summary. `--quick` for a first look.

`benchmarks.health_cluster` is not among them: it fills a real control plane, which takes minutes.
"""

import sys

from benchmarks import audit, courier, durability, memory, slash_ack, trivial_job, webhook
from benchmarks.common import machine, main


def run(is_quick: bool) -> list[str]:
    said: list[str] = []
    for each in (durability, audit, trivial_job, slash_ack, webhook, courier, memory):
        print(f"\n=== {each.__name__.rpartition('.')[2]}: {str(each.__doc__).splitlines()[0]}")
        said += each.run(is_quick)
    return ["\n=== summary", machine(), *said]


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
