"""Tables, named queries and migrations, one module per resource; blobs and logs. Imports model, settings."""
