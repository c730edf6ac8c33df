"""What parts are made of: substances that look their shade, groups that exist, wild ones in their share."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from versemill.detailverse import DetailverseConfig, Specification, families, sample_spec, substances
from versemill.detailverse.colors import COLORS, PALETTES, name
from versemill.detailverse.registry import STYLES
from versemill.detailverse.substances import GROUPS, SUBSTANCES, WILD
from versemill.materials import procedural


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def test_groups_slots_and_palettes_hold_only_what_there_is():
    for names in GROUPS.values():
        assert set(names) <= set(SUBSTANCES)
    for family in families().values():
        for slot in family.slots.values():
            assert set(substances.substances(slot.materials)) <= set(SUBSTANCES), slot
    assert set(PALETTES) == set(STYLES)
    for shades in PALETTES.values():
        assert set(shades) <= set(COLORS)
    assert set(WILD) <= set(procedural.FAMILIES)


@pytest.mark.parametrize("substance", SUBSTANCES)
def test_a_substance_builds_and_shows_its_colour(substance):
    kind = SUBSTANCES[substance]
    shade = kind.shades[0] if kind.shades else ("" if kind.color or kind.texture == "tartan" else "dark green")
    recipe = substances.recipe(rng(3), substance, shade)
    material = procedural.build(recipe, 64)
    expected = kind.color or (COLORS[shade] if shade else None)
    if expected is None or kind.texture in ("rust", "worn_paint"):  # These show what lies under them, too.
        return
    shown = material.base_color_texture[..., :3].reshape(-1, 3).mean(0) / 255
    (hue, saturation, value), (hue_shown, _, value_shown) = (colorsys.rgb_to_hsv(*c) for c in (expected, shown))
    assert abs(value - value_shown) < 0.3
    if saturation * value > 0.2 and kind.texture not in ("moss", "bark", "felt"):
        assert min(abs(hue - hue_shown), 1 - abs(hue - hue_shown)) < 0.1


def test_every_colour_has_its_own_name():
    assert [name(rgb) for rgb in COLORS.values()] == list(COLORS)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_any_colour_has_a_name(rgb):
    assert name(rgb) in COLORS


def test_wild_assets_come_in_their_share_and_move_no_other_draw():
    calm, some, wild = (DetailverseConfig(wild=share) for share in (0.0, 0.25, 1.0))

    def is_wild(spec: Specification) -> bool:
        return any("material" not in recipe for recipe in spec.materials.values())

    drawn = [is_wild(sample_spec(some, 3, k)) for k in range(600)]
    assert 0.19 < np.mean(drawn) < 0.31
    for index in range(40):
        a, b = sample_spec(calm, 3, index), sample_spec(wild, 3, index)
        assert not is_wild(a)
        assert is_wild(b)
        for field in ("category", "style", "proportions", "parts", "variation"):
            assert getattr(a, field) == getattr(b, field)


def test_the_share_of_ornament_is_the_configs():
    def decorated(share: float) -> float:
        specs = [sample_spec(DetailverseConfig(categories=["vessel"], ornament=share), 3, k) for k in range(300)]
        return float(np.mean([bool(spec.parts["body"].operators) for spec in specs]))

    assert decorated(0.0) == 0
    assert decorated(1.0) == 1
    assert abs(decorated(0.4) - 0.4) < 0.09


def test_what_is_decorated_keeps_plain_stretches():
    for index in range(200):
        spec = sample_spec(DetailverseConfig(categories=["vessel"], ornament=1.0), 3, index)
        bands = [o.band for o in spec.parts["body"].operators]
        assert sum(high - low for low, high in bands) <= 0.7 + 1e-3


def test_a_substance_may_be_written_by_hand():
    spec = Specification(
        category="vessel",
        parts={"body": {"material": "clay"}},
        materials={"clay": {"material": "glazed clay", "shade": "teal"}},
    )
    recipe = spec.recipe("clay")
    assert recipe == spec.recipe("clay")
    assert procedural.build(recipe, 32).source == "procedural/plastic"
    assert substances.phrase(recipe) == "teal glazed clay"


@pytest.mark.parametrize(
    ("material", "message"),
    [
        ({"material": "mud"}, "unknown material 'mud'; known: .*oak"),
        ({"material": "oak", "shade": "ultraviolet"}, "unknown shade 'ultraviolet'"),
        ({}, "unknown material ''"),
    ],
)
def test_an_unknown_substance_is_refused(material, message):
    with pytest.raises(ValidationError, match=message):
        Specification(category="vessel", parts={"body": {"material": "clay"}}, materials={"clay": material})


def test_older_specifications_build_or_are_told_the_new_word():
    old = {"category": "vessel", "parts": {"body": {"material": "clay"}}, "materials": {"clay": {"family": "marble"}}}
    assert Specification(**old).family().name() == "vase"
    renamed = {"category": "plant", "parts": {"stem": {"material": "m"}}, "materials": {"m": {"family": "bark"}}}
    with pytest.raises(ValidationError, match="part 'stem' of a plant is now called 'stalk"):
        Specification(**renamed)
