"""Shards: writing, the first sample, bytes read for some columns, loading against WebDataset, a ledger of a million rows."""

import importlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from pyarrow import fs as pafs
from torch.utils.data import DataLoader, Dataset, IterableDataset

from benchmarks.common import Benchmark, Table, measure
from versemill import seeds
from versemill.asset import Asset
from versemill.camera import Camera, intrinsics, look_at
from versemill.curated import Curated
from versemill.materials import Material
from versemill.mill.folder import dataset as layout
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import config
from versemill.shards import SCHEMA, ShardDataset, ShardsConfig, decode_views, encode_row, seal
from versemill.shards.dataset import RowReader
from versemill.shards.folder import open_shard
from versemill.shards.reading import Selection
from versemill.shards.streaming import ShardStream
from versemill.views import Views

FS = pafs.LocalFileSystem()


def _trace(camera: Camera, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """A ball with bumps in its normals and grain in its colours: neither flat nor smooth."""
    origins, directions = camera.rays()
    a, b = (directions**2).sum(-1), (origins * directions).sum(-1)
    disc = b * b - a * ((origins**2).sum(-1) - 1)
    hit = disc > 0
    depth = np.where(hit, (-b - np.sqrt(np.maximum(disc, 0))) / a, 0)
    point = np.where(hit[..., None], origins + depth[..., None] * directions, 0)
    normal = point + 0.1 * np.sin(30 * point[..., [1, 2, 0]]) * hit[..., None]
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    light = np.clip(normal @ np.array([0.3, 0.4, 0.86]), 0.1, 1)[..., None]
    colour = light * (128 + 100 * np.sin(9 * point)) + rng.normal(0, 3, (*hit.shape, 3))
    rgb = np.concatenate([colour.clip(0, 255), np.full((*hit.shape, 1), 255)], -1) * hit[..., None]
    return {"rgb": rgb.astype(np.uint8), "normal": (normal * hit[..., None]).astype(np.float32),
            "depth": depth.astype(np.float32), "mask": hit}  # fmt: skip


def _row(index: int, views: int, size: int) -> pa.Table:
    rng = seeds.stream(0, index, "benchmarks/shards")
    cameras = []
    for _ in range(views):
        eye = rng.normal(size=3)
        cameras.append(Camera(look_at(3 * eye / np.linalg.norm(eye)), intrinsics(49.1, size, size), size, size))
    images = [_trace(camera, rng) for camera in cameras]
    passes = {name: np.stack([i[name] for i in images]) for name in images[0]}
    texture = rng.integers(0, 255, (128, 128, 4), dtype=np.uint8)
    vertices = rng.uniform(-1, 1, (3000, 3)).astype(np.float32)
    faces = rng.integers(0, 3000, (6000, 3)).astype(np.int32)
    asset = Asset(vertices, faces, np.zeros((6000, 3, 2), np.float32), np.zeros(6000, np.int32), np.zeros(6000, np.int32),
                  (Material(base_color_texture=texture),), ("part",), index=index)  # fmt: skip
    curated = Curated(asset, vertices, faces)
    return encode_row(
        curated, Views(tuple(cameras), passes), None, config=ShardsConfig(), digest="", fingerprint="", split="train"
    )


def _renumbered(row: pa.Table, index: int) -> pa.Table:
    value = row.to_pylist()[0]
    value["meta"] |= {"index": index, "id": f"0-{index:08d}"}
    return pa.Table.from_pylist([value], schema=SCHEMA)


def _png16(image: NDArray[np.uint16]) -> bytes:
    """A 16-bit grey PNG; channels stacked below each other, because Pillow has no 16-bit colour: as many bytes to inflate."""
    out = io.BytesIO()
    Image.fromarray(image.reshape(-1, image.shape[-1])).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _write_tar(path: Path, rows: list[pa.Table]) -> None:
    """The same views as PNG files, 16 bit for normals and depth, as WebDataset users store them."""
    with tarfile.open(path, "w") as tar:
        for row in rows:
            value = row.to_pylist()[0]
            views, name = decode_views(value["views"]), value["meta"]["id"]
            members = {"cameras.json": json.dumps([c.c2w.tolist() for c in views.cameras]).encode()}
            for k in range(len(views.cameras)):
                png = io.BytesIO()
                Image.fromarray(views.passes["rgb"][k]).save(png, "PNG", compress_level=1)
                normal = np.rint((views.passes["normal"][k].transpose(2, 0, 1) + 1) / 2 * 65535).astype(np.uint16)
                members[f"{k:03d}.rgb.png"] = png.getvalue()
                members[f"{k:03d}.normal.png"] = _png16(normal)
                members[f"{k:03d}.depth.png"] = _png16(np.rint(views.passes["depth"][k] * 10000).astype(np.uint16))
            for member, data in sorted(members.items()):
                info = tarfile.TarInfo(f"{name}.{member}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


class _Tar(IterableDataset[dict[str, Any]]):
    """The peer: webdataset reads, only the drawn views are decoded, to the same tensors as ours."""

    def __init__(self, urls: list[str], views: int, total: int) -> None:
        self.urls, self.views, self.total = urls, views, total

    def __iter__(self) -> Iterator[dict[str, Any]]:
        webdataset = importlib.import_module("webdataset")  # a peer, not a dependency

        for sample in webdataset.WebDataset(self.urls, shardshuffle=False, empty_check=False):
            picked = np.random.default_rng(0).choice(self.total, self.views, replace=False)
            images: dict[str, list[torch.Tensor]] = {"rgb": [], "normal": [], "depth": []}
            for k in picked:
                rgb, normal, depth = (np.asarray(Image.open(io.BytesIO(sample[f"{k:03d}.{n}.png"]))) for n in images)
                images["rgb"].append(torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32) / 255))
                stacked = normal.reshape(3, -1, normal.shape[-1]).astype(np.float32)
                images["normal"].append(torch.from_numpy(stacked * np.float32(2 / 65535) - 1))
                images["depth"].append(torch.from_numpy(depth.astype(np.float32) / 10000)[None])
            yield {name: torch.stack(stack) for name, stack in images.items()}


def _rate(dataset: Dataset[dict[str, Any]], samples: int) -> tuple[float, float]:
    """Samples per second with 2 workers, after the first, the best of three; CPU milliseconds per sample in one process."""
    rate = 0.0
    for _ in range(3):
        walk = iter(DataLoader(dataset, batch_size=None, num_workers=2))
        next(walk)
        begin = time.perf_counter()
        for _ in range(samples - 1):
            next(walk)
        rate = max(rate, (samples - 1) / (time.perf_counter() - begin))
        del walk
    with measure() as alone:
        for _ in DataLoader(dataset, batch_size=None):
            pass
    return rate, alone.cpu / samples * 1000


def _column_cost(path: Path, columns: list[str]) -> float:
    """Bytes fetched for some columns, over their bytes in the file; counted at the file."""
    read = 0

    class Counted(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            nonlocal read
            count = super().readinto(buffer) or 0
            read += count
            return count

        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            data = super().read(size) or b""
            read += len(data)
            return data

    with pq.ParquetFile(pa.PythonFile(Counted(path), "r")) as file:
        file.read(columns=columns)
        groups = [file.metadata.row_group(g) for g in range(file.num_row_groups)]
    chunks = [group.column(c) for group in groups for c in range(group.num_columns)]
    return read / sum(c.total_compressed_size for c in chunks if any(c.path_in_schema.startswith(k) for k in columns))


def _simulate(folder: Path, shards: int, per_shard: int = 64) -> None:
    """A finished dataset of `shards * per_shard` assets as far as its ledger goes; the shards themselves are sparse files."""
    stages = {name: [1.2345, 0.6789] for name in ("source", "curate", "render", "fields", "encode")}
    made_with = fingerprint("cpu")
    info = layout.describe(config.load("quickstart", assets=shards * per_shard), shards * per_shard, {})
    dataset = layout.Dataset.at(folder)
    dataset.write("dataset.json", info)
    for name in ("shards", "ledger", "timings"):
        (folder / name).mkdir()
    for shard in range(shards):
        indices = list(range(shard * per_shard, (shard + 1) * per_shard))
        names = list(info["config"]["sources"])
        sources = {str(i): names[i % len(names)] for i in indices}
        rejection = {"index": indices[-1], "source": names[0], "stage": "score", "reason": "flat", "message": "0.01 < 0.1"}
        facts = {"shard": shard, "file": dataset.shard_file(shard), "sha256": f"{shard:064x}", "bytes": 10_000_000 + shard}
        entry = {**facts, "rows": per_shard - 1, "indices": indices[:-1], "sources": sources, "rejections": [rejection],
                 "failures": [], "digest": info["digest"], "fingerprint": made_with}  # fmt: skip
        assets = {str(i): {"source": sources[str(i)], "status": "row", "wall": 2.5, "seconds": stages} for i in indices}
        (folder / dataset.timings_file(shard)).write_text(json.dumps({"shard": shard, "assets": assets}, indent=1))
        (folder / dataset.ledger_file(shard)).write_text(json.dumps(entry, indent=1))
        with (folder / dataset.shard_file(shard)).open("wb") as file:
            file.truncate(10_000_000 + shard)


def _look(what: str, folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of `versemill status` or `versemill verify --quick`, whole program."""
    program = (
        "import sys; from pathlib import Path; from versemill.mill.cli import app; app(standalone_mode=False); "
        "sys.stderr.write(Path('/proc/self/status').read_text())"
    )
    with measure() as span:
        done = subprocess.run([sys.executable, "-c", program, *what.split(), str(folder)], capture_output=True, check=True)
    peak = next(line for line in done.stderr.decode().splitlines() if line.startswith("VmHWM:"))
    return span.wall, span.cpu, int(peak.split()[1]) / 1e3


def _ledger(shards: int) -> tuple[Table, dict[str, float]]:
    table = Table(f"a ledger of {shards} shards, {shards * 64:,} assets", ["command", "s", "CPU s", "peak MB"])
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        _simulate(Path(folder), shards)
        for name, what in (("census", "status"), ("status", "status"), ("verify_quick", "verify --quick")):
            wall, cpu, megabytes = _look(what, Path(folder))
            table.rows.append([what + (", first time" if name == "census" else ""), wall, cpu, megabytes])
            figures |= {f"{name}_s": wall, f"{name}_cpu_s": cpu, f"{name}_mb": megabytes}
    return table, figures


def run(quick: bool) -> Benchmark:
    """64 assets x 16 views x 256²; quick: 16 x 8 x 64²."""
    torch.set_num_threads(1)
    assets, views, size = (16, 8, 64) if quick else (64, 16, 256)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shards" / "shard-000000.parquet"
        with measure() as encoding:
            distinct = [_row(i, views, size) for i in range(4)]
        rows = [_renumbered(distinct[i % 4], i) for i in range(assets)]
        writing, plain = [], []
        for _ in range(3):  # what the kernel does for new pages of a file varies threefold: the best of three
            with measure() as span:
                sealed = seal(FS, str(path), rows, {})
            writing.append(span.cpu)
            data = path.read_bytes()
            with measure() as span:
                (Path(folder) / "plain.bin").write_bytes(data)
            plain.append(span.cpu)
            (Path(folder) / "plain.bin").unlink()
        figures["write_mb_per_cpu_s"] = sealed.bytes / 1e6 / min(writing)
        figures["plain_write_mb_per_cpu_s"] = sealed.bytes / 1e6 / min(plain)
        figures["shard_mb"] = sealed.bytes / 1e6
        with measure() as opening:
            ShardDataset(folder)[assets // 2]
        figures["first_sample_s"] = opening.wall
        figures["first_sample_cpu_s"] = opening.cpu
        shard = open_shard(FS, str(path))
        reader = RowReader(FS, ["views.depth", "views.count", "meta.id"], 1)
        with measure() as access:
            for k in range(0, assets, 3):
                list(reader.row(shard, k)["views"]["depth"])
        figures["one_pass_random_row_ms"] = access.wall / len(range(0, assets, 3)) * 1000
        figures["columns_read_over_their_bytes"] = _column_cost(path, ["views.rgb", "views.depth"])
        tar = Path(folder) / "peer-{000000..000001}.tar"
        halves = [rows[: assets // 2], rows[assets // 2 :]]
        urls = [str(tar.with_name(f"peer-{k:06d}.tar")) for k in range(2)]
        for url, half in zip(urls, halves, strict=True):
            _write_tar(Path(url), half)
        peer_mb = sum(Path(url).stat().st_size for url in urls) / 1e6
        loading = Table(
            "loading rgb, normal, depth; 2 workers",
            ["views", "stream /s", "map style /s", "peer /s", "stream ratio", "stream CPU ms", "peer CPU ms", "CPU ratio"],
        )
        for some in (views // 4, views):
            passes = ("rgb", "normal", "depth")
            ours, ours_cpu = _rate(ShardStream(folder, selection=Selection(passes=passes, views=some)), assets)
            by_index, _ = _rate(ShardDataset(folder, passes=passes, views=some), assets)
            peer, peer_cpu = _rate(_Tar(urls, some, views), assets)
            ratios = [ours / peer, ours_cpu, peer_cpu, peer_cpu / ours_cpu]
            loading.rows.append([f"{some} of {views}", ours, by_index, peer, *ratios])
            name = "all" if some == views else "quarter"
            figures |= {
                f"load_{name}_per_s": ours,
                f"load_{name}_map_style_ratio": by_index / peer,
                f"load_{name}_ratio": ours / peer,
                f"load_{name}_cpu_ratio": peer_cpu / ours_cpu,
            }
    main = Table(f"one shard of {assets} assets x {views} views x {size}²", ["figure", "value", "wanted"], [
        ["encode, CPU ms per view (tracing included)", encoding.cpu / (4 * views) * 1000, ""],
        ["seal, MB per CPU second", figures["write_mb_per_cpu_s"], ">= 300"],
        ["the same bytes written without Parquet or SHA-256, MB per CPU second", figures["plain_write_mb_per_cpu_s"], ""],
        ["open and first sample, s", figures["first_sample_s"], "< 0.2"],
        ["open and first sample, CPU s", figures["first_sample_cpu_s"], ""],
        ["random row, one pass, ms", figures["one_pass_random_row_ms"], ""],
        ["bytes read / bytes of the columns", figures["columns_read_over_their_bytes"], "<= 1.1"],
        ["shard, MB", figures["shard_mb"], ""],
        ["the same views as PNG in tars, MB", peer_mb, ""],
    ])  # fmt: skip
    ledger, ledger_figures = _ledger(500 if quick else 15_625)
    figures |= ledger_figures
    against = "webdataset with 8-bit PNG colour and 16-bit PNG normals and depth, Pillow"
    return Benchmark([main, loading, ledger], figures, peer=against)
