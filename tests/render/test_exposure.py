"""Over- and underexposed views: pictures built by hand on both sides of each limit, and what a render says of them."""

import numpy as np
import pytest
from pydantic import ValidationError

from versemill.errors import AssetError
from versemill.render import ExposureConfig, RenderConfig, exposure, render

SMALL = {"device": "cpu", "width": 32, "height": 32, "cameras": {"views": 3}}


def picture(share, colour, alpha=255, other=(128, 90, 60)):
    """(20, 10, 4): `share` of the pixels in one colour, the others in another."""
    made = np.full((200, 4), (*other, 255), np.uint8)
    made[: round(share * 200)] = (*colour, alpha)
    return made.reshape(20, 10, 4)


@pytest.mark.parametrize(
    ("colour", "white", "black"),
    [
        ((250, 250, 250), 1, 0),
        ((249, 255, 255), 0, 0),
        ((255, 255, 0), 0, 0),
        ((8, 8, 8), 0, 1),
        ((0, 0, 9), 0, 0),
        ((0, 0, 0), 0, 1),
    ],
)
def test_a_pixel_is_white_or_black_in_all_channels(colour, white, black):
    measured = exposure.shares(picture(0.25, colour)[None])
    assert measured.white.tolist() == [0.25 * white]
    assert measured.black.tolist() == [0.25 * black]


def test_only_what_is_covered_counts():
    empty = np.zeros((20, 10, 4), np.uint8)
    half = picture(0.5, (255, 255, 255))
    half[10:, :, 3] = 0  # the other half is background: all that is left is white
    faint = picture(0.5, (255, 255, 255), alpha=127)
    measured = exposure.shares(np.stack([empty, half, faint]))
    assert measured.white.tolist() == [0, 1, 0]
    assert measured.black.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("name", "colour"), [("overexposed", (255, 255, 255)), ("underexposed", (0, 0, 0))])
def test_views_beyond_the_limit_are_recorded_with_their_share(name, colour):
    views = np.stack([picture(share, colour) for share in (0.1, 0.3, 0.305, 0.9)])
    limits = ExposureConfig(**{name: 0.3})
    record, tags = exposure.judged(views, limits)
    key = "white" if name == "overexposed" else "black"
    assert record[key] == [0.1, 0.3, 0.305, 0.9]
    assert record[name] == [2, 3], "a share that is equal to the limit is within it"
    assert tags == (name,)
    others = {"white", "black", "overexposed", "underexposed"} - {key, name}
    assert all(not any(record[other]) for other in others)
    with pytest.raises(
        AssetError, match=rf"2 of 4 views are {name}; of view 3, 90%.*limit render.exposure.{name} is 30%"
    ) as caught:
        exposure.judged(views, limits.model_copy(update={"action": "reject"}))
    assert caught.value.reason == name
    assert exposure.judged(views, ExposureConfig(**{name: 0.9}, action="reject"))[1] == ()


def test_light_decides(composition):
    """Well exposed in the studio, blown out by thirty times as much light, black in a thousandth of it."""

    def shown(strength, **exposure):
        return render(
            composition, RenderConfig(**SMALL, lighting={"preset": "studio", "strength": strength}, exposure=exposure)
        )

    usual, bright, dark = (shown(strength) for strength in (1.0, 30.0, 0.001))
    assert (usual.tags, bright.tags, dark.tags) == ((), ("overexposed",), ("underexposed",))
    assert bright.info["exposure"]["overexposed"] == dark.info["exposure"]["underexposed"] == [0, 1, 2]
    assert min(bright.info["exposure"]["white"]) > 0.4
    assert min(dark.info["exposure"]["black"]) > 0.4
    for strength, reason in ((30.0, "overexposed"), (0.001, "underexposed")):
        with pytest.raises(AssetError) as caught:
            shown(strength, action="reject")
        assert caught.value.reason == reason


def test_without_colour_nothing_is_said(composition):
    views = render(composition, RenderConfig(**SMALL, passes=("depth",), exposure={"overexposed": 0.0, "action": "reject"}))
    assert views.info["exposure"] == {}


@pytest.mark.parametrize("options", [{"overexposed": 1.1}, {"underexposed": -0.1}, {"action": "drop"}, {"dark": 0.5}])
def test_impossible_limits_are_refused(options):
    with pytest.raises(ValidationError):
        RenderConfig(exposure=options)
