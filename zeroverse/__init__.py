"""Primitive compositions, after LRM-Zero's Zeroverse (arXiv 2406.09371, section 3)."""
