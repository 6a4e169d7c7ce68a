"""Rows with a schema: readers, one module per source, splits and digests. See `dataset`."""
