"""Arms side by side: equal calls, baselines, a folder that resumes by object and arm, tables with intervals."""

import json

import numpy as np
import pytest
import torch
from analytic import Oracle, box
from view_networks import MICRO, awake

from versemill.errors import ConfigError
from versemill.generation.distillation import arms, baselines, cameras, comparison, judging
from versemill.generation.distillation.arms import ABLATIONS, iterations_for, total_calls
from versemill.generation.distillation.comparison import Arm, Made, compare
from versemill.generation.distillation.judging import Truth
from versemill.generation.distillation.settings import PRESETS, Cameras, Distillation, Inversion, Scoring
from versemill.generation.distillation.tables import Compared, Residuals
from versemill.generation.views.network import NovelViews
from versemill.training.baselines import visual_hull
from versemill.training.loop import DivergenceError
from versemill.training.scenes import Scene
from versemill.training.splats import Rendering
from versemill.training.statistics import interval


def truth(size=16, name="box", mesh=False):
    azimuths = [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]
    c2w, K = cameras.posed(azimuths, [25.0] * 6, Cameras(), size)
    rgb, hit = box(c2w, K, size)
    alpha = hit[:, None].float()
    corners = np.array([[x, y, z] for x in (-0.75, 0.75) for y in (-0.5, 0.5) for z in (-0.6, 0.6)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    scene = Scene(rgb * alpha, alpha, torch.zeros_like(alpha), torch.zeros_like(rgb), c2w, K, name)
    return Truth(scene, (corners, faces) if mesh else None)


SMALL = Distillation(
    scoring=Scoring(guidance=1.0, highest=0.98, inversion=Inversion(steps=3, tau=0.0)),
    iterations=30, views=2, field="gaussians", gaussians=150, rate=0.04, mesh_resolution=24,
)  # fmt: skip


class Greys:
    """Arms that see one grey everywhere; `made` says which ran, in order. One that is called `fails` diverges."""

    def __init__(self, *values, fails=None):
        self.made, self.fails = [], fails
        self.arms = [self.arm(f"grey {value}", value) for value in values]

    def arm(self, name, value):
        def draw(c2w, K, size):
            cover = torch.ones(1, c2w.shape[1], 1, size, size)
            return Rendering(value * cover.expand(-1, -1, 3, -1, -1), cover, 2 * cover)

        def make(known, advance):
            self.made.append((known.scene.name, name))
            if name == self.fails:
                raise DivergenceError("the loss is nan")
            advance(0.5)
            return Made(draw, calls=10, scores={"gradient_variance": value})

        return Arm(name, {"grey": value}, make, 10)


def run(out, greys, truths, **changes):
    return compare("test", "which grey?", truths, greys.arms, out, {"model": "a"}, 16, **changes)


def test_equal_calls_are_equal():
    given = SMALL.model_copy(update={"iterations": 200})
    chosen = ABLATIONS["sdi"].arms(given)
    assert next(iter(chosen)) == "sdi"
    spent = total_calls(given)
    for name, arm in chosen.items():
        assert arm.model_copy(update={"scoring": given.scoring, "iterations": 200}) == given, "all else is the same"
        assert arm.scoring.guidance == given.scoring.guidance
        assert arm.scoring.annealed == ("plain" not in name)
        if "equal calls" in name:
            assert total_calls(arm) == pytest.approx(spent, rel=0.01)
        else:
            assert arm.iterations == 200
    assert iterations_for(chosen["sds plain, equal iterations"], 37) == 37


def test_the_ablations_change_what_they_name():
    base = PRESETS["tiny"]
    kappas = ABLATIONS["sdi-kappa"].arms(base)
    assert [(name, arm.scoring.method, arm.scoring.inverting) for name, arm in kappas.items()] == [
        ("-gamma", "sdi", -3.0), ("0", "sdi", 0.0), ("+gamma", "sdi", 3.0), ("random", "sds", -3.0),
    ]  # fmt: skip
    assert {arm.iterations for arm in kappas.values()} == {base.iterations}
    steps = ABLATIONS["sdi-steps"].arms(base)
    assert {arm.scoring.inversion.steps for arm in steps.values()} == {3, 5, 10, 20}
    assert steps["n = 3, equal calls"].iterations > base.iterations > steps["n = 20, equal calls"].iterations
    assert {arm.scoring.method for arm in ABLATIONS["sdi-others"].arms(base).values()} == {"sdi", "fixed", "fixed-point", "vsd"}
    firsts = [next(iter(ablation.arms(base).values())) for ablation in ABLATIONS.values()]
    assert all(first == firsts[0] for first in firsts), "so that all ablations share it"


def test_a_comparison_resumes_by_object_and_arm(tmp_path):
    truths = [truth(name=name) for name in ("a", "b")]
    greys = Greys(0.2, 0.8, 0.5, fails="grey 0.5")
    seen = []

    def interrupt(done, total, figures):  # within the second arm of the second object
        seen.append((done, total, figures["object"]))
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, greys, truths, progress=interrupt)
    assert seen[0] == (5, 60, 1)
    assert [name for _, name in greys.made] == ["grey 0.2", "grey 0.8", "grey 0.5", "grey 0.2", "grey 0.8"]
    assert (tmp_path / "test.md").read_text().count("1 objects") == 1, "what there is can be read at any time"
    again = Greys(0.2, 0.8, 0.5, fails="grey 0.5")
    seen = []
    compared = run(tmp_path, again, truths, progress=lambda *a: seen.append(a[:2]))
    assert again.made == [("b", "grey 0.8"), ("b", "grey 0.5")]
    assert seen[0] == (5, 20), "time is estimated from what is left"
    assert [list(each) for each in compared.objects] == [["grey 0.2", "grey 0.8", "grey 0.5"]] * 2
    assert compared.objects[0]["grey 0.5"] == {"diverged": 1.0}
    assert compared.objects[1]["grey 0.2"]["calls"] == 10
    whole = run(tmp_path / "whole", Greys(0.2, 0.8, 0.5, fails="grey 0.5"), truths)
    assert whole == compared
    for name in ("test.md", "test.json", "test.png"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    # Another comparison in the folder shares the arms of equal basis; more objects add to what there is.
    more = Greys(0.8, 0.3)
    compare("other", "?", [*truths, truth(name="c")], more.arms, tmp_path, {"model": "a"}, 16)
    assert more.made == [("a", "grey 0.3"), ("b", "grey 0.3"), ("c", "grey 0.8"), ("c", "grey 0.3")]


def test_a_folder_of_something_else_is_refused(tmp_path):
    greys = Greys(0.2)
    run(tmp_path, greys, [truth(name="a")])
    with pytest.raises(ConfigError, match="another model"):
        compare("test", "?", [truth(name="a")], greys.arms, tmp_path, {"model": "b"}, 16)
    with pytest.raises(ConfigError, match="of object a, not b"):
        run(tmp_path, greys, [truth(name="b")])
    record = next((tmp_path / "objects" / "000").glob("*.json"))
    record.write_text("{")
    with pytest.raises(ConfigError, match="not readable"):
        run(tmp_path, greys, [truth(name="a")])
    with pytest.raises(ValueError, match="different names"):
        run(tmp_path, Greys(0.2, 0.2), [truth(name="a")])


def test_tables_hold_means_intervals_and_gains():
    rng = np.random.default_rng(0)
    psnr, other = rng.normal(20, 1, 24), rng.normal(19, 1, 24)
    objects = [
        {
            "sdi": {"psnr": a, "sharpness": 1.1, "diverged": 0.0, "calls": 1234.0},
            "sds": {"psnr": b, "sharpness": 0.5, "diverged": 0.0, "calls": 100.0} if k else {"diverged": 1.0},
        }
        for k, (a, b) in enumerate(zip(psnr, other, strict=True))
    ]
    compared = Compared("t", "?", objects)
    by_key = {metric.key: metric for metric in compared.metrics}
    assert list(by_key) == ["psnr", "sharpness", "diverged"]
    assert compared.mean("sdi", "psnr") == (pytest.approx(psnr.mean()), interval(psnr.tolist()))
    gained, bounds = compared.gain("sds", by_key["psnr"])
    assert gained == pytest.approx((psnr - other)[1:].mean()), "over the objects that both have it for"
    assert bounds[0] < gained < bounds[1]
    assert compared.gain("sds", by_key["sharpness"])[0] == pytest.approx(np.log(2) - np.log(1.1))
    page = compared.markdown()
    low, high = compared.mean("sdi", "psnr")[1]
    assert f"| sdi | 1,234 | {psnr.mean():.2f} ({low:.2f} to {high:.2f}) |" in page
    assert "1 of 24" in page
    assert "0 of 24" in page
    assert f"{gained:+.2f} ({bounds[0]:+.2f} to {bounds[1]:+.2f})" + ("*" if bounds[0] > 0 else "") in page
    few = Compared("t", "?", objects[:3])
    assert few.mean("sdi", "psnr")[1] is None, "three objects show no interval"
    assert few.figures()["sds: calls"] == 100


def test_residuals_count_the_objects_that_keep_the_order():
    objects = [
        {"random": [4.0, 1.0], "0": [2.0, 2.0], "+gamma": [3.0, 3.0], "-gamma": [1.0, 4.0]},
        {"random": [4.0, 1.0], "0": [0.5, 2.0], "+gamma": [3.0, 3.0], "-gamma": [1.0, 4.0]},
    ]
    columns, rows = Residuals((0.5, 0.9), objects).rows()
    assert columns == ["kappa from", "t = 0.5", "t = 0.9"]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["0"] == ["1.2500", "2.0000"]
    assert by_name["objects with -gamma below 0"] == ["1 of 2", "0 of 2"]
    assert by_name["objects with +gamma below random"] == ["2 of 2", "0 of 2"]


def test_residuals_resume_by_object(tmp_path):
    asked = []

    def model(known):
        asked.append(known.scene.name)
        return Oracle(8, deviation=0.4)

    truths = [truth(8, "a"), truth(8, "b")]
    arguments = (SMALL, tmp_path, {"model": "a"}, (0.5,))
    comparison.residuals(truths[:1], model, *arguments)
    both = comparison.residuals(truths, model, *arguments)
    assert asked == ["a", "b"]
    assert both == comparison.residuals(truths, model, *arguments)
    assert set(both.objects[0]) == {"random", "0", "+gamma", "-gamma"}
    assert both.objects[0] != both.objects[1], "noise is drawn for each object"
    assert "2 objects" in (tmp_path / "residuals.md").read_text()


def test_the_hull_is_the_baseline_of_training_and_has_a_mesh():
    known = truth(size=24, mesh=True)
    scene, views = known.scene, known.others
    rgb, alpha, depth = visual_hull(scene, [0], views)
    made = baselines.hull().make(known, lambda share: None)
    seen = made.draw(scene.c2w[None, views], scene.K[None, views], 24)
    for ours, theirs in ((seen.rgb, rgb), (seen.alpha, alpha), (seen.depth, depth)):
        torch.testing.assert_close(ours[0], theirs)
    scores, _ = judging.judged(made.draw, known, 32)
    assert scores["iou"] > 0.3
    assert 0 < scores["chamfer"] < 1
    assert made.calls == 0


def test_a_field_is_fitted_to_views():
    known = truth()
    scene = known.scene
    before = baselines.fitted(
        SMALL.model_copy(update={"iterations": 1}), scene.over_white, scene.alpha[:, 0], scene.c2w, scene.K, 0
    )
    after = baselines.fitted(
        SMALL.model_copy(update={"iterations": 60}), scene.over_white, scene.alpha[:, 0], scene.c2w, scene.K, 0
    )

    def psnr(field):
        def draw(c2w, K, size):
            return field.see(c2w[0], K[0], size)

        return judging.judged(draw, known, 16)[0]["psnr"]

    assert psnr(after) > psnr(before) + 2


def test_zero_to_heros_views_are_fused():
    network = awake(NovelViews(MICRO))
    known = truth(size=MICRO.size)
    given = SMALL.model_copy(update={"iterations": 3})
    arm = baselines.fused_views(network, given)
    made = arm.make(known, lambda share: None)
    assert made.calls == 66 * 11 / 2
    views = known.others
    seen = made.draw(known.scene.c2w[None, views], known.scene.K[None, views], MICRO.size)
    again = arm.make(known, lambda share: None).draw(known.scene.c2w[None, views], known.scene.K[None, views], MICRO.size)
    assert torch.equal(seen.rgb, again.rgb)
    assert arm.basis != baselines.fused_views(network, given.model_copy(update={"gaussians": 10})).basis


@pytest.mark.slow
def test_methods_side_by_side(tmp_path):
    known = truth(mesh=True)
    chosen = {
        name: each for name, each in ABLATIONS["sdi"].arms(SMALL).items() if name in ("sdi", "sds annealed, equal iterations")
    }
    contestants = [arms.arm(name, each, lambda known: Oracle(16)) for name, each in chosen.items()]
    compared = compare("sdi", "?", [known], [*contestants, baselines.hull()], tmp_path, {}, 24)
    assert compared.arms == ["sdi", "sds annealed, equal iterations", baselines.HULL]
    scores = compared.objects[0]
    assert scores["sds annealed, equal iterations"]["calls"] == 30
    assert scores["sdi"]["calls"] == total_calls(SMALL) == contestants[0].calls
    for name in chosen:
        assert scores[name]["diverged"] == 0
        assert scores[name]["iou"] > scores[baselines.HULL]["iou"]
        assert scores[name]["chamfer"] < scores[baselines.HULL]["chamfer"]
        assert 0 <= scores[name]["gradient_variance"] <= 1
    assert scores["sdi"]["psnr"] > scores[baselines.HULL]["psnr"]
    assert json.loads((tmp_path / "sdi.json").read_text())["objects"] == [scores]
