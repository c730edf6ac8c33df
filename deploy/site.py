"""Hooks of the documentation site: pages that live outside docs/, links that leave it, and where the code is.

The root folders are packages `versemill.NAME` only once they are installed; the API reference reads them from a tree of links.
"""

import re
import runpy
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SOURCE = "https://github.com/versemill/versemill/blob/main/"
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
API = {
    "Shared words": ["asset", "camera", "views", "fields", "curated", "materials.material", "seeds", "errors", "config",
                     "exchange", "queries"],
    "Generators": ["zeroverse", "zeroverse.config", "detailverse", "detailverse.config", "detailverse.specification"],
    "Curation": ["curation", "curation.config", "curation.pipeline", "curation.ingest", "curation.fields"],
    "Rendering": ["render", "render.config", "render.engine", "render.cameras", "render.pictures"],
    "Shards": ["shards.dataset", "shards.streaming", "shards.reading", "shards.backgrounds", "shards.rows",
               "shards.export"],
    "Training": ["training.family", "training.recipe", "training.loop", "training.evaluation"],
    "Running": ["mill.pipeline.config", "mill.pipeline.drawing", "mill.pipeline.sources", "mill.run.driver",
                "mill.live.dataset", "mill.live.training", "mill.upkeep.maintenance", "mill.proof.ablation"],
}  # fmt: skip

_tree = tempfile.TemporaryDirectory(prefix="versemill-docs-")


@event_priority(100)  # before mkdocstrings sets up its handlers
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Points the API reference at a folder in which the packages lie as they are imported."""
    house = Path(_tree.name) / "versemill"
    if not house.exists():
        house.mkdir()
        packages = runpy.run_path(str(ROOT / "versemill" / "packages.py"))["PACKAGES"]
        for path in [*(ROOT / "versemill").iterdir(), *(ROOT / name for name in packages)]:
            if path.suffix in (".py", "") and path.name != "__pycache__":
                (house / path.name).symlink_to(path)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [_tree.name]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the root folder and the API reference."""
    for name, page in OUTSIDE.items():
        text = (ROOT / name).read_text()
        text = re.sub(r"(\]\(|src=\")(?!https?:|#|mailto:)([^)\"]+)", lambda m: m[1] + _from_root(m[2]), text)
        files.append(File.generated(config, page, content=text))
    blocks = [
        "# API reference",
        "",
        "From the docstrings. `versemill` itself exports the shared words; see each module for the rest.",
    ]
    for heading, modules in API.items():
        blocks += ["", f"## {heading}"]
        for module in modules:
            blocks += ["", f"::: versemill.{module}", "    options:", "      heading_level: 3"]
    files.append(File.generated(config, "reference.md", content="\n".join(blocks) + "\n"))
    return files


def _from_root(target: str) -> str:
    """A link of a page in the root folder, from the site's root."""
    path, _, anchor = target.partition("#")
    known = OUTSIDE.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else SOURCE + path)
    return known + (f"#{anchor}" if anchor else "")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links from docs/ to files outside it lead to the repository, or to the page made of them."""

    def link(match: re.Match[str]) -> str:
        return f"]({OUTSIDE.get(match[1]) or SOURCE + match[1]})"

    return re.sub(r"\]\(\.\./([^)]+)\)", link, markdown)
