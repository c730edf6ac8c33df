"""Plain English: the phrases of english.txt stand in no page, help, error, description or public docstring.

As a program (the pre-commit hook): python tests/test_english.py FILES
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "versemill",
    "zeroverse",
    "detailverse",
    "render",
    "shards",
    "curation",
    "training",
    "reconstruction",
    "generation",
    "mill",
)
RULES = [
    (re.compile(pattern.strip(), re.IGNORECASE), advice.strip())
    for line in (ROOT / "tests" / "english.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for pattern, _, advice in [line.partition(" :: ")]
]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what people read of a file: a page without its code; of Python, public docstrings and the strings of
    errors, help and descriptions; of YAML, descriptions and questions."""
    source = path.read_text()
    if path.suffix == ".md":
        blank = lambda match: re.sub(r"[^\n]", " ", match[0])  # noqa: E731
        yield 1, re.sub(r"```.*?```|`[^`\n]*`", blank, source, flags=re.S)
    elif path.suffix in (".yaml", ".yml"):
        for number, line in enumerate(source.splitlines(), 1):
            if match := re.match(r"\s*(?:description|question|hardware|time|expected):\s*(.*)", line):
                yield number, match[1]
    elif path.suffix == ".py":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node)
                if text and not getattr(node, "name", "").startswith("_"):
                    yield getattr(node, "lineno", 1), text
            elif isinstance(node, ast.Raise) and node.exc is not None:
                yield from strings(node.exc)
            elif isinstance(node, ast.keyword) and node.arg in ("help", "description", "summary", "question", "meaning"):
                yield from strings(node.value)


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The literal strings in an expression, those of an f-string joined."""
    if isinstance(node, ast.JoinedStr):
        parts = (str(value.value) if isinstance(value, ast.Constant) else "X" for value in node.values)
        yield node.lineno, "".join(parts)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def faults(path: Path) -> list[str]:
    lines = []
    for start, text in texts(path):
        flat = re.sub(r"\s", " ", text)
        for rule, advice in RULES:
            for match in rule.finditer(flat):
                line = start + text.count("\n", 0, match.start())
                lines.append(f"{path.relative_to(ROOT)}:{line}: '{match[0]}': write {advice}")
    return lines


def files() -> list[Path]:
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    ]
    code = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.suffix in (".py", ".yaml")]
    return sorted({*pages, *code, ROOT / "pipelines.yaml"})


def test_people_read_plain_english() -> None:
    assert not [fault for path in files() for fault in faults(path)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("mend it, then run again", 1), ("needs a folder, and 'x' is none", 1), ("there is none", 0),
        ("Training left the road", 1),
        ("the same command goes on where it was", 2), ("'x' is not a directory", 0), ("anybody's meshes", 1),
        ("see `is none`", 0),
    ],
)  # fmt: skip
def test_the_rules_find_what_they_should(text: str, wrong: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(f"# Title\n\n{text}\n\n```\nmend\n```\n")
    lines = faults(tmp_path / "page.md")
    assert len(lines) == wrong
    assert all(":3:" in each for each in lines)


if __name__ == "__main__":
    wrong = [fault for name in sys.argv[1:] for fault in faults(Path(name).resolve()) if "tests" not in Path(name).parts]
    sys.stdout.write("".join(f"{fault}\n" for fault in wrong))
    sys.exit(bool(wrong))
