"""The table of densities and frictions: complete for what this project makes, and from sources that are named."""

import json
from pathlib import Path

import numpy as np
import pytest

from versemill.asset import Asset
from versemill.detailverse.substance_table import SUBSTANCES
from versemill.materials import Material
from versemill.materials.procedural import FAMILIES
from versemill.shards.export.simulators.body import SimulationConfig, substances
from versemill.shards.export.simulators.matter import MATTER, SOURCES, describe, matter_of


def test_every_texture_family_and_every_substance_is_in_the_table():
    assert [name for name in (*FAMILIES, *SUBSTANCES) if matter_of(name) is None] == []


@pytest.mark.parametrize(
    ("material", "matter"),
    [
        ("brushed_metal", "steel"), ("dark red leather", "leather"), ("painted wood", "hardwood"), ("cast iron", "cast iron"),
        ("white marble", "hard stone"), ("sandstone rock", "soft stone"), ("ginger wood", "hardwood"), ("roof tile", "brick"),
        ("fruit skin", "plant"), ("fish skin", "flesh"), ("green bronze", "bronze"), ("carbon_fibre", "carbon fibre"),
        ("seed white", "plant"), ("unobtainium", None), ("", None),
    ],
)  # fmt: skip
def test_names_mean_what_people_mean(material, matter):
    assert matter_of(material) == matter


def test_values_are_those_of_solids_and_have_a_source():
    words = [word for matter in MATTER.values() for word in matter.words.split()]
    assert len(words) == len(set(words))
    for name, matter in MATTER.items():
        assert 100 < matter.density < 23_000, name
        assert 0.1 < matter.friction < 1, name
        assert matter.source in SOURCES, name


def test_the_page_has_the_table_its_sources_and_the_settings():
    page = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text()
    assert describe() in page
    for key, source in SOURCES.items():
        assert f"- **{key}**: {source}." in page
    for name in SimulationConfig.model_fields:
        assert f"| `{name}` |" in page


def test_a_part_is_of_its_substance_where_one_is_recorded():
    """DetailVerse shows terracotta by the texture family of plaster; the specification knows better."""
    asset = Asset(
        np.zeros((3, 3), np.float32), np.array([[0, 1, 2]] * 2, np.int32), np.zeros((2, 3, 2), np.float32),
        np.array([0, 1], np.int32), np.array([0, 1], np.int32),
        (Material(source="procedural/plaster"), Material(source="procedural/wood"), Material(source="file")), ("body", "lid"),
    )  # fmt: skip
    spec = {"parts": {"body": {"material": "clay"}}, "materials": {"clay": {"material": "terracotta", "family": "plaster"}}}
    assert substances(asset, json.dumps({"specification": spec})) == [["brick"] * 3, ["plaster", "hardwood", "unnamed"]]
    assert substances(asset, "{}") == [["plaster", "hardwood", "unnamed"]] * 2
