"""Texture families by kind. Each module's FAMILIES maps a name to (draw parameters, paint maps)."""
