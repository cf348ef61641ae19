"""The stages of a request. Each looks at it and decides it, or leaves it to the next one."""
