"""What the card adds up row by row is what all rows together give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from versemill.mill.folder.card import _Sums

count = st.integers(0, 10**6)
row = st.fixed_dictionaries({
    "meta": st.fixed_dictionaries({
        "split": st.sampled_from(["train", "val", "test"]),
        "licences": st.lists(st.sampled_from(["CC0-1.0", "CC-BY-4.0", ""]), unique=True),
        "depth_to_surface": st.none() | st.floats(0, 2),
    }),
    "mesh": st.fixed_dictionaries({"face_count": count, "vertex_count": count}),
    "views": st.none() | st.fixed_dictionaries({"count": count}),
    "fields": st.none() | st.fixed_dictionaries({"stats": st.sampled_from(["", "{}"])}),
})  # fmt: skip


@given(st.lists(row, max_size=20))
def test_sums_are_those_of_all_rows(rows):
    sums = _Sums()
    for each in rows:
        sums.add(each)
    splits = [each["meta"]["split"] for each in rows]
    assert dict(sums.splits) == {word: splits.count(word) for word in splits}
    licences = [word for each in rows for word in each["meta"]["licences"]]
    assert dict(sums.licences) == {word: licences.count(word) for word in licences}
    assert sums.lacking == {
        "views": sum(each["views"] is None or each["views"]["count"] == 0 for each in rows),
        "fields": sum(each["fields"] is None or each["fields"]["stats"] == "" for each in rows),
    }
    values = {
        "faces": [each["mesh"]["face_count"] for each in rows],
        "vertices": [each["mesh"]["vertex_count"] for each in rows],
        "views": [each["views"]["count"] for each in rows if each["views"]],
        "depth to surface": [d for each in rows if (d := each["meta"]["depth_to_surface"]) is not None],
    }
    for name, numbers in values.items():
        facts = sums.statistics[name].facts
        if not numbers:
            assert facts == {}
        else:
            assert (facts["min"], facts["max"]) == (min(numbers), max(numbers))
            assert np.isclose(facts["mean"], np.mean(numbers))
