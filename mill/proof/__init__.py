"""Whether it works: the gate, ablations, the doctor, and the stages that follow the last shard."""
