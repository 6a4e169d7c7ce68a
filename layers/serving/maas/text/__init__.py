"""Texts to token ids. The only room that imports `tokenizers`."""
