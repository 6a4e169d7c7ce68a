"""A version's share of an alias grows step by step, watched, and is taken back by itself."""
