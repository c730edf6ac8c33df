"""Commands on single assets, and on this machine: preview, specs, curate, render, score, doctor."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.progress import track
from rich.text import Text

from versemill.mill.commands.common import (
    DEADLINE_S,
    MEMORY_MB,
    AsJson,
    CurationOverrides,
    Deadline,
    Memory,
    RenderOverrides,
    Root,
    SourceOverrides,
    distinct,
    err,
    out,
    print_json,
)


class Engine(StrEnum):
    """The engines."""

    warp = "warp"
    cycles = "cycles"


class Quality(StrEnum):
    """The qualities of the Warp engine."""

    fast = "fast"
    fine = "fine"


class Kind(StrEnum):
    """The file formats."""

    png = "png"
    exr = "exr"
    npz = "npz"


def preview(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|FILE", help="A source of `list`, or a mesh file.", show_default=False)
    ],
    picture: Annotated[Path, typer.Option("--out", metavar="X.png", help="The contact sheet.", show_default=False)],
    seed: Annotated[int, typer.Option(min=0, help="Dataset seed.")] = 0,
    index: Annotated[int, typer.Option(min=0, help="Asset index; with --count, the first.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=400, help="More than 1: a grid of assets, one picture each.")] = 1,
    resolution: Annotated[int, typer.Option(min=32, max=2048, help="Side of one picture in pixels.")] = 256,
    glb: Annotated[Path | None, typer.Option(metavar="X.glb", help="Also write the asset as GLB.")] = None,
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: SourceOverrides = None,
) -> None:
    """Draw assets: RGB, normals, depth and parts of one, or a grid of many.

    Examples:

    versemill preview zeroverse --seed 1 --index 7 --out seven.png --glb seven.glb

    versemill preview zeroverse --set preset=release --count 24 --out grid.png

    versemill preview detailverse --set categories.vessel=1 --count 12 --out vessels.png

    versemill preview files --set path=meshes --count 6 --out meshes.png

    versemill preview chair.obj --out chair.png
    """
    from versemill.mill.report import preview as sheets
    from versemill.mill.run.alone import Alone

    options = {"seed": seed, "index": index, "count": count, "resolution": resolution, "glb": glb, "root": root}
    with Alone(deadline_s * count, memory_mb) as worker:
        worker.call(sheets.write, source, picture, overrides=overrides or [], **options)
    out.print(f"wrote {picture}" + (f" and {glb}" if glb else ""))


def specs(
    sample: Annotated[int, typer.Option(min=1, help="How many specifications to sample.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Dataset seed.")] = 0,
    build: Annotated[
        Path | None, typer.Option(metavar="SPEC.yaml", help="Build this specification instead of sampling.")
    ] = None,
    glb: Annotated[Path | None, typer.Option(metavar="X.glb", help="Output of --build.")] = None,
    overrides: SourceOverrides = None,
) -> None:
    """Print DetailVerse specifications as YAML, to edit and build.

    Examples:

    versemill specs --sample 20

    versemill specs --sample 1 > mine.yaml; versemill specs --build mine.yaml --glb mine.glb
    """
    from versemill import detailverse
    from versemill.errors import ConfigError
    from versemill.gltf import to_glb
    from versemill.mill.pipeline import config, pages, sources

    if build is not None:
        if glb is None:
            raise ConfigError("--build needs --glb X.glb to write to")
        content = pages.read(build)
        spec = config.checked(str(build), detailverse.Specification, content)
        asset = detailverse.build(spec, seed=seed)
        glb.write_bytes(to_glb(asset))
        out.print(f"wrote {glb}: {asset.caption}")
        return
    settings = config.settings("detailverse", detailverse.DetailverseConfig, overrides or [])
    drawn = [detailverse.sample_spec(sources.of_one_family(settings, seed, k), seed, k) for k in range(sample)]
    typer.echo(
        yaml.safe_dump_all([spec.model_dump(mode="json") for spec in drawn], sort_keys=False, explicit_start=True), nl=False
    )


def curate(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Mesh files.", show_default=False)],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.", show_default=False)],
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: CurationOverrides = None,
) -> None:
    """Clean meshes, make them watertight and sample them. Writes NAME.glb, .watertight.ply, .fields.npz and .json per file.

    Exit code 1 if any file was rejected; its NAME.json gives the reason.

    Example: versemill curate models/*.glb --out curated --set resolution=512
    """
    from versemill.curated import Rejected
    from versemill.curation import CurationConfig
    from versemill.curation.outputs import summarise_file, write_rejected
    from versemill.errors import AssetError
    from versemill.mill.pipeline import config
    from versemill.mill.run.alone import Alone

    settings = config.settings("curate", CurationConfig, overrides or [])
    distinct(files)
    rejected = 0
    with Alone(deadline_s, memory_mb) as worker:
        for file in track(files, description="curating", console=err, disable=not err.is_terminal):
            try:
                answer = worker.call(summarise_file, file, directory, settings, root=root)
            except AssetError as error:  # it was killed
                answer = write_rejected(file, directory, Rejected("ingest", error.reason, str(error)))
            if isinstance(answer, Rejected):
                rejected += 1
                out.print(Text.assemble(("rejected", "red"), f" {file}: {answer.reason}: {answer.message}"), soft_wrap=True)
            else:
                out.print(Text.assemble(("kept", "green"), f" {file}: {answer}"), soft_wrap=True)
    raise typer.Exit(1 if rejected else 0)


def render(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="GLB, glTF, OBJ, PLY, STL, OFF, FBX or USD.", show_default=False)
    ],
    directory: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="DIR/NAME/ gets the images of NAME.glb.", show_default=False)
    ],
    cameras: Annotated[
        str, typer.Option(metavar="PRESET", help="Camera positions: sphere, ring, orbit, front, axes, lrm_zero, trellis ...")
    ] = "sphere",
    views: Annotated[int | None, typer.Option(min=1, max=4096, help="Number of views.", show_default="the preset's")] = None,
    lighting: Annotated[
        str,
        typer.Option(
            metavar="PRESET", help="white, studio, sky, area, hdri (Blender's panoramas), or a folder of .hdr or .exr files."
        ),
    ] = "studio",
    lightings: Annotated[
        int, typer.Option(min=1, max=64, help="Number of lightings; every camera is rendered once in each.")
    ] = 1,
    size: Annotated[int, typer.Option(min=8, max=8192, help="Width and height in pixels.")] = 512,
    quality: Annotated[Quality, typer.Option(help="fast, or path traced with one bounce.")] = Quality.fast,
    engine: Annotated[Engine, typer.Option(help="warp runs anywhere; cycles needs `make blender`.")] = Engine.warp,
    kind: Annotated[
        Kind, typer.Option("--format", help="png; exr: normals and depth in full precision; npz: one file of arrays.")
    ] = Kind.png,
    turntable: Annotated[
        str | None, typer.Option(metavar="NAME.gif", help="Also write an animation (.gif, .webp, .png) into DIR/NAME/.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of cameras, light and noise.")] = 0,
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: RenderOverrides = None,
) -> None:
    """Render meshes: RGB, normals, depth and mask with their cameras (cameras.json states the conventions), and turntables.

    Exit code 1 if any file could not be read or rendered; the other files are still processed.

    Examples:

    versemill render chair.glb --out renders

    versemill render models/*.obj --out renders --cameras lrm_zero --lighting sky --quality fine --format exr

    versemill render chair.glb --out renders --views 1 --turntable turn.gif

    versemill render chair.glb --out renders --set "passes=\\[rgb,albedo,part]" --set "cameras.fov=\\[30,60]"
    """
    from versemill.errors import AssetError
    from versemill.mill.pipeline import config
    from versemill.mill.run.alone import Alone
    from versemill.render import RenderConfig, outputs

    chosen = [f"cameras.preset={cameras}", f"engine={engine}", f"quality={quality}", f"width={size}", f"height={size}"]
    chosen += [f"cameras.views={views}"] if views is not None else []
    chosen += (
        ["lighting.preset=hdri", f"lighting.folder={lighting}"] if Path(lighting).is_dir() else [f"lighting.preset={lighting}"]
    )
    chosen += [f"lighting.count={lightings}", *(overrides or [])]
    settings: Any = config.settings("render", RenderConfig, chosen)
    if turntable is not None:
        outputs.check_turntable(turntable)
    if kind == Kind.png:
        outputs.check_png(settings.passes)
    distinct(files)
    check_ready(settings)

    failed = 0
    with Alone(deadline_s, memory_mb) as worker:
        for file in track(files, description="rendering", console=err, disable=not err.is_terminal):
            try:
                said = worker.call(render_file, file, directory / file.stem, settings, seed, kind, turntable, root)
            except AssetError as error:
                failed += 1
                out.print(Text.assemble(("failed", "red"), f" {file}: {error.reason}: {error}"), soft_wrap=True)
                continue
            out.print(Text.assemble(("wrote", "green"), f" {directory / file.stem}: {said}"), soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def render_file(
    file: Path, folder: Path, settings: Any, seed: int, kind: Kind, turntable: str | None, root: Path | None
) -> str:
    """Renders one file into a folder and returns a summary.

    Raises:
        AssetError: it can't be read or rendered.
    """
    from versemill import curation
    from versemill.render import RenderConfig, outputs
    from versemill.render import render as draw

    asset = dataclasses.replace(curation.load(file, root=root).normalized(), seed=seed)
    made = draw(asset, settings)
    outputs.write_views(asset, made, folder, kind.value)
    if turntable is not None:
        turn = {"cameras": {"preset": "orbit", "framing": "sphere"}, "passes": ("rgb",)}
        lights = settings.lighting.model_copy(update={"count": 1})
        around = RenderConfig.model_validate(settings.model_dump() | turn | {"lighting": lights})
        outputs.write_turntable(draw(asset, around).passes["rgb"], folder / turntable)
    notes = f", {', '.join(made.tags)}" if made.tags else ""
    return f"{len(made.cameras)} views of {', '.join(made.passes)}{notes}"


def check_ready(settings: Any) -> None:
    """Finds a missing device, interpreter or panorama before anything is written.

    Raises:
        MissingDependencyError, ConfigError: see the engines.
    """
    from versemill import device
    from versemill.render import lighting
    from versemill.render.cycles import find_blender

    if settings.engine == "cycles":
        find_blender(settings.cycles)
    else:
        device.resolve(settings.device)
    lighting.draw(settings.lighting, 0, 0)


def score(
    what: Annotated[str, typer.Argument(metavar="fit", help="The action; fit is the only one.", show_default=False)],
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="Columns: metrics, score.", show_default=False)],
    target: Annotated[Path, typer.Option("--out", metavar="HEAD.json", help="Output file.")] = Path("head.json"),
) -> None:
    """Fit the quality score to your own ratings (1 to 5) of meshes that `versemill curate` has measured.

    Curate them with --set image_models='["dinov2.pt"]' first to include those features in the fit.

    Example: versemill score fit labels.csv --out head.json; versemill curate new/*.glb --out new --set score_head=head.json
    """
    from versemill.curation.scores import fit_labels
    from versemill.errors import ConfigError

    if what != "fit":
        raise ConfigError(f"'{what}' is not an action of `score`; use: versemill score fit LABELS.csv")
    fit_labels(labels).save(target)
    out.print(
        f"wrote {target}; the setting score_head={target} (in a pipeline: curate.score_head) scores with it", soft_wrap=True
    )


def doctor(as_json: AsJson = False) -> None:
    """Try every engine, device and library, and report what works, what is missing, and the command that fixes it.

    Exit code 1 if something that `versemill run` needs is broken.

    Example: versemill doctor
    """
    from versemill.mill.proof import doctor as checks

    marks = {"ok": "green", "missing": "yellow", "broken": "red"}
    findings = []
    for finding in checks.examine():
        findings.append(finding)
        if not as_json:
            mark = (f"{finding.state:7}", marks[finding.state])
            out.print(Text.assemble(mark, " ", (finding.name, "bold"), f": {finding.detail}"), soft_wrap=True)
            if finding.state != "ok" and finding.fix:
                out.print(f"        fix: {finding.fix}", soft_wrap=True)
    if as_json:
        print_json([vars(finding) for finding in findings])
    raise typer.Exit(1 if any(finding.state == "broken" for finding in findings) else 0)
