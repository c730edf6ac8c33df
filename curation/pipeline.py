"""One asset's way through curation: check, normalise, clean, filter, make watertight."""

import dataclasses

from curation.clean import clean
from curation.config import CurationConfig
from curation.features import features
from curation.filters import judge
from curation.watertight import make_watertight
from versemill import seeds
from versemill.asset import Asset
from versemill.curated import Curated, Rejected
from versemill.errors import AssetError
from versemill.mesh import components


def curate(asset: Asset, config: CurationConfig) -> Curated | Rejected:
    """Makes an asset ready to render and to sample, or says why not (TripoSG section 4, its data-building system).

    Bad meshes end in a rejection, never in an exception.
    """
    try:
        asset = asset.normalized()
    except AssetError as error:
        return Rejected("check", error.reason, str(error))
    asset, repairs = clean(asset, config.merge_distance, config.min_part, config.device)
    if len(asset.faces) == 0:
        return Rejected("clean", "degenerate", "no triangle with an area is left after cleaning", 0.0, 1.0)
    asset = asset.normalized()
    parts = int(components(asset.faces).max()) + 1
    if parts > config.max_parts:
        return Rejected(
            "clean",
            "too_many_parts",
            f"the mesh has {parts} components; max_parts is {config.max_parts}",
            parts,
            config.max_parts,
        )
    measured = features(asset, config.device)
    verdicts = judge(asset, measured, config.filters)
    dropped = [v for v in verdicts if not v.keep]
    if dropped:
        first = dropped[0]
        return Rejected("filter", first.reason, first.message, first.value, first.threshold)
    result = make_watertight(asset.vertices, asset.faces, seeds.stream(asset.seed, asset.index, "curation/gate"), config)
    if isinstance(result, Rejected):
        return result
    metrics = {
        "repairs": repairs,
        "features": measured,
        "filters": [dataclasses.asdict(v) for v in verdicts],
        "watertight": result.metrics,
    }
    return Curated(asset, result.vertices, result.faces, metrics, result.methods)
