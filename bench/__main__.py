"""`python -m bench`: see bench/run."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import traceback
from typing import Any

from . import cli, cluster, create, forecast, lxc, parallel, pve, quota, rest, scale, throughput, usage, vm
from .figure import MISSED, Bench, Figure, chosen, list_table, promised, table
from .timing import say

BENCHES = (
    [module.BENCH for module in (create, cli, scale, throughput, rest, parallel, forecast, usage, pve)]
    + lxc.BENCHES
    + cluster.BENCHES
    + quota.BENCHES
    + vm.BENCHES
)


def main() -> int:
    """Run what is asked for; 1 where a goal is missed, or a bench fails."""
    arguments = parse()
    try:
        benches = chosen(BENCHES, arguments.names)
    except ValueError as error:
        say(str(error))
        return 2
    if arguments.list:
        print(json.dumps(promised(benches), indent=1) if arguments.json else list_table(benches))
        return 0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    figures, failures = measured(benches, arguments.quick)
    print(show(figures, failures, arguments.quick, arguments.json))
    return 1 if failures or any(figure.verdict == MISSED for figure in figures) else 0


def interrupted(*_: object) -> None:
    """Take everything down, and let nothing cut that short."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser("bench/run", description="Measure what the product promises.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a bench or one of its figures; all where none is named"
    )
    parser.add_argument("--list", action="store_true", help="name the figures and their goals, measure nothing")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args()


def measured(benches: list[Bench], quick: bool) -> tuple[list[Figure], list[str]]:
    """The figures, and what went wrong: a bench that fails does not keep the others from being run."""
    figures: list[Figure] = []
    failures: list[str] = []
    for bench in benches:
        say(f"--- {bench.name}")
        try:
            for figure in bench.run(quick):
                figures.append(figure)
                say(table([figure]).splitlines()[1])
        except Exception as error:
            traceback.print_exc()
            failures.append(f"bench {bench.name} failed: {error}")
    return figures, failures


def show(figures: list[Figure], failures: list[str], quick: bool, as_json: bool) -> str:
    """The result, for people or machines."""
    if as_json:
        whole = {"machine": machine(), "quick": quick, "figures": [figure.to_json() for figure in figures]}
        return json.dumps({**whole, "failures": failures}, indent=1)
    where = ", ".join(f"{name} {value}" for name, value in machine().items())
    return "\n".join([table(figures), f"{'quick, ' if quick else ''}{where}", *failures])


def machine() -> dict[str, Any]:
    """Where this was measured."""
    samba = subprocess.run(["smbd", "--version"], capture_output=True, text=True).stdout.split()[-1]
    load = f"{os.getloadavg()[1]:.1f}"
    return {
        "cpus": os.cpu_count(),
        "load": load,
        "kernel": platform.release(),
        "samba": samba,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
