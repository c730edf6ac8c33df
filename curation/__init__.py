"""Any mesh in, training-ready geometry out: ingest, clean, watertight, score, filter, fix, fields."""
