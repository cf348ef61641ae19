"""The presigned files of the control port: uploads, logs, artifacts."""
