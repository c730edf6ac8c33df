"""Source `damaged`: each fault is what its name says, sound assets stay sound, and curation sees what it must."""

import numpy as np
import pytest

from versemill import seeds
from versemill.asset import Asset
from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, curate, sample
from versemill.curation.config import FieldsConfig, FilterConfig
from versemill.mesh import components, face_areas, topology, volume
from versemill.mill.proof import damage
from versemill.mill.proof.damage import DAMAGED, FAULTS, DamagedConfig

ZEROVERSE = {"composition": "solid", "texture_size": 16}


def asset(index: int = 3, **settings: object) -> Asset:
    config = DamagedConfig.model_validate({"zeroverse": ZEROVERSE, "rate": 0.0, **settings})
    return DAMAGED.generate(config, 0, index, None)


def faulty(name: str, index: int = 3) -> Asset:
    return FAULTS[name](asset(index), seeds.stream(1, index, "test")).normalized()


def test_without_faults_it_is_the_generators_asset():
    from versemill import zeroverse
    from versemill.zeroverse.config import ZeroverseConfig

    plain = zeroverse.generate(ZeroverseConfig.model_validate(ZEROVERSE), 0, 3)
    sound = asset()
    np.testing.assert_array_equal(sound.faces, plain.faces)
    assert sound.provenance["faults"] == []
    assert sound.source == "damaged"


def test_faults_are_drawn_per_index_and_named():
    def drawn(**settings: object) -> list[list[str]]:
        config = DamagedConfig.model_validate(settings)
        return [damage.drawn(config, seeds.stream(0, i, "mill/damage")) for i in range(200)]

    every = drawn(rate=1.0, most=2)
    assert {len(names) for names in every} == {1, 2}
    assert {name for names in every for name in names} == set(FAULTS)
    assert 80 < sum(map(bool, drawn(rate=0.5))) < 120
    assert asset(4, rate=1.0, most=2).provenance["faults"] == every[4]


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_leaves_a_mesh_that_can_be_checked(name):
    for index in range(2):
        faulty(name, index).check()


def test_faces_are_missing():
    for name in ("holes", "bottomless"):
        assert len(faulty(name).faces) < len(asset().faces)
        assert topology(faulty(name).faces).boundary > 0


def test_parts_face_inwards():
    rng = seeds.stream(1, 3, "test")
    before, after = asset(), damage.flipped(asset(), rng)
    turned = (before.faces != after.faces).any(1)
    assert 0 < turned.sum() < len(turned)
    np.testing.assert_array_equal(before.faces[turned][:, ::-1], after.faces[turned])
    np.testing.assert_array_equal(before.uvs[turned][:, ::-1], after.uvs[turned])


def test_a_plate_lies_under_it_and_a_twin_beside_it():
    plain = damage.plate(asset(), seeds.stream(1, 3, "test"))
    assert np.ptp(plain.vertices[-4:, 2]) == 0
    assert plain.vertices[-4:, 2].min() == asset().vertices[:, 2].min()
    two = damage.twins(asset(), seeds.stream(1, 3, "test"))
    assert volume(two.vertices, two.faces) == pytest.approx(2 * volume(asset().vertices, asset().faces), rel=1e-4)
    assert components(two.faces).max() + 1 == 2 * (components(asset().faces).max() + 1)


def test_debris_is_small_and_unwelded_faces_share_nothing():
    many = damage.debris(asset(), seeds.stream(1, 3, "test"))
    added = face_areas(many.vertices, many.faces)[len(asset().faces) :]
    assert 5 <= len(added) < 30
    assert added.max() < 0.02
    assert components(faulty("unwelded").faces).max() + 1 == len(asset().faces)


def test_curation_rejects_junk_and_raw_takes_it():
    strict = CurationConfig(resolution=64, filters=FilterConfig(min_main_object=0.6, max_single_surface=0.5, max_thin=0.5))
    assert all(isinstance(curate(faulty("flat", index), strict), Rejected) for index in range(3))
    for name in sorted(FAULTS):
        raw = curate(faulty(name), CurationConfig(raw=True))
        assert isinstance(raw, Curated)
        np.testing.assert_array_equal(raw.watertight_faces, raw.asset.faces)
        fields = sample(raw, FieldsConfig(surface_points=64, sharp_points=8, near_points=64, volume_points=64))
        assert np.isfinite(fields.near_sdf).all()


def test_curation_repairs_what_faces_inwards():
    """Raw distances have the wrong sign in flipped parts; curated ones have the sound mesh's."""
    config = FieldsConfig(surface_points=8, sharp_points=0, near_points=8, sharp_near_points=0, volume_points=4096)
    worth = {}
    for name, curation in {"raw": CurationConfig(raw=True), "curated": CurationConfig(resolution=128)}.items():
        wrong = []
        for index in range(2):
            truth = sample(curate(asset(index), CurationConfig(resolution=128)), config)
            bad = curate(faulty("flipped", index), curation)
            wrong.append(((sample(bad, config).vol_sdf < 0) != (truth.vol_sdf < 0)).mean())
        worth[name] = np.mean(wrong)
    assert worth["curated"] < 0.01
    assert worth["raw"] > 5 * worth["curated"]
