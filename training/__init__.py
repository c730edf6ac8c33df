"""What every model shares: it receives a `Family` and knows no model.

train(family, dataset_dir, preset, out)     writes a checkpoint that resumes exactly
evaluate(family, run_dir, dataset_dir)      a trained network next to its baselines, on held-out assets
evaluate_assets(family, run_dir, assets, dataset_dir)   the same on anyone's meshes
validate(family, dataset_dir, out)          the gate: does the model learn something from this dataset?
"""

import lazy_loader

# torch is loaded when something is trained or evaluated; a table of presets and `--help` do not wait for it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "evaluation": ["Evaluation", "evaluate", "evaluate_assets"],
        "family": ["Family", "Metric", "Needs"],
        "gate": ["Verdict", "validate"],
        "loop": ["DivergenceError", "train"],
        "recipe": ["Recipe"],
    },
)
