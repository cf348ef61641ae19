"""Serves releases: host, rules, headers, static files. Reads only; never imports api, engine or build."""
