"""The stage itself: passes, tags, refusals."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from versemill.device import compile_kernels
from versemill.errors import AssetError, MissingDependencyError
from versemill.render import KERNELS, RenderConfig, render
from versemill.views import PASSES

SMALL = {"device": "cpu", "width": 24, "height": 20}


def test_all_passes_come_back_aligned_and_complete(composition):
    compile_kernels(KERNELS, "cpu")
    views = render(composition, RenderConfig(**SMALL, passes=tuple(PASSES), cameras={"views": 5}))
    assert list(views.passes) == list(PASSES)
    assert views.info["engine"] == "warp"
    assert views.info["device"] == "cpu"
    assert views.tags == ()
    hit = views.passes["mask"]
    assert np.array_equal(hit, views.passes["depth"] > 0)
    assert np.array_equal(hit, views.passes["part"] >= 0)
    assert (views.passes["rgb"][..., 3][hit] > 0).all()


def test_a_subset_of_passes_has_the_same_values(composition):
    whole = render(composition, RenderConfig(**SMALL, passes=tuple(PASSES)))
    part = render(composition, RenderConfig(**SMALL, passes=("depth", "albedo")))
    assert list(part.passes) == ["depth", "albedo"]
    for name, array in part.passes.items():
        assert np.array_equal(array, whole.passes[name])


def test_several_lightings_share_cameras_and_geometry(composition):
    config = RenderConfig(**SMALL, passes=tuple(PASSES), cameras={"views": 3}, lighting={"preset": "area", "count": 2})
    views = render(composition, config)
    assert views.lighting.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(views.info["lightings"]) == 2
    assert all(np.array_equal(a.c2w, b.c2w) for a, b in zip(views.cameras[:3], views.cameras[3:], strict=True))
    for name, array in views.passes.items():
        assert np.array_equal(array[:3], array[3:]) == (name != "rgb"), name
    assert np.array_equal(views.passes["rgb"][:3, ..., 3], views.passes["rgb"][3:, ..., 3])
    alone = render(composition, RenderConfig(**SMALL, cameras={"views": 3}, lighting={"preset": "area"}))
    for name, array in alone.passes.items():
        assert np.array_equal(array, views.passes[name][:3]), name


def test_clipping_is_a_tag_and_a_rejection_where_configured(composition):
    close = {"framing": "preset", "radius": (2.0, 2.0), "fov": (30, 30)}
    views = render(composition, RenderConfig(**SMALL, cameras=close))
    assert views.tags == ("clipped",)
    assert views.info["clipped_views"]
    with pytest.raises(AssetError) as caught:
        render(composition, RenderConfig(**SMALL, cameras=close | {"clipped": "reject"}))
    assert caught.value.reason == "clipped"


def test_blank_views_are_refused_with_their_number(composition):
    away = dataclasses.replace(composition, vertices=composition.vertices * np.float32(1e-3) + np.float32(0.9))
    for passes in (("mask",), ("depth", "normal"), ("rgb",)):
        config = RenderConfig(**SMALL, passes=passes, cameras={"preset": "trellis", "views": 2, "fov": (20, 20)})
        with pytest.raises(AssetError) as caught:
            render(away, config)
        assert caught.value.reason == "blank_view"
        assert "view 0" in str(caught.value)


def test_an_image_of_one_colour_is_refused(make_quad):
    from versemill.materials.material import Material

    quad = make_quad(Material(roughness=1.0))
    inside = {"preset": "axes", "framing": "preset", "radius": (0.5, 0.5), "fov": (40, 40), "views": 6}
    config = RenderConfig(**SMALL, passes=("rgb",), cameras=inside, lighting={"preset": "white"})
    with pytest.raises(AssetError) as caught:
        render(quad, config)
    assert caught.value.reason == "blank_view"


def test_broken_assets_and_absent_devices_say_so(composition):
    broken = dataclasses.replace(composition, vertices=np.full_like(composition.vertices, np.nan))
    with pytest.raises(AssetError) as caught:
        render(broken, RenderConfig(**SMALL))
    assert caught.value.reason == "not_finite"
    with pytest.raises(MissingDependencyError, match="cuda:77"):
        render(composition, RenderConfig(device="cuda:77"))


@pytest.mark.parametrize(
    "options",
    [
        {"passes": ("rgb", "rgb")},
        {"passes": ("colour",)},
        {"passes": ()},
        {"width": 0},
        {"quality": "best"},
        {"lighting": {"preset": "sky", "folder": "panoramas"}},
        {"lighting": {"preset": "moon"}},
        {"lighting": {"preset": "white", "count": 3}},
    ],
)
def test_impossible_configurations_are_refused(options):
    with pytest.raises(ValidationError):
        RenderConfig(**options)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(composition):
    import warp as wp

    if not wp.is_cuda_available():
        pytest.skip("no CUDA device")
    config = RenderConfig(width=96, height=96, passes=tuple(PASSES))
    cpu, gpu = (render(composition, config.model_copy(update={"device": d})) for d in ("cpu", "cuda"))
    same = cpu.passes["mask"] == gpu.passes["mask"]
    assert same.mean() > 0.9999
    assert np.abs(cpu.passes["depth"] - gpu.passes["depth"])[same].mean() < 1e-5
    assert np.abs(cpu.passes["rgb"].astype(int) - gpu.passes["rgb"].astype(int)).mean() < 1.0
