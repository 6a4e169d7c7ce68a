"""Texts to short ones."""
