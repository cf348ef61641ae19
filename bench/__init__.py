"""Benches: modules to be run with `-m`; each measures against a yardstick in the same run."""
