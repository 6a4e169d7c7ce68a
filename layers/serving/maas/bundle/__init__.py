"""A model that can be shipped: what its manifest says, and the proof that its files are so."""
