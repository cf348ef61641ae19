"""Redirect and rewrite rules: behaviour reference 7.2."""
