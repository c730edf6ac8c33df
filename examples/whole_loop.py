"""The whole loop on one picture of an object, next to the truth: normals, a shape by NoRLD, novel views by Zero-to-Hero, an
asset by SDI, an LRM's Gaussians.

    python examples/whole_loop.py OUT --mesh spot.obj --normals RUN --norld RUN --views RUN --lrm RUN

Each RUN is a folder written by `versemill train`. What is not given is left out and named. The mesh is only looked at: the
models see one picture of it. OUT/sheet.png has a column for each step and a row for each side of the object, the picture's own
first; OUT/table.md says how near each is to the truth. Run the same command again to resume a distillation.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from versemill import gltf
from versemill.asset import Asset
from versemill.camera import Camera, intrinsics
from versemill.curation import load as load_mesh
from versemill.errors import AssetError
from versemill.generation import NOVEL_VIEWS
from versemill.generation.distillation import answers as distilling
from versemill.generation.distillation import cameras, export, judging
from versemill.generation.distillation.optimisation import optimise
from versemill.generation.distillation.settings import PRESETS
from versemill.generation.normals import answers as normals
from versemill.generation.shapes import answers as shapes
from versemill.generation.shapes.drawing import Drawing
from versemill.generation.views import answers as views
from versemill.generation.views.cameras import orbit
from versemill.generation.views.sampler import zero_to_hero
from versemill.markdown import table
from versemill.mill.pipeline.models import FAMILIES
from versemill.mill.run.progress import steps
from versemill.reconstruction.methods import predict
from versemill.render import LightingConfig, lighting, render_views
from versemill.training.images import psnr
from versemill.training.objects import textured
from versemill.training.pictures import picture_grid
from versemill.training.runs import CHECKPOINT, describe, load, torch_device
from versemill.training.scenes import resized, scene
from versemill.zeroverse import ZeroverseConfig, generate

SIDES, SIDE, PICTURE = 6, 128, 256
"""Sides of the object that are shown, their pixels, and those of the picture that all steps start from."""
GIVEN = PRESETS["tiny"].cameras
"""Where the picture is taken from, and with which lens: as the views of the pipeline `views`."""


def look(asset: Asset, first: float, size: int, light: lighting.Lighting | None):
    """The asset from all sides, the first at azimuth `first`, as a scene at `size` pixels."""
    K = intrinsics(GIVEN.fov, size, size)
    poses = [orbit(first + 360 * k / SIDES, GIVEN.picture_elevation, GIVEN.distance) for k in range(SIDES)]
    seen = render_views(asset, tuple(Camera(pose, K, size, size) for pose in poses), light, quality="fine").passes
    return scene({
        "id": "object", "rgb": torch.from_numpy(seen["rgb"]).permute(0, 3, 1, 2).float() / 255,
        "depth": torch.from_numpy(seen["depth"])[:, None].float(), "orthographic": torch.zeros(SIDES, dtype=torch.bool),
        "normal": torch.from_numpy(seen["normal"]).permute(0, 3, 1, 2).float(),
        "c2w": torch.from_numpy(np.stack(poses)).float(), "K": torch.from_numpy(K).float().expand(SIDES, 3, 3),
    })  # fmt: skip


class Loop:
    """The steps that are done: a column of the sheet and a row of the table each, and what was left out, with the reason."""

    def __init__(self, out: Path, truth: judging.Truth, device: str) -> None:
        self.out, self.truth, self.device = out, truth, device
        self.columns = {"truth": truth.scene.over_white}
        self.rows: list[list[str]] = []
        self.left_out: list[str] = []

    def add(self, name: str, pictures: torch.Tensor, mesh=None, coloured: bool = True) -> None:
        """Pictures (SIDES, 3, S, S) over white of all sides, the first that of the picture; and a mesh."""
        self.columns[name] = F.interpolate(pictures, (SIDE, SIDE), mode="nearest-exact")
        small = min(SIDE, pictures.shape[-1])
        own, true = (F.adaptive_avg_pool2d(t, small) for t in (pictures, self.truth.scene.over_white))
        score = f"{float(psnr(own, true)[1:].mean()):.2f}" if coloured else ""
        near = judging.mesh_agreement(mesh, self.truth) if mesh is not None else {}
        self.rows.append([name, score, *(m.text(near[m.key]) if m.key in near else "" for m in judging.MESH_METRICS)])

    def normals(self, run: Path) -> None:
        """Camera-space normals of the picture, next to the true ones."""
        network, recipe = load(FAMILIES.find("normals"), run, torch_device(self.device))
        written = normals.write(network, self.out / "picture.png", self.out, recipe.view)
        blank = torch.ones(SIDES - 1, 3, SIDE, SIDE)
        known = self.truth.scene
        true = torch.einsum("ji,jhw->ihw", known.c2w[0, :3, :3], known.normal[0]) * torch.tensor([1.0, -1, -1]).view(3, 1, 1)
        for name, found in (
            ("true normals", (true + 1) / 2 * known.alpha[0] + 1 - known.alpha[0]),
            ("normals", over_white(written.png)),
        ):
            self.columns[name] = torch.cat([found[None], blank])

    def norld(self, run: Path, bridge: Path) -> None:
        """A shape from those normals, in clay."""
        answer = shapes.generate(run, self.out / "picture.png", 0, Drawing(), 128, self.device, bridge)
        (self.out / "shape.glb").write_bytes(answer.glb)
        asset = gltf.from_glb(answer.glb, normalized=True)
        front = -90.0 if describe(run)["preset"]["frame"] == "camera" else 0.0  # where the picture's side of it is
        spin = np.radians(-front)
        turn = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
        seen = look(asset, front, SIDE, lighting.uniform(0.7))
        self.add("NoRLD's shape", seen.over_white, trimesh_of(asset, turn), coloured=False)

    def views(self, run: Path) -> torch.Tensor:
        """The other sides, drawn from the picture."""
        around = [360.0 * k / SIDES for k in range(1, SIDES)]
        height = GIVEN.picture_elevation
        model = views.opened(run, self.device)
        drawn = views.views(model, self.out / "picture.png", around, height, height, zero_to_hero(), 0).views
        others = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255
        first = F.adaptive_avg_pool2d(self.truth.scene.over_white[:1], others.shape[-1])
        pictures = torch.cat([first, others])
        self.add("Zero-to-Hero", pictures)
        return pictures

    def asset(self, run: Path, iterations: int | None) -> None:
        """A 3D asset by SDI; OUT/asset has its mesh, splats and turntable."""
        settings, device = PRESETS["tiny"], torch_device(self.device)
        settings = settings.model_copy(update={"iterations": iterations}) if iterations else settings
        rgba = distilling.read_square(self.out / "picture.png")
        model, picture = distilling.picture_model(NOVEL_VIEWS, run, rgba, settings, device)
        basis = {"picture": distilling.digest(self.out / "picture.png"), "model": distilling.digest(run / CHECKPOINT)}
        place = self.out / "asset"
        with steps("distilling by sdi") as progress:
            state = optimise(
                settings, model, picture, 0, place, basis, progress, lambda state: export.preview(state, place), device
            )
        export.write(state, place)
        seen = export.pictures(state.field, *cameras.ring(GIVEN, SIDE, SIDES), SIDE)
        self.add("SDI", seen.over(1.0)[0], export.mesh_of(state.field, settings.mesh_resolution))

    def lrm(self, run: Path, drawn: torch.Tensor | None) -> None:
        """Gaussians from the picture alone, and from the picture and the drawn views."""
        device = torch_device(self.device)
        network, recipe = load(FAMILIES.find(describe(run)["family"]), run, device)
        known = resized(self.truth.scene, recipe.size)
        ways = {"LRM, one view": (known, [0])}
        if drawn is not None:
            shown = F.interpolate(drawn, (recipe.size, recipe.size), mode="bilinear", antialias=True).clamp(0, 1)
            alpha = ((1 - shown).amax(1, keepdim=True) > 0.1).float()
            alpha[0], shown[0] = known.alpha[0], known.over_white[0]
            made = type(known)(shown - 1 + alpha, alpha, known.depth, known.normal, known.c2w, known.K)
            ways["LRM, drawn views"] = (made, list(range(SIDES)))
        for name, (given, inputs) in ways.items():
            reconstruction = predict(network, given, inputs, device)

            def draw(c2w, K, size, reconstruction=reconstruction):
                return network.draw(reconstruction, c2w.to(device), K.to(device), size)

            with torch.no_grad():
                seen = draw(self.truth.scene.c2w[None], self.truth.scene.K[None], SIDE)
            self.add(name, seen.over(1.0)[0].clamp(0, 1).cpu(), judging.fuse(draw))

    def write(self) -> None:
        """The sheet and the table."""
        rows = [[pictures[k : k + 1] for pictures in self.columns.values()] for k in range(SIDES)]
        picture_grid(self.out / "sheet.png", rows, list(self.columns), least=SIDE)
        head = ["", "PSNR of the other sides in dB", *(metric.title for metric in judging.MESH_METRICS)]
        notes = "".join(f"\n\nleft out: {reason}" for reason in self.left_out)
        (self.out / "table.md").write_text(table(head, self.rows) + notes + "\n")


def trimesh_of(asset: Asset, turn: np.ndarray):
    """The asset's mesh, turned."""
    mesh = asset.to_trimesh()
    mesh.vertices = np.asarray(mesh.vertices) @ turn.T
    return mesh


def over_white(path: Path) -> torch.Tensor:
    """(3, SIDE, SIDE) of a picture with alpha."""
    image = torch.from_numpy(np.array(Image.open(path).convert("RGBA"))).permute(2, 0, 1).float() / 255
    return F.adaptive_avg_pool2d(distilling.over_white(image), SIDE)


def main() -> None:
    """Parses the command line and does the steps whose models are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("out/examples"), help="output folder")
    parser.add_argument("--mesh", type=Path, help="the object; without it one of Zeroverse's")
    parser.add_argument("--azimuth", type=float, default=30.0, help="degrees around the object from which the picture is taken")
    parser.add_argument("--normals", type=Path, metavar="RUN", help="a run of normals")
    parser.add_argument("--norld", type=Path, metavar="RUN", help="a run of norld; it needs --normals")
    parser.add_argument("--views", type=Path, metavar="RUN", help="a run of novel-views, for Zero-to-Hero and for SDI")
    parser.add_argument("--lrm", type=Path, metavar="RUN", help="a run of gaussians or triplane")
    parser.add_argument("--iterations", type=int, help="of SDI; the preset tiny's by default")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    plain = ZeroverseConfig(preset="level-3", composition="solid", textures="none", tint=1.0, texture_size=16)
    asset = textured(load_mesh(given.mesh)) if given.mesh else generate(plain, seed=1, index=7)
    asset = asset.normalized()
    light = lighting.draw(LightingConfig(preset="white", strength=0.7), 0, 0)
    large = look(asset, given.azimuth, PICTURE, light)
    rgba = torch.cat([large.rgb[0] / large.alpha[0].clamp_min(1e-3), large.alpha[0]])
    Image.fromarray(rgba.mul(255).round().byte().permute(1, 2, 0).numpy()).save(given.out / "picture.png")

    loop = Loop(given.out, judging.truth_of(resized(large, SIDE), (asset.vertices, asset.faces)), given.device)
    drawn = None
    if given.normals:
        loop.normals(given.normals)
    if given.norld and given.normals:
        try:
            loop.norld(given.norld, given.normals)
        except AssetError as error:
            loop.left_out.append(f"NoRLD's shape: {error}")
    if given.views:
        drawn = loop.views(given.views)
        loop.asset(given.views, given.iterations)
    if given.lrm:
        loop.lrm(given.lrm, drawn)
    needs = {"normals": "normals", "NoRLD's shape": "norld", "Zero-to-Hero and SDI": "views", "LRM": "lrm"}
    loop.left_out += [f"{step}: no --{option} RUN" for step, option in needs.items() if getattr(given, option) is None]
    if given.norld and not given.normals:
        loop.left_out.append("NoRLD's shape: it sees normals, and no --normals RUN finds them")
    loop.write()
    print((given.out / "table.md").read_text())
    print(f"{given.out / 'sheet.png'}: {', '.join(loop.columns)}")


if __name__ == "__main__":
    main()
