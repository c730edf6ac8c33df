"""What is true of the whole suite: under `make test` it runs against the built wheel, not the checkout."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from pyarrow import fs as pafs

import versemill
from versemill import mill, shards
from versemill.asset import Asset
from versemill.camera import Camera, intrinsics, look_at
from versemill.curated import Curated
from versemill.materials.material import Material
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.plan import Plan
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.render import CameraConfig, RenderConfig, render
from versemill.training.geometry import unproject
from versemill.training.scenes import Scene

# How long an example takes depends on what else the machine does: no test fails for it.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


def pytest_sessionstart(session: pytest.Session) -> None:
    wheel = os.environ.get("VERSEMILL_WHEEL")
    for package in (versemill, mill) if wheel else ():
        if not Path(str(package.__file__)).is_relative_to(str(wheel)):
            raise pytest.UsageError(f"{package.__name__} comes from {package.__file__}, not from the wheel in {wheel}")


@dataclass(frozen=True)
class S3:
    """An S3 server of this machine.

    Attributes:
        port: on the loopback interface.
        environment: variables by which pyarrow, fsspec and AWS's own tools find it, in this process and in workers.
        bucket: makes a bucket of that name and returns its URI.
    """

    port: int
    environment: dict[str, str]
    bucket: Callable[[str], str]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """Moto's S3 on the loopback interface, in a process of its own; nothing leaves the machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            assert server.poll() is None, "moto.server ended; is moto installed?"
            try:
                urllib.request.urlopen(endpoint, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "moto.server does not answer"
                time.sleep(0.1)
        environment = {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

        def bucket(name: str) -> str:
            urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=30).close()
            return f"s3://{name}"

        yield S3(port, environment, bucket)
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def toy_preset() -> GaussiansRecipe:
    """Small enough that a step takes hundredths of a second."""
    return GaussiansRecipe(
        name="toy", hardware="any", time="seconds", expected="nothing", size=16, patch=4, stride=2, width=32, layers=2, heads=2,
        steps=6, batch=2, input_views=3, target_views=4, warmup=2, save_every=3, amp="off",
    )  # fmt: skip


def ball(seed: int, size: int = 16, views: int = 8) -> Scene:
    """A ball of radius 0.6-0.9 at the origin, coloured by position; 4 x 4 rays per pixel."""
    rng = np.random.default_rng(seed)
    radius, mix = rng.uniform(0.6, 0.9), rng.uniform(-0.5, 0.5, (3, 3))
    eyes = rng.normal(size=(views, 3))
    eyes *= 3.0 / np.linalg.norm(eyes, axis=1, keepdims=True)
    K = intrinsics(45.0, size, size)
    fine = intrinsics(45.0, 4 * size, 4 * size)
    rgb, alpha, depth = [], [], []
    for eye in eyes:
        origins, directions = Camera(look_at(eye), fine, 4 * size, 4 * size).rays()
        a, b, c = (directions**2).sum(-1), (origins * directions).sum(-1), (origins**2).sum(-1) - radius**2
        root = b * b - a * c
        hit = root > 0
        z = np.where(hit, (-b - np.sqrt(np.maximum(root, 0))) / a, 0)
        color = np.clip(0.5 + (origins + z[..., None] * directions) @ mix, 0, 1) * hit[..., None]
        pooled = [np.mean(t.reshape(size, 4, size, 4, -1), (1, 3)) for t in (color, hit.astype(float), z)]
        rgb.append(pooled[0])
        alpha.append(pooled[1])
        depth.append(np.where(pooled[1] > 0.5, pooled[2] / np.maximum(pooled[1], 1e-9), 0))
    rgb_, alpha_, depth_ = (torch.tensor(np.stack(t)).permute(0, 3, 1, 2).float() for t in (rgb, alpha, depth))
    c2w = torch.tensor(np.stack([look_at(eye) for eye in eyes])).float()
    points = unproject(depth_[None], c2w[None], torch.tensor(K).float().expand(1, views, 3, 3))[0]
    normal = torch.nn.functional.normalize(points, dim=1) * (depth_ > 0)
    return Scene(rgb_, alpha_, depth_, normal, c2w, torch.tensor(K).float().expand(views, 3, 3), f"ball {seed}")


@pytest.fixture(scope="session")
def make_ball() -> Callable[[int, int, int], Scene]:
    """(seed, size, views) -> scene."""
    return ball


class Balls(list[Scene]):
    """Scenes as a family's `data` gives them."""

    indices = property(lambda self: list(range(len(self))))


@pytest.fixture(scope="session")
def balls() -> Balls:
    return Balls(ball(seed) for seed in range(5))


def box_asset(index: int) -> Asset:
    rng = np.random.default_rng(index)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * [1.0, *rng.uniform(0.3, 1.0, 2)]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    colors = [tuple(rng.uniform(0.1, 0.9, 3)) + (1.0,) for _ in range(6)]
    return Asset(
        vertices=corners.astype(np.float32),
        faces=faces,
        uvs=np.zeros((12, 3, 2), np.float32),
        material_ids=np.repeat(np.arange(6), 2).astype(np.int32),
        part_ids=np.zeros(12, np.int32),
        materials=tuple(Material(name=f"side {k}", base_color=color) for k, color in enumerate(colors)),
        part_names=("box",),
        index=index,
    )


@pytest.fixture(scope="session")
def boxes() -> list[Asset]:
    return [box_asset(index) for index in range(6)]


@pytest.fixture(scope="session")
def box_dataset(tmp_path_factory: pytest.TempPathFactory, boxes: list[Asset]) -> Path:
    """A dataset folder: 4 training assets, one each in val and test; 6 views of 32 x 32."""
    folder = tmp_path_factory.mktemp("boxes")
    (folder / "shards").mkdir()
    config = RenderConfig(
        width=32, height=32, quality="fast", cameras=CameraConfig(views=6), passes=("rgb", "normal", "depth", "mask")
    )
    rows = [
        shards.encode_row(
            Curated(asset, asset.vertices, asset.faces), render(asset, config), None,
            config=shards.ShardsConfig(), digest="d", fingerprint="f", split=split,
        )
        for asset, split in zip(boxes, ("train", "train", "val", "train", "test", "train"), strict=True)
    ]  # fmt: skip
    shards.seal(pafs.LocalFileSystem(), str(folder / "shards" / "shard-000000.parquet"), rows, {})
    return folder


@pytest.fixture(scope="session")
def mill_here() -> Callable[..., None]:
    """`mill.run.driver.run` in this process, without Ray."""

    def run(pipeline: Pipeline, out: str | Path, progress: bool = False) -> None:
        folder = Path(out) / "shards"
        if folder.exists():
            return
        folder.mkdir(parents=True)
        plan = Plan.of(pipeline, {})
        made = [stages.make(plan.recipe("d", "f"), plan.order(index)).outcome for index in range(plan.assets)]
        rows = [row for row in made if not hasattr(row, "reason")]
        shards.seal(pafs.LocalFileSystem(), str(folder / "shard-000000.parquet"), rows, {})

    return run
