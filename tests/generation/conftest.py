"""A small dataset of boxes with field points and condition views."""

import sys
from pathlib import Path

import pytest
from pyarrow import fs as pafs

from versemill import shards
from versemill.asset import Asset
from versemill.curated import Curated
from versemill.curation import sample
from versemill.curation.config import FieldsConfig
from versemill.render import CameraConfig, RenderConfig, render

sys.path.insert(0, str(Path(__file__).parent))  # the tests import `view_networks` by name


def _of_boxes(folder: Path, boxes: list[Asset], splits: tuple[str, ...]) -> Path:
    (folder / "shards").mkdir()
    views = RenderConfig(width=48, height=48, cameras=CameraConfig(preset="triposg", views=6))
    fields = FieldsConfig(
        surface_points=2048, sharp_points=512, near_points=1024, sharp_near_points=512, volume_points=1024, voxel_resolution=8
    )
    rows = []
    for asset, split in zip(boxes, splits, strict=True):
        curated = Curated(asset, asset.vertices, asset.faces)
        rows.append(
            shards.encode_row(
                curated, render(asset, views), sample(curated, fields),
                config=shards.ShardsConfig(), digest="d", fingerprint="f", split=split,
            )
        )  # fmt: skip
    shards.seal(pafs.LocalFileSystem(), str(folder / "shards" / "shard-000000.parquet"), rows, {})
    return folder


@pytest.fixture(scope="session")
def shape_dataset(tmp_path_factory: pytest.TempPathFactory, boxes: list[Asset]) -> Path:
    """4 training assets, one each in val and test; 6 views of 48 x 48 by TripoSG's cameras; a thousand points of each kind."""
    return _of_boxes(tmp_path_factory.mktemp("shapes"), boxes, ("train", "train", "val", "train", "test", "train"))


@pytest.fixture(scope="session")
def held_dataset(tmp_path_factory: pytest.TempPathFactory, boxes: list[Asset]) -> Path:
    """The same, all of it for tests."""
    return _of_boxes(tmp_path_factory.mktemp("held"), boxes, ("test",) * 6)
