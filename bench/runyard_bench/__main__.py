"""`make bench`: measures Runyard on its real parts and prints one table."""

import argparse
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import uvloop
from runyard_standalone.distributed import NotReady
from runyard_standalone.postgres import PostgresError
from runyard_standalone.rabbitmq_install import NoRabbitMQ

from runyard_bench.client import Refused
from runyard_bench.connection import ConnectionLost
from runyard_bench.figures.alone import answer_alone, chain_alone, fan_alone
from runyard_bench.figures.live_output import live_output
from runyard_bench.figures.log_bound import log_bound
from runyard_bench.figures.plan import QUICK, Plan
from runyard_bench.figures.stored import Stored, browser_rows, memory_rows, page_rows, rebuild_row, stored
from runyard_bench.figures.throughput import throughput
from runyard_bench.figures.watchers import watchers
from runyard_bench.profile import NoProfiler
from runyard_bench.quantities import Row, markdown
from runyard_bench.system import System, running
from runyard_bench.workflows import Wrong

FIGURES = {
    "B1": "executions/s",
    "B2": "one alone",
    "B3": "fan-out",
    "B4": "approval answered",
    "B5": "event streams",
    "B6": "list pages",
    "B7": "rebuild",
    "B8": "memory",
    "B9": "live output",
    "B10": "CPU by process",
    "B11": "the list in a browser",
    "B12": "commits of one log",
}
ON_EMPTY = {"B2": chain_alone, "B3": fan_alone, "B4": answer_alone, "B9": live_output, "B5": watchers, "B1": throughput}
"""Measured in this order in one system that was empty before."""

TROUBLES = (Wrong, Refused, ConnectionLost, TimeoutError)


def main() -> int:
    arguments = _arguments()
    plan = replace(
        QUICK if arguments.quick else Plan(),
        executions=arguments.executions,
        profile=tuple(arguments.profile),
        profile_dir=arguments.profile_dir,
    )
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        rows = _measure(plan, arguments.only, arguments.form, arguments.replicas)
    except KeyboardInterrupt:
        return 130
    except (*TROUBLES, NotReady, NoRabbitMQ, PostgresError, NoProfiler) as trouble:
        print(f"{type(trouble).__name__}: {trouble}", file=sys.stderr)
        return 1
    print(f"\n{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}, {_form(arguments)}\n")
    print(markdown(rows))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="runyard_bench", description=__doc__)
    named = ", ".join(f"{number} {what}" for number, what in FIGURES.items())
    parser.add_argument("--only", type=_figures, default=list(FIGURES), metavar="B1,B2", help=f"some of: {named}")
    parser.add_argument(
        "--executions", type=int, default=0, metavar="N", help="of each run of B1; default: what takes about 12 s"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--form", choices=["distributed", "standalone"], default="distributed")
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="processes of each service, for the figures on an empty system"
    )
    parser.add_argument(
        "--profile", type=lambda text: text.split(","), default=[], metavar="PART,…", help="sample these during B1"
    )
    parser.add_argument("--profile-dir", type=Path, default=Plan.profile_dir, help="where the samples go (default %(default)s)")
    return parser.parse_args()


def _form(arguments: argparse.Namespace) -> str:
    several = f", {arguments.replicas} processes of each service" if arguments.replicas > 1 else ""
    return f"{arguments.form}{several}"


def _figures(text: str) -> list[str]:
    chosen = [each.strip().upper() for each in text.split(",")]
    if unknown := set(chosen) - set(FIGURES):
        raise argparse.ArgumentTypeError(f"there is no figure {', '.join(sorted(unknown))}")
    return chosen


def _measure(plan: Plan, only: Sequence[str], form: str, replicas: int) -> list[Row]:
    """Whatever happens, Ctrl-C too, the systems that were started are ended before this returns or raises."""
    rows: list[Row] = []
    if {*ON_EMPTY, "B10"} & set(only):
        _say(f"starting the system ({form}) …")
        with running(form, replicas) as system:
            rows += uvloop.run(_on_empty(system, plan, only))
    if {"B6", "B7", "B8", "B11"} & set(only) and form == "distributed":
        several = {"B6", "B8", "B11"} & set(only)
        sizes = [_filled(executions, plan, only) for executions in (plan.seeded if several else plan.seeded[-1:])]
        rows += page_rows(sizes) if "B6" in only else []
        rows += memory_rows(sizes) if "B8" in only else []
        rows += [rebuild_row(sizes[-1])] if "B7" in only else []
        rows += browser_rows(sizes) if "B11" in only else []
    if "B12" in only and form == "distributed":
        _say("B12 …")
        rows += uvloop.run(log_bound(plan))
    return sorted(rows, key=lambda row: int(row.figure[1:]))


async def _on_empty(system: System, plan: Plan, only: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for figure, measure in ON_EMPTY.items():
        if figure in only or (figure == "B1" and "B10" in only):
            _say(f"{figure} …")
            try:
                rows += await measure(system, plan)
            except TROUBLES:
                print(system.log_tail(), file=sys.stderr)
                raise
    return [row for row in rows if row.figure in only]


def _filled(executions: int, plan: Plan, only: Sequence[str]) -> Stored:
    _say(f"B6, B7, B8, B11: {executions:,} executions …")
    with running("distributed") as system:
        return uvloop.run(
            stored(system, executions, plan, with_pages=bool({"B6", "B8"} & set(only)), with_browser="B11" in only)
        )


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
