"""Captions that people could have written: three per asset, in words of colour and material, checked over a thousand."""

import re

import pytest

from versemill.detailverse import DetailverseConfig, Specification, families, operators, sample_spec, words
from versemill.detailverse.colors import COLORS
from versemill.detailverse.substances import PATTERNS, SUBSTANCES
from versemill.detailverse.words import article, plural
from versemill.materials import procedural

NAMES = list(families())
COUNT = 1000


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Specification, words.Captions]]:
    specs = [sample_spec(DetailverseConfig(), 8, k) for k in range(COUNT)]
    return [(spec, words.captions(spec)) for spec in specs]


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) ", text)


def test_a_thousand_captions_keep_the_rules_of_grammar(drawn):
    """Capital and full stop, articles that fit, no word twice in a row, no doubled or dangling signs."""
    for _, caption in drawn:
        for text in (caption.short, caption.plain, caption.detailed):
            for sentence in sentences(text):
                assert re.fullmatch(r"[A-Z][^.]*[a-zA-Z]\.", sentence) or re.fullmatch(r"[A-Z].*[A-Z0-9]\.", sentence), text
            assert not re.search(r"  | ,| ;|,,|\{|\}|_|\bNone\b", text), text
            assert not re.search(r"\b(\w+) \1\b", text, re.IGNORECASE), text
            for the, following in re.findall(r"\b([Aa]n?) (\w[\w-]*)", text):
                assert article(following).split()[0] == the.lower(), text


def test_verbs_agree_with_their_subjects(drawn):
    for _, caption in drawn:
        for subject, verb in re.findall(r"[Ii]ts ([^,.;]*?) (is|are) ", caption.detailed):
            assert verb == ("are" if plural(subject) else "is"), caption.detailed
        for subject, verb in re.findall(r"[Tt]he ([^,.;]*?) (has|have) ", caption.detailed):
            assert verb == ("have" if plural(subject) else "has"), caption.detailed


def test_captions_say_nothing_of_textures_as_machines_call_them(drawn):
    banned = re.compile(
        r"worked with|\bnoise\b|wallpaper|polka_dots|car paint|worn_paint|\bfelt felt\b|\borganic\b|\balien\b|living",
        re.IGNORECASE,
    )
    for _, caption in drawn:
        for text in (caption.short, caption.plain, caption.detailed):
            assert not banned.search(text), text


def test_each_caption_says_more_than_the_one_before(drawn):
    for spec, caption in drawn:
        assert len(caption.short.split()) <= 12
        assert len(caption.short) <= len(caption.plain) <= len(caption.detailed) + 80
        assert len(sentences(caption.short)) == len(sentences(caption.plain)) == 1
        assert 1 <= len(sentences(caption.detailed)) <= 3
        if spec.parts:
            assert len(sentences(caption.detailed)) >= 2


def test_captions_name_the_member_and_every_part_that_is_told(drawn):
    for spec, caption in drawn:
        family = spec.family()
        for piece in words.spelled(family.noun()).split("{}"):
            if piece.split() and not piece.startswith((" icing", " bark")):
                assert piece.split()[-1] in caption.plain, caption.plain
        assert [p.part for p in caption.parts] == list(spec.parts)
        for part in caption.parts[: words.MOST_PARTS]:
            assert part.name in caption.detailed
            assert part.material in caption.detailed
            for phrase in part.ornament:
                assert phrase in caption.detailed
        assert {spec.category, spec.style, family.name()} <= set(words.tags(spec))


def test_the_parts_that_captions_come_from_are_kept_with_the_asset():
    from versemill.detailverse import generate

    asset = generate(DetailverseConfig(categories=["tool"], detail="fast", texture_size=32), 2, 1)
    record = asset.provenance["captions"]
    assert asset.caption == record["plain"]
    assert [part["part"] for part in record["parts"]] == list(asset.provenance["specification"]["parts"])
    assert all(part["material"] and part["name"] for part in record["parts"])


@pytest.mark.parametrize(
    ("words_", "expected"),
    [
        ("oak", "an oak"),
        ("urn", "an urn"),
        ("unicycle", "a unicycle"),
        ("hour", "an hour"),
        ("European oak", "a European oak"),
        ("eight-legged", "an eight-legged"),
    ],
)
def test_articles(words_, expected):
    assert article(words_) == expected


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("legs", True),
        ("boss", False),
        ("lens", False),
        ("glass", False),
        ("feet", True),
        ("canvas", False),
        ("ball of yarn", False),
        ("joints and fittings", True),
    ],
)
def test_plurals(name, many):
    assert plural(name) is many


def test_every_texture_and_operator_has_words():
    assert set(procedural.FAMILIES) <= set(PATTERNS)
    for operator in operators().values():
        assert operator.phrase
        assert "_" not in operator.phrase
    for substance in SUBSTANCES.values():
        assert substance.phrase.format("red").strip()
        assert set(substance.shades) <= set(COLORS)
        assert ("{}" in substance.phrase) == (substance.color is None and substance.texture != "tartan")


@pytest.mark.parametrize("name", NAMES)
def test_every_member_has_a_name_and_a_noun(name):
    for index in range(40):
        family = sample_spec(DetailverseConfig(categories=[name]), 4, index).family()
        for text in (family.name(), family.noun()):
            assert text
            assert text == " ".join(text.split())
            assert text.count("{}") <= 1
