"""Generation models trained on the shards: shapes, normals, novel views, distillation."""
