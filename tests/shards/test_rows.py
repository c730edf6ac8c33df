"""A row holds the asset, its views and its fields: exact, or within the quantum that docs/shards.md states."""

import dataclasses
import json

import numpy as np
import pytest

from versemill.covisibility import covisibility
from versemill.curated import Curated
from versemill.errors import AssetError, ShardError
from versemill.fields import FIELD_ARRAYS
from versemill.gltf import from_glb
from versemill.shards import SCHEMA, ShardsConfig, decode_fields, decode_mesh, decode_views, encode_row, read_rows, schema
from versemill.shards.codecs import LEVELS
from versemill.shards.schema import COLUMNS, leaves
from versemill.views import PASSES, Views


@pytest.fixture(scope="module")
def row(sphere):
    return sphere.row(3).to_pylist()[0]


def test_meta_tells_what_the_asset_is(sphere, row):
    asset, meta = sphere.asset(0, 3), row["meta"]
    assert meta["id"] == "cccccccc-00000003"
    assert (meta["seed"], meta["index"], meta["source"], meta["split"]) == (0, 3, "zeroverse", "train")
    assert meta["content_hash"] == asset.content_hash
    assert meta["tags"] == ["ball", "clipped", "smooth"]
    assert meta["licences"] == ["CC0-1.0"]
    assert json.loads(meta["provenance"]) == asset.provenance
    assert json.loads(meta["methods"]) == {"watertight": "closed"}
    assert meta["depth_to_surface"] == 1e-4


def test_views_return_exactly_or_within_their_quantum(sphere, row):
    views, decoded = sphere.views(index=3), decode_views(row["views"])
    assert decoded.info == views.info
    assert decoded.tags == views.tags
    for a, b in zip(views.cameras, decoded.cameras, strict=True):
        np.testing.assert_array_equal(a.c2w, b.c2w)
        np.testing.assert_array_equal(a.K, b.K)
    assert set(decoded.passes) == set(PASSES)
    quanta = {"normal": 2, "geometric_normal": 2, "depth": 2 * sphere.radius, "position": 2 * sphere.radius}
    for name, images in views.passes.items():
        if name in quanta:
            limit = quanta[name] / LEVELS / 2 + 1e-6
            assert np.abs(decoded.passes[name] - images).max() <= limit, name
            np.testing.assert_array_equal(decoded.passes[name] == 0, images == 0) if name == "depth" else None
        else:
            np.testing.assert_array_equal(decoded.passes[name], images, err_msg=name)


def test_lighting_and_covisibility_are_kept(sphere):
    views, asset = sphere.views(4, 32), sphere.asset()
    lit = dataclasses.replace(views, lighting=np.array([0, 1, 0, 2], np.int32))
    common = {"config": ShardsConfig(), "digest": "", "fingerprint": "", "split": "test"}
    group = encode_row(Curated(asset, asset.vertices, asset.faces), lit, None, **common).to_pylist()[0]["views"]
    assert group["lighting"] == [0, 1, 0, 2] == decode_views(group).lighting.tolist()
    assert views.lighting.tolist() == [0, 0, 0, 0]
    expected = covisibility(views.cameras, views.passes["depth"])
    np.testing.assert_array_equal(np.array(group["covisibility"], np.float32), expected)
    with pytest.raises(ValueError, match=r"lighting must be \(4,\) int32"):
        dataclasses.replace(views, lighting=np.zeros(3, np.int32))


def test_decoded_normals_are_unit_within_their_quantum(row):
    normal = decode_views(row["views"]).passes["normal"]
    length = np.linalg.norm(normal, axis=-1)
    assert np.abs(length[length > 0] - 1).max() < 1e-4


def test_fields_and_watertight_mesh_return_bit_for_bit(sphere, row):
    fields, asset = sphere.fields(index=3), sphere.asset(0, 3)
    decoded = decode_fields(row["fields"])
    for name in FIELD_ARRAYS:
        assert getattr(decoded, name).tobytes() == getattr(fields, name).tobytes()
    assert decoded.stats == fields.stats
    vertices, faces = decode_mesh(row["mesh"])
    np.testing.assert_array_equal(vertices, asset.vertices)
    np.testing.assert_array_equal(faces, asset.faces)


def test_the_glb_holds_the_asset(sphere, row):
    asset, back = sphere.asset(0, 3), from_glb(row["mesh"]["glb"])
    assert len(back.faces) == len(asset.faces) == row["mesh"]["face_count"]
    np.testing.assert_allclose(back.vertices[back.faces], asset.vertices[asset.faces], atol=1e-6)


@pytest.mark.parametrize("place", ["pass", "field", "watertight"])
def test_nan_is_refused_with_its_place(sphere, place):
    asset, views, fields = sphere.asset(), sphere.views(2, 16), sphere.fields()
    vertices = asset.vertices
    if place == "pass":
        depth = views.passes["depth"].copy()
        depth[0, 8, 8] = np.nan
        views = Views(views.cameras, {**views.passes, "depth": depth})
    elif place == "field":
        sdf = fields.near_sdf.copy()
        sdf[0] = np.inf
        fields = dataclasses.replace(fields, near_sdf=sdf)
    else:
        vertices = np.where(np.arange(len(vertices))[:, None] == 0, np.float32(np.nan), vertices)
    with pytest.raises(AssetError) as error:
        encode_row(
            Curated(asset, vertices, asset.faces), views, fields, config=ShardsConfig(), digest="", fingerprint="", split="val"
        )
    assert error.value.reason == "not_finite"
    assert {"pass": "depth", "field": "near_sdf", "watertight": "watertight_vertices"}[place] in str(error.value)


def test_groups_and_passes_that_were_not_made_are_null(sphere):
    asset = sphere.asset()
    curated = Curated(asset, asset.vertices, asset.faces)
    common = {"config": ShardsConfig(), "digest": "", "fingerprint": "", "split": "test"}
    bare = encode_row(curated, None, None, **common).to_pylist()[0]
    assert bare["views"] is None
    assert bare["fields"] is None
    some = encode_row(curated, sphere.views(2, 16, ("rgb", "depth")), None, **common).to_pylist()[0]
    assert some["views"]["normal"] is None
    assert set(decode_views(some["views"]).passes) == {"rgb", "depth"}


def test_an_empty_view_and_a_flat_view_have_a_range(sphere):
    views = sphere.views(2, 16, ("depth",))
    depth = np.zeros_like(views.passes["depth"])
    depth[1, 4:8] = 2.5
    asset = sphere.asset()
    row = encode_row(Curated(asset, asset.vertices, asset.faces), Views(views.cameras, {"depth": depth}), None,
                     config=ShardsConfig(), digest="", fingerprint="", split="val")  # fmt: skip
    group = row.to_pylist()[0]["views"]
    assert group["depth_range"] == [[0.0, 0.0], [2.5, 2.5]]
    np.testing.assert_array_equal(decode_views(group).passes["depth"], depth)


def test_encoding_is_deterministic(sphere):
    assert sphere.row(1).equals(sphere.row(1))
    assert not sphere.row(1).equals(sphere.row(2))


def test_the_schema_has_every_pass_and_every_field_array():
    assert set(PASSES) <= set(COLUMNS["views"])
    assert set(FIELD_ARRAYS) <= set(COLUMNS["fields"])
    assert schema() == SCHEMA
    assert len(leaves()) == len(set(leaves())) == sum(len(group) for group in COLUMNS.values())


def test_read_rows_reads_what_is_asked(spheres):

    path = str(spheres.path / "shards" / "shard-000001.parquet")
    rows = list(read_rows(path, ["meta.index", "views.depth"]))
    assert [row["meta"]["index"] for row in rows] == [5, 6, 7, 8, 9]
    assert set(rows[0]) == {"meta", "views"}
    assert set(rows[0]["views"]) == {"depth"}
    with pytest.raises(ShardError, match=r"unknown column 'views.dept'.*depth"):
        list(read_rows(path, ["views.dept"]))
