"""Commands on single assets: preview, specs, curate, score, doctor."""

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.progress import track
from rich.text import Text
from versemill.mill.commands.common import (
    DEADLINE_S,
    MEMORY_MB,
    AsJson,
    Deadline,
    Memory,
    Overrides,
    Root,
    distinct,
    err,
    out,
    print_json,
)


def preview(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|FILE", help="A source of `list`, or a mesh file.", show_default=False)
    ],
    picture: Annotated[Path, typer.Option("--out", metavar="X.png", help="The contact sheet.", show_default=False)],
    seed: Annotated[int, typer.Option(min=0, help="Dataset seed.")] = 0,
    index: Annotated[int, typer.Option(min=0, help="Asset index; with --count, the first.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=400, help="More than 1: a grid of assets, one picture each.")] = 1,
    resolution: Annotated[int, typer.Option(min=32, max=2048, help="Pixels of one picture's side.")] = 256,
    glb: Annotated[Path | None, typer.Option(metavar="X.glb", help="Also write the asset as GLB.")] = None,
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: Overrides = None,
) -> None:
    """Look at assets: RGB, normals, depth and parts of one, or a grid of many.

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
    sample: Annotated[int, typer.Option(min=1, help="How many to draw.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Dataset seed.")] = 0,
    build: Annotated[Path | None, typer.Option(metavar="SPEC.yaml", help="Build this specification instead.")] = None,
    glb: Annotated[Path | None, typer.Option(metavar="X.glb", help="Where --build writes its asset.")] = None,
    overrides: Overrides = None,
) -> None:
    """Browse DetailVerse specifications as YAML; any of them can be edited and built.

    Examples:

    versemill specs --sample 20

    versemill specs --sample 1 > mine.yaml; versemill specs --build mine.yaml --glb mine.glb
    """
    from versemill.mill.pipeline import config, pages

    from versemill import detailverse
    from versemill.errors import ConfigError
    from versemill.gltf import to_glb

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
    drawn = [detailverse.sample_spec(settings, seed, k).model_dump(mode="json") for k in range(sample)]
    typer.echo(yaml.safe_dump_all(drawn, sort_keys=False, explicit_start=True), nl=False)


def curate(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Mesh files.", show_default=False)],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the results go.", show_default=False)],
    root: Root = None,
    deadline_s: Deadline = DEADLINE_S,
    memory_mb: Memory = MEMORY_MB,
    overrides: Overrides = None,
) -> None:
    """Clean meshes, make them watertight and sample them: per file NAME.glb, .watertight.ply, .fields.npz and .json.

    Exit code 1 if any file was rejected; its NAME.json says why.

    Example: versemill curate models/*.glb --out curated --set resolution=512
    """
    from versemill.curation import CurationConfig
    from versemill.curation.outputs import summarise_file, write_rejected
    from versemill.mill.pipeline import config
    from versemill.mill.run.alone import Alone

    from versemill.curated import Rejected
    from versemill.errors import AssetError

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


def score(
    what: Annotated[str, typer.Argument(metavar="fit", help="What to do.", show_default=False)],
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="Columns: metrics, score.", show_default=False)],
    target: Annotated[Path, typer.Option("--out", metavar="HEAD.json", help="Where the fitted head goes.")] = Path("head.json"),
) -> None:
    """Fit the quality score to your own marks from 1 to 5 of meshes that `versemill curate` has measured.

    Curate them with --set image_models='["dinov2.pt"]' first, and the fit rests on those features too.

    Example: versemill score fit labels.csv --out head.json; versemill curate new/*.glb --out new --set score_head=head.json
    """
    from versemill.curation.scores import fit_labels

    from versemill.errors import ConfigError

    if what != "fit":
        raise ConfigError(f"'{what}' is not something to do with scores; type: versemill score fit LABELS.csv")
    fit_labels(labels).save(target)
    out.print(
        f"wrote {target}; the setting score_head={target} (in a pipeline: curate.score_head) scores with it", soft_wrap=True
    )


def doctor(as_json: AsJson = False) -> None:
    """Try every engine, device and library for real; say what was used, what is missing and the line that fixes it.

    Exit code 1 if something that the main job needs is broken.

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
