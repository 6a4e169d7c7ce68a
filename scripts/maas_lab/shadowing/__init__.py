"""Shadows on a laptop: versions that see requests in the background, and a report of them."""
