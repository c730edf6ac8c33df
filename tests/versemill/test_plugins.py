"""Entry points of other packages: listed without an import, refused where a name is taken or the object is another."""

import sys

import pytest

from versemill.errors import ConfigError
from versemill.plugins import Table

OWN = {"own": "fractions:Fraction"}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Writes the metadata of a distribution, as an installer would, onto the path."""

    def write(package, group, **entries):
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[{group}]\n{lines}")

    monkeypatch.syspath_prepend(str(tmp_path))
    return write


def table():
    return Table("number", "numbers", type, OWN)


def test_entries_of_packages_follow_ours_and_are_imported_late(install, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    install("boxes", "versemill.numbers", boxes="decimal:Decimal", late="colorsys:ONE_THIRD")
    install("others", "versemill.letters", a="decimal:Decimal")
    made = table()
    assert list(made) == ["own", "boxes", "late"]
    assert len(made) == 3
    assert "boxes" in made
    assert "a" not in made
    assert "colorsys" not in sys.modules
    assert made["boxes"].__name__ == "Decimal"
    assert made.target("boxes") == "decimal:Decimal"
    assert made.find("fractions:Fraction") is made["own"]
    with pytest.raises(ConfigError, match="number 'late' is a float"):
        made.find("late")


def test_a_name_of_ours_is_refused(install):
    install("thief", "versemill.numbers", own="decimal:Decimal")
    with pytest.raises(ConfigError, match="package 'thief' adds a number named 'own', a name that versemill already uses"):
        list(table())
    assert table().find("own").__name__ == "Fraction"


def test_two_packages_with_one_name_are_refused(install):
    install("first", "versemill.numbers", x="decimal:Decimal")
    install("second", "versemill.numbers", x="decimal:Decimal")
    with pytest.raises(ConfigError, match=r"'(first|second)' adds a number named 'x', a name that (first|second) already uses"):
        list(table())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "unknown number 'nothing'; known: own, or package.module:NAME"),
        ("no_such_module:X", "can't load number 'no_such_module:X': ModuleNotFoundError: No module named"),
        ("decimal:nothing", "can't load number 'decimal:nothing'"),
        ("fractions:", "can't load number 'fractions:'"),
        (":X", "can't load number ':X'"),
    ],
)
def test_what_cannot_be_found_is_one_clear_line(name, message):
    with pytest.raises(ConfigError, match=message):
        table().find(name)
