"""The run: configuration, Ray, ledger, report and command line. Only this package knows Ray, YAML and the dataset's folder.

config.load(pipeline, file, overrides, assets, seed) -> Pipeline        one page of YAML, resolved
driver.run(pipeline, out, address, progress, only, verbose) -> Summary  makes a dataset, or goes on with it
estimate.estimate(pipeline, sample, like) -> dict                       what it will cost
after.finish(pipeline, dataset, progress)                               stages on the whole dataset: export, validate, report
maintenance.retry, regenerate, repair, extend, debug, diff              a dataset's later life
status.status(dir), verify.verify(dir, deep), report.write(dir)         what there is to know about it
validation.validate(dir) -> Verdict                                     does the data teach a model?
"""
