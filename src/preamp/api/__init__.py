"""Amplify's operations: one module per resource, one plain function per operation, typed in and out."""
