"""Pictures to arrays. The only room that imports Pillow."""
