"""Attacks on what reads files of others, on a run's processes and on a dataset's bytes: what was tried, how it was handled.

An attempt is handled when it ends in an answer that the documents promise: a file is read, or refused with a reason, or its
process is killed for the time or memory it takes, and what is read can be written as a row; a fault costs its asset alone; a
flipped bit is found by `verify`, or `verify` says that it does not look at that file; a name is shown as it is; a page of YAML
is refused in a line and in under a second.
"""

import io
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from benchmarks import faults, hostile_files, hostile_texts, trivial
from benchmarks.common import Benchmark, Table
from versemill import curation
from versemill.asset import Asset
from versemill.curated import Curated
from versemill.errors import AssetError, ConfigError, VersemillError
from versemill.gltf import to_glb
from versemill.markdown import MARKUP, inert
from versemill.mill.folder import checked
from versemill.mill.pipeline import config
from versemill.mill.run import driver
from versemill.mill.run.alone import Alone
from versemill.mill.terminal import CONTROL, Terminal
from versemill.mill.upkeep.verify import notes, verify
from versemill.seeds import stream
from versemill.shards import ShardsConfig, encode_row

DEADLINE_S, MEMORY_MB = 60.0, 3000
"""Of one file; what reaches them is killed, which counts as handled."""

KINDS = ("glb", "obj", "ply", "stl", "off")
BATCH = 50
PAGE_SECONDS = 1.0


@dataclass
class Tally:
    """What became of the attempts of one kind.

    Attributes:
        how: answer -> attempts. failed: a sentence for each attempt that was not handled.
        seconds, megabytes: of the worst, and which it was.
    """

    name: str
    how: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seconds: tuple[float, str] = (0.0, "")
    megabytes: tuple[float, str] = (0.0, "")

    @property
    def tried(self) -> int:
        """All attempts."""
        return sum(self.how.values()) + len(self.failed)

    def took(self, what: str, seconds: float, megabytes: float = 0.0) -> None:
        """An attempt's time and peak of memory."""
        self.seconds = max(self.seconds, (seconds, what))
        self.megabytes = max(self.megabytes, (megabytes, what))

    @property
    def row(self) -> list[Any]:
        """Of the table."""
        how = ", ".join(f"{count} {answer}" for answer, count in self.how.most_common(6))
        rest = len(self.how) - 6
        worst = [f"{value:.1f} ({what})" if what else "" for value, what in (self.megabytes, self.seconds)]
        return [self.name, self.tried, sum(self.how.values()), how + (f", {rest} other reasons" if rest > 0 else ""), *worst]


def attempt(path: Path, root: Path) -> tuple[str, float, float]:
    """Reads one file as a run does, and writes it as a row: the answer, seconds, and MiB at its peak. Runs in a worker."""
    _reset_peak()
    started = time.perf_counter()
    try:
        asset = curation.load(path, root=root)
        _write(asset)
        answer = "read"
    except AssetError as error:
        if hostile_files.SECRET in str(error) or "\n" in str(error):
            raise RuntimeError(f"the refusal holds what it should not: {error}") from error
        answer = error.reason
    return answer, time.perf_counter() - started, _peak()


def _write(asset: Asset) -> None:
    curated = Curated(asset, asset.vertices, asset.faces)
    row = encode_row(curated, None, None, config=ShardsConfig(), digest="", fingerprint="", split="train").to_pylist()[0]
    checked.encode({"provenance": asset.provenance})
    to_glb(asset)
    if hostile_files.SECRET in json.dumps(row["meta"], default=str):
        raise RuntimeError("the row holds the text of a file outside")
    if row["meta"]["licences"] != ["unknown"]:
        raise RuntimeError(f"the row believes the file's licence: {row['meta']['licences']}")


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def files(quick: bool) -> Tally:
    """Hostile files, each on its own."""
    tally = Tally("hostile files")
    with tempfile.TemporaryDirectory(prefix="versemill-attack-") as name, Alone(DEADLINE_S, MEMORY_MB) as worker:
        folder = Path(name) / "files"
        for path in hostile_files.write(folder, quick):
            _judge(tally, worker, path, folder)
        if marks := list(Path(name).rglob("MARK")):
            tally.failed.append(f"a file ran a command: {marks}")
    return tally


def _judge(tally: Tally, worker: Alone, path: Path, folder: Path) -> None:
    started = time.perf_counter()
    try:
        answer, seconds, megabytes = worker.call(attempt, path, folder)
        tally.how[answer] += 1
        tally.took(path.name, seconds, megabytes)
    except AssetError as error:
        tally.took(path.name, time.perf_counter() - started)
        if error.reason == "crashed":
            tally.failed.append(f"{path.name}: {error}")
        else:
            tally.how[f"killed: {error.reason}"] += 1
    except Exception as error:  # noqa: BLE001  not an answer that was promised
        tally.failed.append(f"{path.name}: {type(error).__name__}: {error}")


def fuzz(quick: bool) -> list[Tally]:
    """Mutations of one valid file of each kind."""
    count = 60 if quick else 1000
    made = []
    with tempfile.TemporaryDirectory(prefix="versemill-attack-") as name, Alone(DEADLINE_S, MEMORY_MB) as worker:
        for kind in KINDS:
            tally = Tally(f"mutations of {kind.upper()}")
            for first in range(0, count, BATCH):
                numbers = range(first, min(first + BATCH, count))
                try:
                    answers = worker.call(_mutations, kind, numbers, Path(name))
                except (AssetError, RuntimeError):  # again, each on its own
                    for number in numbers:
                        path = mutated(kind, number, Path(name))
                        _judge(tally, worker, path, path.parent)
                    continue
                for what, (answer, seconds, megabytes) in answers.items():
                    tally.how[answer] += 1
                    tally.took(what, seconds, megabytes)
            made.append(tally)
    return made


def _mutations(kind: str, numbers: range, folder: Path) -> dict[str, tuple[str, float, float]]:
    """Several mutations, one after the other. Runs in a worker."""
    attempts = {}
    for number in numbers:
        path = mutated(kind, number, folder)
        try:
            attempts[path.name] = attempt(path, folder)
        except Exception as error:  # noqa: BLE001  told by which it was
            raise RuntimeError(f"{path.name}: {type(error).__name__}: {error}") from None
        path.unlink()
    return attempts


def mutated(kind: str, number: int, folder: Path) -> Path:
    """Writes one mutation of a valid file: some bytes flipped, removed, doubled, or replaced by hostile words.

    Of GLB most have chunks of the right lengths, so that what is mutated is the document or the binary within.
    """
    rng = stream(0, number, f"benchmarks/attack/{kind}")
    if kind == "glb" and number % 4:
        document, binary = hostile_files.document()
        text = bytearray(json.dumps(document).encode())
        made = (_mutate(text, rng), binary) if number % 4 < 3 else (bytes(text), _mutate(bytearray(binary), rng))
        data = hostile_files.glb(*made)
    else:
        data = _mutate(bytearray(_valid(kind)), rng)
    path = folder / f"mutation-{number}.{kind}"
    path.write_bytes(data)
    return path


def _mutate(data: bytearray, rng: np.random.Generator) -> bytes:
    words = (
        b"-1",
        b"9" * 40,
        b"nan",
        b"1e999",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\n",
        b"[",
        b'"',
        b"../",
        b"f 1 2 3\n",
        b"4294967295",
    )
    for _ in range(int(rng.integers(1, 6))):
        at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 16))
        match int(rng.integers(5)):
            case 0 if at < len(data):
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * int(rng.integers(1, 50))
            case 3:
                data[at : at + length] = words[int(rng.integers(len(words)))]
            case _:
                data[at : at + length] = rng.bytes(length)
    return bytes(data)


def _valid(kind: str) -> bytes:
    if kind == "glb":
        return hostile_files.glb(*hostile_files.document())
    import trimesh

    shape: Any = trimesh.creation.icosphere(1)
    made = shape.export(file_type=kind)
    return made.encode() if isinstance(made, str) else bytes(made)


def process_faults(quick: bool) -> Tally:
    """Thirty faults in one dataset; see `benchmarks.faults`."""
    started = time.perf_counter()
    outcome = faults.suffer(60 if quick else 500, quick)
    tally = Tally("process faults")
    wrong = [*outcome.wrongly, *outcome.left]
    wrong += [f"{outcome.rows_differ} rows differ"] if outcome.rows_differ else []
    wrong += (
        [f"{outcome.shards_differ + outcome.after_retry} shards differ"] if outcome.shards_differ + outcome.after_retry else []
    )
    tally.failed += wrong
    tally.how["cost their asset alone"] = outcome.faults - len(wrong)
    tally.took("all", time.perf_counter() - started)
    return tally


def flips(quick: bool) -> Tally:
    """One flipped bit at a time in any file of a dataset."""
    tally, rng = Tally("flipped bits"), random.Random(1)
    with tempfile.TemporaryDirectory(prefix="versemill-attack-") as name:
        folder = Path(name) / "data"
        made = ["sources.zeroverse=null", "sources.t.source=benchmarks.trivial:TRIVIAL", "shards.assets_per_shard=8"]
        driver.run(config.load("base", overrides=made, assets=32), folder, progress=False, maker=trivial.make)
        if problems := verify(folder):
            raise VersemillError(f"the dataset is not sound to begin with: {problems[0]}")
        parts = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
        for n in range(40 if quick else 200):
            path = parts[n % len(parts)]
            original = path.read_bytes()
            data = bytearray(original)
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            tally.how.update(_seen(tally, folder, path))
            path.write_bytes(original)
    return tally


def _seen(tally: Tally, folder: Path, path: Path) -> Iterator[str]:
    started = time.perf_counter()
    what = path.relative_to(folder).as_posix()
    problems = verify(folder)
    if problems:
        yield "found"
    elif what == "lock" or any(path.name in note for note in notes(folder)):
        yield "in a file that holds no rows, which verify names"
    else:
        tally.failed.append(f"a flipped bit in {what} is not seen")
    tally.took(what, time.perf_counter() - started)


def names(quick: bool) -> Tally:
    """Names of files, read as foreign files and shown wherever names are shown."""
    tally = Tally("names")
    with tempfile.TemporaryDirectory(prefix="versemill-attack-") as name, Alone(DEADLINE_S, MEMORY_MB) as worker:
        for stem in hostile_texts.NAMES[: 20 if quick else None]:
            path = Path(name) / f"{stem.replace('/', chr(0x2215))}.obj"
            path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
            try:
                answer, seconds, megabytes = worker.call(attempt, path, path.parent)
                _show(path.name)
            except Exception as error:  # noqa: BLE001  whatever it is, it is not handled
                tally.failed.append(f"{path.name!r}: {type(error).__name__}: {error}")
            else:
                tally.how[f"shown as it is, file {answer}"] += 1
                tally.took(repr(path.name), seconds, megabytes)
    return tally


def _show(name: str) -> None:
    """Shows a name on a terminal, in a page, on a card and in a record. Raises ValueError where it acts on one of them."""
    out = io.StringIO()
    Terminal(file=out, width=400).print(f"rejected {name}: why", soft_wrap=True)
    if CONTROL.search(out.getvalue()):
        raise ValueError("the terminal is sent control characters")
    if MARKUP.search(inert(name).replace("&#", "").replace(";", "")):
        raise ValueError("the card holds markup")
    page = jinja2.Environment(autoescape=True).from_string("<td>{{ name }}</td>").render(name=name)
    if page.count("<") != 2:
        raise ValueError("the page holds elements")
    if checked.decode(checked.encode({"item": name})) != {"item": name}:
        raise ValueError("the record holds another name")


def pages(quick: bool) -> Tally:
    """Pages of YAML as `--file`."""
    tally = Tally("pages of YAML")
    with tempfile.TemporaryDirectory(prefix="versemill-attack-") as name, Alone(DEADLINE_S, MEMORY_MB) as worker:
        path = Path(name) / "own.yaml"
        for word, text in hostile_texts.PAGES.items():
            path.write_text(text)
            try:
                said, seconds, megabytes = worker.call(_read_page, path)
            except Exception as error:  # noqa: BLE001  whatever it is, it is not handled
                tally.failed.append(f"{word}: {type(error).__name__}: {error}")
                continue
            tally.took(word, seconds, megabytes)
            if said is None or "\n" in said or seconds > PAGE_SECONDS:
                tally.failed.append(f"{word}: {said!r} after {seconds:.1f} s")
            else:
                tally.how["refused in one line, exit code 2"] += 1
    return tally


def _read_page(path: Path) -> tuple[str | None, float, float]:
    """Runs in a worker; the seconds are of its processor, since the machine may be busy with other things."""
    _reset_peak()
    started = time.process_time()
    try:
        config.load("x", file=path)
        said = None
    except ConfigError as error:
        said = str(error)
    return said, time.process_time() - started, _peak()


def run(quick: bool) -> Benchmark:
    """All of them."""
    return _benchmark([files(quick), *fuzz(quick), process_faults(quick), flips(quick), names(quick), pages(quick)])


def _part(part: Callable[[bool], Tally | list[Tally]]) -> Callable[[bool], Benchmark]:
    def only(quick: bool) -> Benchmark:
        made = part(quick)
        return _benchmark(made if isinstance(made, list) else [made])

    return only


def _benchmark(tallies: list[Tally]) -> Benchmark:
    columns = ["attack", "tried", "handled", "how", "MiB at most", "seconds at most"]
    table = Table("attacks", columns, [tally.row for tally in tallies])
    failed = [sentence for tally in tallies for sentence in tally.failed]
    tables = [table, Table("not handled", ["attempt"], [[sentence[:300]] for sentence in failed])] if failed else [table]
    tried = sum(tally.tried for tally in tallies)
    most = (
        max(tally.megabytes[0] for tally in tallies),
        max(t.seconds[0] for t in tallies if t.name != "process faults" or len(tallies) == 1),
    )
    figures = {"tried": tried, "handled": tried - len(failed), "peak_mib": round(most[0], 1), "longest_s": round(most[1], 2)}
    return Benchmark(tables, figures)


PARTS = {
    "files": _part(files), "fuzz": _part(fuzz), "faults": _part(process_faults), "flips": _part(flips), "names": _part(names),
    "pages": _part(pages),
}  # fmt: skip
