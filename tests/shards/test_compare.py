"""Equal means bytes; equivalent means within the stated tolerances, and no further."""

import dataclasses

import numpy as np
import pytest
from pyarrow import fs as pafs

from versemill.curated import Curated
from versemill.shards import ShardsConfig, encode_row, seal
from versemill.shards.compare import OUTLIERS, compare_shards
from versemill.views import PASSES, Views

FS = pafs.LocalFileSystem()


def write(path, sphere, change=lambda asset, views, fields: (asset, views, fields), fingerprint="one"):
    asset, views, fields = change(sphere.asset(), sphere.views(2, 32), sphere.fields())
    curated = Curated(asset, asset.vertices, asset.faces)
    row = encode_row(curated, views, fields, config=ShardsConfig(), digest="c" * 64, fingerprint=fingerprint, split="train")
    seal(FS, str(path), [row], {})
    return str(path)


def passes(views, **changed):
    return Views(views.cameras, {**views.passes, **changed}, views.info, views.tags)


def test_the_same_bytes_are_equal(sphere, tmp_path):
    a, b = (write(tmp_path / name, sphere) for name in "ab")
    comparison = compare_shards(FS, a, b)
    assert comparison.equal
    assert comparison.equivalent


def test_another_fingerprint_with_small_differences_is_equivalent_never_equal(sphere, tmp_path):
    def nudge(asset, views, fields):
        depth = np.where(views.passes["mask"], views.passes["depth"] + np.float32(3e-4), 0).astype(np.float32)
        sdf = fields.near_sdf + np.float32(2e-4)
        return asset, passes(views, depth=depth), dataclasses.replace(fields, near_sdf=sdf)

    comparison = compare_shards(FS, write(tmp_path / "a", sphere), write(tmp_path / "b", sphere, nudge, "two"))
    assert not comparison.equal
    assert comparison.problems == []


def change_depth(asset, views, fields):
    return (
        asset,
        passes(views, depth=np.where(views.passes["mask"], views.passes["depth"] + np.float32(5e-3), 0).astype(np.float32)),
        fields,
    )


def change_mask(asset, views, fields):
    mask = views.passes["mask"].copy()
    mask[:, :2] = True
    return asset, passes(views, mask=mask), fields


def change_colour(asset, views, fields):
    return (
        asset,
        passes(views, rgb=np.where(views.passes["mask"][..., None], views.passes["rgb"] // 2, 0).astype(np.uint8)),
        fields,
    )


def change_sdf(asset, views, fields):
    return asset, views, dataclasses.replace(fields, vol_sdf=-fields.vol_sdf)


def change_caption(asset, views, fields):
    return dataclasses.replace(asset, caption="Another."), views, fields


def change_volume(asset, views, fields):
    return dataclasses.replace(asset, vertices=asset.vertices * np.float32(0.99)), views, fields


def drop_fields(asset, views, fields):
    return asset, views, None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_depth, "pass 'depth' differs by more than 0.001"),
        (change_mask, "of the mask differs"),
        (change_colour, "pass 'rgb'"),
        (change_sdf, "field 'vol_sdf'"),
        (change_caption, "meta.caption differs"),
        (change_volume, "watertight volume"),
        (drop_fields, "only one of them has fields"),
    ],
)
def test_larger_differences_are_named(sphere, tmp_path, change, words):
    comparison = compare_shards(FS, write(tmp_path / "a", sphere), write(tmp_path / "b", sphere, change, "two"))
    assert not comparison.equivalent
    assert [p for p in comparison.problems if words in p.message and p.row == "cccccccc-00000000"]


def test_missing_rows_are_a_difference(sphere, tmp_path):
    seal(FS, str(tmp_path / "a"), [sphere.row(i, views=2, size=16) for i in (0, 1)], {})
    seal(FS, str(tmp_path / "b"), [sphere.row(i, views=2, size=16) for i in (0,)], {})
    (problem,) = compare_shards(FS, str(tmp_path / "a"), str(tmp_path / "b")).problems
    assert problem.kind == "rows"
    assert "cccccccc-00000001 stands where the other shard has nothing" in problem.message


def test_every_pass_has_a_tolerance():
    assert all(each.tolerance >= 0 for each in PASSES.values())
    assert all(each.tolerance > 0 for each in PASSES.values() if each.kind != "id")
    assert 0 < OUTLIERS <= 0.05
