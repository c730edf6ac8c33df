"""The report's histograms: numbers of the views next to those of the meshes."""

import json

from versemill.mill.report import distributions


def row(white, black, views=True):
    meta = {"source": "t", "metrics": json.dumps({}), "depth_to_surface": None}
    info = (
        {"exposure": {"white": white, "black": black, "overexposed": [], "underexposed": []}} if white else {"engine": "warp"}
    )
    return {"meta": meta, "mesh": {"face_count": 4}, "views": {"info": json.dumps(info)} if views else None}


def test_the_worst_view_of_each_asset_is_shown():
    rows = [row([0.1, 0.25], [0.0, 0.5]), row([0.75, 0.0], [0.5, 0.0])]
    (group,) = distributions.histograms(rows)
    assert group["title"] == "the worst view of each asset"
    (white,) = group["histograms"]  # black does not vary
    assert (white["name"], white["low"], white["high"]) == ("share that is white", "0.25", "0.75")


def test_rows_without_views_or_of_before_have_no_exposure():
    assert distributions.histograms([row(None, None), row(None, None, views=False)]) == []
