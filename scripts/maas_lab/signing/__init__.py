"""Signing bundles: with a key in a file, or with one in AWS KMS that never leaves it."""
