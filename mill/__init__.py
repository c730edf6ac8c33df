"""Pipelines, the run, the dataset's folder, report, proof and command line. Only this package knows Ray, YAML and the folder.

pipeline.config.load(pipeline, file, overrides, assets, seed) -> Pipeline   one page of YAML, resolved
run.driver.run(pipeline, out, address, progress, only, verbose) -> Summary  makes a dataset, or resumes it
live.LiveDataset(pipeline, seed, ...), live.training.train(...)              assets milled while a model trains on them
upkeep.estimate.estimate(pipeline, sample, like) -> dict                    what it will cost
proof.after.finish(pipeline, dataset, progress)                             what follows: export, validate, report
upkeep.maintenance.retry, regenerate, repair, extend, debug, diff           a dataset's later life
report.status.status(dir), upkeep.verify.verify(dir, deep), report.write(dir)   what there is to know about it
proof.validation.validate(dir) -> Verdict                                   does the data teach a model?
proof.ablation.ablate(name, out, budget) -> Outcome                         does a setting matter?
"""
