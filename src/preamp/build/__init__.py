"""Source, spec, environment, sandbox, phases, cache, logs: a build with no server and no database."""
