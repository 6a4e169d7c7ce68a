"""What `maas new` copies: for each task a recipe, a reader of raw rows, and one test for all.

Each reader is a script that stands for itself. It imports the standard library (that of pictures
Pillow and numpy) and brings a made-up example, so that everything runs before anything is changed.
"""
