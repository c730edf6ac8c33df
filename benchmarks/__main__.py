"""`python -m benchmarks NAME [--quick] [--json]`: runs one benchmark and prints its tables."""

import argparse
import importlib
import json
import pkgutil
import sys
from inspect import signature

from rich.console import Console
from rich.table import Table as RichTable

import benchmarks
from benchmarks.common import Benchmark, machine

NOT_BENCHMARKS = {
    "__main__",
    "common",
    "faults",
    "foreign_blender",
    "hostile_files",
    "hostile_texts",
    "overhead",
    "render_curve",
    "render_device",
    "render_geometry",
    "trivial",
}
OPTIONS = ("device", "plot", "folder", "objects", "settings", "minutes")
"""Arguments that some parts take; one that its part does not take is refused."""


def main() -> int:
    """Parses the command line, runs the benchmark, prints; returns the exit code."""
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in NOT_BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="smaller samples: a smoke test, not a measurement")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object of the figures")
    parser.add_argument("--part", help="one part of a benchmark that has parts; see PARTS in its module")
    parser.add_argument("--device", help="for parts that render: auto, cpu or cuda")
    parser.add_argument("--plot", help="a PNG to write, for a part that has a plot")
    parser.add_argument("--folder", help="a folder of files, for a benchmark that reads them")
    parser.add_argument("--objects", type=int, help="how many objects, for a part that compares on them")
    parser.add_argument("--minutes", type=float, help="how long to train, for a benchmark that trains")
    parser.add_argument(
        "--set", action="append", dest="settings", metavar="KEY=VALUE", help="a setting, for a part that has some; repeatable"
    )
    args = parser.parse_args()
    module = importlib.import_module(f"benchmarks.{args.name}")
    parts = {"": module.run, **getattr(module, "PARTS", {})}
    if (args.part or "") not in parts:
        parser.error(f"'{args.name}' has no part '{args.part}'; it has {', '.join(list(parts)[1:]) or 'none'}")
    options = {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}
    try:
        signature(parts[args.part or ""]).bind(quick=args.quick, **options)
    except TypeError as error:
        parser.error(f"'{args.name}' {args.part or ''}: {error}")
    result: Benchmark = parts[args.part or ""](quick=args.quick, **options)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(
        f"[bold]{args.name}[/bold]{' (quick: not a measurement)' if args.quick else ''} on {machine()}", highlight=False
    )
    if result.peer:
        console.print(f"peer: {result.peer}", highlight=False)
    for table in result.tables:
        shown = RichTable(title=table.title, title_justify="left")
        for k, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if k == 0 else "right")
        for row in table.rows:
            shown.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
        console.print(shown)
    if args.json:
        sys.stdout.write(json.dumps({"benchmark": args.name, "quick": args.quick, **result.figures}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
