"""Value objects, enums, identifiers and the state machine of a job. No I/O, no imports of ours."""
