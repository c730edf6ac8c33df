"""Shape models: TripoSG's autoencoder and flow, NoRLD's flow on normal maps, and what their meshes are judged by."""
