"""From a trained network to graphs: tracing, decoding, forms, and the proofs that they are equal."""
