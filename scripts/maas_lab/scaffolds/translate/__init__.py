"""Texts to the same in another language."""
