"""Assets with rich surface detail, after Hi3DGen's DetailVerse (arXiv 2503.22236), made procedurally."""
