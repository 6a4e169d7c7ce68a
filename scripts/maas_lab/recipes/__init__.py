"""What decides what a run computes: the typed sections of a recipe, the shelf, and toy sizes."""
