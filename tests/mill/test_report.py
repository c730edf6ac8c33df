"""The report: one page that shows what the ledger holds, draws assets in 3D, and needs nothing from outside."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_run import run

from versemill.errors import ConfigError
from versemill.mesh import corner_normals, topology
from versemill.mill import report
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline.sources import SOURCES
from versemill.mill.report import distributions, gallery, geometry
from versemill.mill.report.facts import GRID_BYTES, facts

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))), None
)


class Page(HTMLParser):
    """Open tags and the references of a page; complains about tags that don't match."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.references, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "link", "input"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def dataset(two_workers, tmp_path_factory):
    from versemill.mill.pipeline import config

    folder = tmp_path_factory.mktemp("report")
    (folder / "faults.json").write_text(json.dumps({"3": "raise"}))
    overrides = ["sources.zeroverse=null", "sources.<t>.source=millstones:TRIVIAL", "sources.<t>.reject_every=7"]
    faults = f"sources.<t>.faults={folder / 'faults.json'}"
    run(config.load("base", overrides=[*overrides, faults, "shards.assets_per_shard=8"], assets=20), folder / "a")
    return folder / "a"


@pytest.fixture(scope="module")
def page(dataset):
    return report.write(dataset).read_text()


@pytest.fixture(scope="module")
def ball():
    """A textured ball of two parts, one of them cut out of a mask, with more than one texture repeat."""
    import trimesh

    from versemill.asset import Asset
    from versemill.materials import Material

    mesh = trimesh.creation.icosphere(3)
    count = len(mesh.faces)
    rng = np.random.default_rng(0)
    texture = np.concatenate([rng.integers(0, 255, (32, 32, 3), np.uint8), np.full((32, 32, 1), 255, np.uint8)], -1)
    return Asset(
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        uvs=rng.uniform(-3, 5, (count, 1, 2)).astype(np.float32) + rng.uniform(0, 0.2, (count, 3, 2)).astype(np.float32),
        material_ids=(np.arange(count) % 2).astype(np.int32),
        part_ids=(mesh.triangles_center[:, 2] > 0).astype(np.int32),
        materials=(Material("a", base_color_texture=texture), Material("b", base_color=(0.2, 0.4, 0.1, 1), metallic=1)),
        part_names=("low", "high"),
        caption="A ball </script><b>",
    ).normalized()


@pytest.fixture(scope="module")
def row(ball):
    """The ball as a row with every pass of five views."""
    from versemill.curated import Curated
    from versemill.render import RenderConfig, render
    from versemill.shards import ShardsConfig, encode_row
    from versemill.views import PASSES

    cameras = {"preset": "ring", "views": 5, "elevation": (20, 20)}
    settings = {"width": 48, "height": 32, "cameras": cameras, "passes": tuple(PASSES), "quality": "fast", "device": "cpu"}
    views = render(ball, RenderConfig.model_validate(settings))
    curated = Curated(ball, ball.vertices, ball.faces)
    table = encode_row(curated, views, None, config=ShardsConfig(), digest="d", fingerprint="f", split="train")
    return table.to_pylist()[0]


def test_the_page_is_well_formed_and_self_contained(page):
    parsed = Page(page)
    assert (parsed.stack, parsed.wrong) == ([], [])
    assert all(reference.startswith(("data:", "#")) for reference in parsed.references)
    assert not re.search(r"https?://|@import|importScripts|XMLHttpRequest|fetch\(", page)


def test_the_page_shows_what_the_ledger_holds(page):
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    shown = (
        "16 assets",
        "3 rejected",
        "1 failed",
        "filter: unwanted",
        "7 is a multiple of 7",
        "deliberate",
        "CC0-1.0",
        "versemill debug",
    )
    for text in shown:
        assert text in words, text
    assert page.count('class="asset"') == page.count('type="application/json"') == 16


def test_rejected_assets_are_drawn_again(page):
    rejected = page[page.index('<h2 id="rejected">') : page.index('<h2 id="failed">')]
    assert len(re.findall(r'<img src="data:image/webp;base64,[^"]{100,}" alt="asset (0|7|14)">', rejected)) == 3


def test_names_are_escaped(page):
    assert "<t>" not in page
    assert "&lt;t&gt;" in page
    assert "</script>" not in report.script({"caption": "</script><b>"})
    assert json.loads(report.script({"caption": "</script><b>"})) == {"caption": "</script><b>"}


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no dataset"):
        report.write(tmp_path)


def test_no_page_is_larger_than_stated():
    texts = gallery.PROVENANCE + 20_000  # captions, tags, cameras
    few = geometry.PAGE_BYTES + gallery.GALLERY * (gallery.PICTURE_BYTES * 4 / 3 + texts)
    rest = gallery.THUMBNAILS * (gallery.THUMBNAIL_BYTES * 4 / 3 + 1500)
    most = few + rest + GRID_BYTES * 4 / 3
    assert most + 500_000 < report.MOST_BYTES


def test_the_gallery_is_spread_over_the_dataset_and_stays_near_the_start_of_a_shard():
    def facts_of(*rows):
        return [{"file": f"{k:06d}", "rows": n} for k, n in enumerate(rows)]

    few = gallery.chosen(facts_of(3, 0, 2))
    assert few == {"000000": [0, 1, 2], "000002": [0, 1]}
    assert sum(map(len, gallery.chosen(facts_of(16, 16, 16, 16)).values())) == gallery.GALLERY
    many = gallery.chosen(facts_of(*[64] * 5000))
    assert len(many) == gallery.GALLERY
    assert all(len(positions) == 1 and positions[0] < 8 for positions in many.values())
    assert {"000000", "004999"} <= set(many)
    assert gallery.chosen([]) == gallery.chosen(facts_of(0)) == {}


def test_the_sheet_holds_every_pass_of_the_views_shown(row):
    sheet = gallery.pictures(row["views"])
    assert sheet["passes"][:4] == ["rgb", "normal", "depth", "mask"]
    assert sheet["views"] == [0, 1, 2, 3, 4]
    assert (sheet["width"], sheet["height"]) == (48, 32)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["sheet"].split(",")[1]))).convert("RGBA")).astype(int)
    assert image.shape == (32 * len(sheet["passes"]), 48 * 5, 4)
    mask = image[32 * 3 : 32 * 4, ..., 3] > 127
    for r, name in enumerate(sheet["passes"]):  # all are cut out along the same silhouette
        alpha = image[32 * r : 32 * (r + 1), ..., 3] > 127
        assert (alpha ^ mask).mean() < (0.06 if name == "rgb" else 0.001), name
    normals = image[32:64, ..., :3][mask[:, :]]
    assert np.abs(np.linalg.norm(normals / 127.5 - 1, axis=-1) - 1).mean() < 0.1


def test_a_card_is_plain_json_with_a_camera_per_view(row):
    card = json.loads(json.dumps(gallery.card(row)))
    assert len(card["cameras"]) == len(card["lens"]) == 5
    assert np.allclose(np.array(card["cameras"]).reshape(5, 3, 4)[2], np.reshape(row["views"]["c2w"][2], (4, 4))[:3], atol=1e-4)
    assert card["mesh"]["triangles"] == card["faces"] == 1280


def unpacked(mesh):
    """Corners (T, 3, 3), normals (T, 3, 3), uvs (T, 3, 2), layers (T, 3) and parts (T, 3), as the page's script reads them."""
    data = mesh["data"]
    index = geometry.indices(geometry.unpack(data["index"], 1, 4, delta=False)[:, 0]).reshape(-1, 3)
    position = geometry.unpack(data["position"], 3, 2) / mesh["steps"] * 2 - 1
    folded = (geometry.unpack(data["normal"], 2, 2).astype(float) - 511) / 511
    z = 1 - np.abs(folded).sum(1)
    back = (1 - np.abs(folded[:, ::-1])) * np.where(folded >= 0, 1, -1)
    normal = np.concatenate([np.where(z[:, None] < 0, back, folded), z[:, None]], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    u, v, step = mesh["uv"]
    uv = geometry.unpack(data["uv"], 2, 2) * step + [u, v]
    layer, part = (geometry.unpack(data[name], 1, 1)[:, 0] for name in ("layer", "part"))
    return position[index], normal[index], uv[index], layer[index], part[index]


def test_a_packed_mesh_is_the_mesh(ball):
    mesh = geometry.encode(ball)
    corners, normals, uvs, layers, parts = unpacked(mesh)
    truth = ball.vertices[ball.faces].astype(float)
    order = np.lexsort(corners.mean(1).round(2).T), np.lexsort(truth.mean(1).round(2).T)
    nearest = np.linalg.norm(corners.mean(1)[:, None] - truth.mean(1), axis=-1).argmin(1)
    assert sorted(nearest) == list(range(len(truth))), order
    assert np.abs(corners - truth[nearest]).max() <= 1 / geometry.STEPS + 1e-7
    expected = corner_normals(ball.vertices, ball.faces)[nearest]
    assert np.degrees(np.arccos((normals * expected).sum(-1).clip(-1, 1))).max() < 0.25
    shift = uvs - ball.uvs[nearest]
    assert np.abs(shift - shift[:, :1].round()).max() < 2 / geometry.UV_STEPS  # whole repeats may differ
    assert np.array_equal(parts, np.repeat(ball.part_ids[nearest][:, None], 3, 1))
    assert np.array_equal(layers[:, 0], geometry.textures(ball, np.arange(len(truth)))[1][ball.material_ids[nearest]])
    looks = np.array([mesh["layers"]["metallic"], mesh["layers"]["roughness"]])
    assert sorted(looks[0].tolist()) == [0, 1]


def test_colours_are_texture_times_factor_in_their_layers(ball):
    layers, of_material = geometry.textures(ball, np.arange(len(ball.faces)))
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(layers["image"].split(",")[1]))).convert("RGB")).astype(float)
    assert image.shape == (layers["side"] * layers["count"], layers["side"], 3)
    plain = image.reshape(layers["count"], layers["side"], layers["side"], 3)[of_material[1]].mean((0, 1)) / 255
    assert np.abs(plain - [0.4845, 0.6652, 0.3492]).max() < 0.02  # sRGB of linear 0.2, 0.4, 0.1


def test_a_mesh_over_the_budget_is_thinned_and_stays_where_it_was(ball):
    kept, corners = geometry.thin(ball.vertices, ball.faces, 500)
    assert 200 < len(kept) <= 500
    assert np.abs(np.linalg.norm(corners, axis=-1) - 1).max() < 0.03
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((cross * corners.mean(1)).sum(1) > 0).all()  # it still faces outwards
    assert np.linalg.norm(cross, axis=1).sum() / 2 > 0.97 * 4 * np.pi
    _, welded = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    assert topology(welded.reshape(-1, 3)).watertight  # no crack opens


def test_the_gallery_names_every_asset_and_shows_a_few_in_3d(dataset, monkeypatch):
    monkeypatch.setattr(gallery, "GALLERY", 2)
    monkeypatch.setattr(gallery.chosen, "__defaults__", (2,))
    content = facts(Dataset.open(dataset))
    cards = content["gallery"]
    assert len(cards) == content["state"]["counts"]["rows"]
    assert [card["mesh"] is not None for card in cards] == [True, True] + [False] * (len(cards) - 2)
    assert len({card["index"] for card in cards}) == len(cards)
    page = report.render(content)
    assert f"{len(cards) - 2} more follow as pictures" in page
    assert "shows all" not in page


def test_a_thumbnail_is_one_small_picture(row):
    views = {name: row["views"][name] for name in ("count", "width", "height")} | {"rgb": row["views"]["rgb"][:1]}
    light = gallery.card({**row, "views": views, "mesh": {**row["mesh"], "glb": None}}, gallery.THUMBNAIL, 0)
    assert light["mesh"] is None
    assert (light["pictures"]["passes"], light["pictures"]["views"]) == (["rgb"], [0])
    assert max(light["pictures"]["width"], light["pictures"]["height"]) <= 96
    assert len(light["pictures"]["sheet"]) < gallery.THUMBNAIL_BYTES * 4 / 3 + 30
    assert light["caption"] == row["meta"]["caption"]


def test_the_page_says_what_chance_gives(dataset):
    content = facts(Dataset.open(dataset))
    page = report.render({**content, "tested": 12, "doubtful": 1, "unlikely": 0})
    assert re.search(
        r"Of 12 χ² tests, .*1 has.* p under 0.05.*, where chance alone gives about 0.6; none has p under 0.001", page
    )


def test_many_materials_share_their_last_layer(ball):
    import dataclasses

    from versemill.materials import Material

    count = geometry.LAYERS + 9
    many = dataclasses.replace(ball, material_ids=(np.arange(len(ball.faces)) % count).astype(np.int32),
                               materials=tuple(Material(str(k)) for k in range(count)))  # fmt: skip
    layers, of_material = geometry.textures(many, np.arange(len(ball.faces)))
    assert layers["count"] == geometry.LAYERS + 1 == of_material.max() + 1
    assert (of_material == geometry.LAYERS).sum() == 9


@given(st.integers(1, 40), st.integers(1, 3), st.sampled_from([1, 2, 4]), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_packing_loses_nothing(count, columns, size, delta, seed):
    values = np.random.default_rng(seed).integers(0, 2 ** (8 * size), (count, columns))
    assert np.array_equal(geometry.unpack(geometry.pack(values, size, delta), columns, size, delta), values)


def test_shares_are_tested_against_the_configuration():
    from scipy.stats import chisquare

    share = distributions.against("x", {"a": 2, "b": 1, "c": 1}, {"a": 55, "b": 20, "c": 25}, "assets")
    test = chisquare([55, 20, 25], [50, 25, 25])
    assert (share["chi2"], share["p"]) == (pytest.approx(test.statistic), pytest.approx(test.pvalue))
    assert [round(row["configured"], 2) for row in share["rows"]] == [0.5, 0.25, 0.25]
    assert distributions.against("x", {"a": 1, "b": 1}, {"a": 3, "b": 4}, "assets")["p"] is None  # expected under 5
    impossible = distributions.against("x", {"a": 1, "b": 1}, {"a": 50, "b": 50, "z": 1}, "assets")
    assert impossible["p"] == 0
    assert distributions.against("x", {"a": 1}, {}, "assets") is None
    stratified = distributions.against("x", {"a": 2, "b": 1, "c": 1}, {"a": 50, "b": 25, "c": 25}, "assets", stratified=True)
    assert stratified["p"] is None  # closer than chance: a test would say nothing
    assert "low-discrepancy" in stratified["note"]


def test_what_the_generators_draw_follows_their_configuration_and_another_one_is_noticed():
    from versemill.zeroverse import ZeroverseConfig, draw

    plans = [{"plan": draw(ZeroverseConfig(), 1, index)} for index in range(400)]

    def compare(settings):
        drawn = SOURCES["zeroverse"].shares(settings.model_dump(mode="json"), plans)
        return [distributions.against(*each) for each in drawn if sum(each.drawn.values())]

    same = compare(ZeroverseConfig())
    assert len(same) >= 5
    assert all(each["p"] is None or each["p"] > 1e-4 for each in same), [(e["name"], e["p"]) for e in same]
    other = compare(ZeroverseConfig(boolean=0.1, wireframe=0.7))
    assert min(each["p"] for each in other if each["p"] is not None) < 1e-6


def test_histograms_count_every_row_once_by_source():
    rows = []
    for source, k in [("b", 1), ("b", 2), ("a", 2), ("a", 8)]:
        metrics = {"score": k, "features": {"same": 1.0, "thin": -k}}
        meta = {"source": source, "metrics": json.dumps(metrics), "depth_to_surface": None}
        rows.append({"meta": meta, "mesh": {"face_count": 10 + k}})
    groups = {group["title"]: {h["name"]: h for h in group["histograms"]} for group in distributions.histograms(rows)}
    assert set(groups["the assets"]) == {"score", "triangles"}
    assert set(groups["what curation measured"]) == {"thin"}  # what never varies is not drawn
    score = groups["the assets"]["score"]
    assert sum(bar["count"] for bar in score["bars"]) == 4
    assert (score["low"], score["median"], score["high"]) == ("1", "2", "8")
    assert next(bar["stack"] for bar in score["bars"] if bar["count"]) == [(1, 0.0, 0.5)]  # one of "b" where the most is two


CLICKS = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms)), root = document.documentElement.dataset;
const colours = () => {
  const canvas = document.querySelector("#canvas"), gl = canvas.getContext("webgl2");
  const pixels = new Uint8Array(4 * canvas.width * canvas.height);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  root.glErrors = (root.glErrors || 0) * 1 + gl.getError();
  return new Set(new Uint32Array(pixels.buffer)).size;
};
// Virtual time runs ahead of what other threads decode: what must come is waited for, in many short steps.
const until = async (ok) => { for (let k = 0; k < 300 && !ok(); k++) await wait(100); };
(async () => {
  await until(() => document.querySelector("#canvas").dataset.drawn);
  await until(() => colours() > 50);
  const seen = [];
  for (const mode of document.querySelectorAll("[data-mode]")) { mode.click(); await wait(200); seen.push(colours()); }
  document.querySelector("[data-toggle=wire]").click(); await wait(200); seen.push(colours());
  document.querySelector("[data-toggle=cameras]").click(); await wait(700); seen.push(colours());
  document.querySelector("[data-toggle=cameras]").click(); await wait(700);
  document.querySelectorAll("#strip button")[3].click(); await wait(700); seen.push(colours());
  document.querySelectorAll("#passes button")[1].click();
  root.caption = document.querySelector("#caption").textContent;
  root.text = document.querySelector("#text").textContent;
  for (const [key, clientX] of [["pointerdown", 10], ["pointermove", 40], ["pointerup", 40]])
    document.querySelector("#canvas").dispatchEvent(new PointerEvent(key, {pointerId: 1, clientX, clientY: 10, bubbles: true}));
  document.querySelector("#canvas").dispatchEvent(new WheelEvent("wheel", {deltaY: 300}));
  await wait(300);
  root.seen = JSON.stringify(seen);
  document.querySelector("#next").click();
  await until(() => document.querySelector("#canvas").dataset.triangles === "4");
  root.hash = location.hash;
  document.querySelector("#close").click();
  const search = document.querySelector("#search"); search.value = "ball"; search.dispatchEvent(new Event("input"));
  root.shown = [...document.querySelectorAll(".asset")].filter((card) => !card.hidden).length;
  root.finished = "1";
})();
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_the_page_works_in_a_browser(dataset, row, ball, tmp_path):
    """Opens an asset by its link, goes through every mode and toggle, flies to a camera, drags, searches."""
    content = facts(Dataset.open(dataset))
    cards = [gallery.card(row), *content["gallery"][1:3]]
    page = report.render({**content, "gallery": cards})
    # Pointer capture asks for a real pointer, which a script has none of.
    clicks = f"<script>Element.prototype.setPointerCapture = () => {{}};</script><script type='module'>{CLICKS}</script></body>"
    (tmp_path / "page.html").write_text(page.replace("</body>", clicks))
    address = f"file://{tmp_path / 'page.html'}#asset-{cards[0]['index']}"
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--disable-dev-shm-usage",
    ]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,700", "--virtual-time-budget=80000", "--dump-dom"]
    command = [CHROMIUM, *flags, address]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "HOME": str(tmp_path)}
    )
    root = done.stdout[: done.stdout.index("<head>")]
    attributes = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', root))
    assert attributes.get("finished") == "1", root
    assert "errors" not in attributes, attributes
    assert attributes["gl-errors"] == "0"
    assert "GL_INVALID" not in done.stderr
    seen = json.loads(attributes["seen"].replace("&quot;", '"'))
    assert len(seen) == 7
    assert min(seen) > 50, f"the canvas is blank in one of the modes: {seen}"
    assert attributes["caption"] == "normal, view 3 of 5"
    assert attributes["text"] == "A ball &lt;/script&gt;&lt;b&gt;"
    assert attributes["hash"] == f"#asset-{cards[1]['index']}"
    assert attributes["shown"] == "1"
    assert 'data-triangles="4"' in done.stdout  # the second asset, a tetrahedron, was drawn last


LONG = "<b>x</b>" * 6_000_000
"""48 MB."""


def test_no_text_makes_the_page_larger(dataset, row):
    content = facts(Dataset.open(dataset))
    meta = {**row["meta"], "caption": LONG, "tags": [LONG[:100_000]] * 200, "licences": [LONG[:100_000]] * 200,
            "source": LONG, "provenance": json.dumps({"x": LONG})}  # fmt: skip
    card = gallery.card({**row, "meta": meta})
    content["gallery"] = [card] * gallery.GALLERY
    content["info"] = {**content["info"], "description": LONG, "pipeline": LONG}
    content["place"] = LONG
    for each in content["state"]["failures"]:
        each |= {"message": LONG, "log": [LONG], "stage": LONG, "command": LONG}
    for rejection in content["rejections"]:
        for example in rejection["examples"]:
            example |= {"message": LONG, "item": LONG}
    page = report.bounded(content)
    assert len(page) < 3_000_000
    assert b"<b>x" not in page
    assert page.count(b'class="asset"') == gallery.GALLERY


def test_a_page_with_too_much_shows_fewer_assets(dataset, row, monkeypatch):
    content = facts(Dataset.open(dataset))
    content["gallery"] = [gallery.card(row)] * 16
    whole = len(report.bounded(content))
    monkeypatch.setattr(report, "MOST_BYTES", int(whole * 0.7))
    page = report.bounded(content)
    assert len(page) < whole * 0.7
    assert page.count(b'class="asset"') == 8
