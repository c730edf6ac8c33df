"""Curation: any mesh in, training-ready geometry out."""

from versemill.curated import Curated, Rejected
from versemill.curation.config import CurationConfig, FieldsConfig, FilterConfig, LoadLimits
from versemill.curation.fields import check_agreement, depth_to_surface, sample
from versemill.curation.ingest import load
from versemill.curation.outputs import curate_file
from versemill.curation.pipeline import curate

__all__ = [
    "Curated",
    "CurationConfig",
    "FieldsConfig",
    "FilterConfig",
    "LoadLimits",
    "Rejected",
    "check_agreement",
    "curate",
    "curate_file",
    "depth_to_surface",
    "load",
    "sample",
]
