"""Rigid bodies for physics engines: mass, inertia, convex colliders and friction of an asset, as URDF, MJCF and USD."""
