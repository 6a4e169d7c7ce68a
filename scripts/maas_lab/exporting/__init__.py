"""From a trained network to graphs: tracing, decoding, forms, and the proof of each."""
