"""Assets, and the small words beside them: checks with reasons, the way back, configuration, errors."""

import dataclasses
import pickle

import numpy as np
import pytest
from pydantic import Field, ValidationError

from versemill.asset import Asset
from versemill.config import Config, canonical_json, digest
from versemill.errors import AssetError, ConfigError
from versemill.fields import FIELD_ARRAYS, Fields
from versemill.materials.material import Material


def _broken(asset: Asset, name: str, at, value) -> Asset:
    array = getattr(asset, name).copy()
    array[at] = value
    return dataclasses.replace(asset, **{name: array})


@pytest.mark.parametrize(
    ("name", "at", "value", "reason"),
    [
        ("vertices", (3, 1), np.nan, "not_finite"),
        ("uvs", (0, 0, 0), np.inf, "not_finite"),
        ("faces", (2, 0), -1, "bad_index"),
        ("faces", (2, 0), 10**6, "bad_index"),
        ("material_ids", 0, 3, "bad_material"),
        ("part_ids", 0, -1, "bad_material"),
    ],
)
def test_check_names_the_reason(textured, name, at, value, reason) -> None:
    textured.check()
    with pytest.raises(AssetError) as caught:
        _broken(textured, name, at, value).check()
    assert caught.value.reason == reason


def test_an_empty_asset_is_refused(textured) -> None:
    fields = ("faces", "uvs", "material_ids", "part_ids")
    with pytest.raises(AssetError) as caught:
        dataclasses.replace(textured, **{name: getattr(textured, name)[:0] for name in fields}).check()
    assert caught.value.reason == "empty"


@pytest.mark.parametrize("name", ["vertices", "faces", "uvs"])
def test_wrong_types_are_refused_at_once(textured, name) -> None:
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(textured, **{name: getattr(textured, name).astype(np.float64)})
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(textured, **{name: getattr(textured, name)[..., :1]})


def test_normalized_fits_the_box_and_keeps_the_way_back(textured) -> None:
    moved = dataclasses.replace(textured, vertices=textured.vertices * np.float32(30) + np.float32([500, -3, 7]))
    done = moved.normalized()
    low, high = done.vertices.min(0), done.vertices.max(0)
    assert (high - low).max() == 2
    np.testing.assert_allclose(low + high, 0, atol=1e-6)
    back = np.asarray(done.center) + done.scale * done.vertices.astype(np.float64)
    source = np.asarray(moved.center) + moved.scale * moved.vertices.astype(np.float64)
    np.testing.assert_allclose(back, source, atol=1e-4)
    again = done.normalized()
    np.testing.assert_allclose(again.vertices, done.vertices, atol=1e-6)
    assert again.scale == pytest.approx(done.scale)


def test_normalized_ignores_what_no_face_uses(textured) -> None:
    far = dataclasses.replace(textured, vertices=np.concatenate([textured.vertices, np.float32([[1e6, 0, 0]])]))
    np.testing.assert_array_equal(far.normalized().vertices[:-1], textured.normalized().vertices)


def test_a_point_has_no_extent(textured) -> None:
    with pytest.raises(AssetError) as caught:
        dataclasses.replace(textured, vertices=np.ones_like(textured.vertices)).normalized()
    assert caught.value.reason == "no_extent"


def test_content_hash_sees_what_is_seen(textured) -> None:
    same = dataclasses.replace(textured, caption="other", seed=99, provenance={})
    assert same.content_hash == textured.content_hash
    changed = [
        _broken(textured, "vertices", (0, 0), 0.25),
        _broken(textured, "uvs", (0, 0, 0), 0.25),
        _broken(textured, "material_ids", 0, (textured.material_ids[0] + 1) % 3),
        dataclasses.replace(textured, materials=textured.materials[::-1]),
        dataclasses.replace(textured, normals=np.zeros((len(textured.faces), 3, 3), np.float32)),
    ]
    assert len({asset.content_hash for asset in (textured, *changed)}) == 6


def test_material_hash_sees_texels_and_modes() -> None:
    red, blue = np.zeros((2, 4, 4, 4), np.uint8)
    blue[..., 2] = 1
    options = [{}, {"roughness": 0.1}, {"alpha_mode": "blend"}, {"base_color_texture": red}, {"base_color_texture": blue}]
    assert len({Material(**option).content_hash for option in options}) == 5
    assert Material(name="a", metallic=1, source="x").content_hash == Material(name="b", metallic=1.0).content_hash
    with pytest.raises(ValueError, match="normal_texture"):
        Material(normal_texture=red)


def test_fields_refuse_wrong_shapes() -> None:
    arrays = {name: np.zeros((2, columns) if columns else 2, np.float32) for name, columns in FIELD_ARRAYS.items()}
    arrays["voxels"] = arrays["voxels"].astype(np.uint8)
    Fields(**arrays)
    with pytest.raises(ValueError, match="surface"):
        Fields(**{**arrays, "surface": np.zeros((2, 3), np.float32)})
    with pytest.raises(ValueError, match="near_sdf"):
        Fields(**{**arrays, "near_sdf": np.zeros(3, np.float32)})


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": [1, 0.5, None], "a": "é"}) == '{"a":"\\u00e9","b":[1,0.5,null]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
    assert digest([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_config_is_frozen_and_closed() -> None:
    class Sample(Config):
        count: int = Field(3, gt=0)

    with pytest.raises(ValidationError):
        Sample(cuont=4)
    with pytest.raises(ValidationError):
        Sample(count=0)
    with pytest.raises(ValidationError):
        Sample().count = 5


def test_errors_survive_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(AssetError("not_finite", "3 of 4 vertices hold NaN")))
    assert (type(error), error.reason, str(error)) == (AssetError, "not_finite", "3 of 4 vertices hold NaN")
    assert ConfigError("x").exit_code == 2
