"""What a project that others join needs: citation, templates and release agree with the code, and are well formed."""

import re
from pathlib import Path

import pytest
import yaml

from versemill import __version__

ROOT = Path(__file__).parents[1]


def test_version_is_the_same_everywhere_and_the_changelog_has_it() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert re.search(
        rf"^## \[{re.escape(__version__)}\] - {citation['date-released']}$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


@pytest.mark.parametrize("path", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob(".github/**/*.yml")))
def test_github_files_are_yaml_of_the_expected_kind(path: str) -> None:
    content = yaml.safe_load((ROOT / path).read_text())
    if "workflows" in path:
        assert True in content or "on" in content  # YAML 1.1 reads the key `on` as true
        assert content["permissions"] == {"contents": "read"}, "more is granted to single jobs"
        assert all(job["runs-on"] and job["steps"] for job in content["jobs"].values())
    elif not path.endswith("config.yml"):
        assert {"name", "description", "body"} <= set(content)
        assert len({item.get("id") for item in content["body"]}) == len(content["body"])


def test_the_release_publishes_without_a_stored_token() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    publish = release["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["needs"] == "build"
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()


def test_links_between_pages_lead_somewhere() -> None:
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / ".github").glob("*.md"),
    ]
    broken = []
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            file = page.parent / path if path else page
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M) if file.is_file() and file.suffix == ".md" else []
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            if not file.exists() or (anchor and anchor not in slugs):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken
