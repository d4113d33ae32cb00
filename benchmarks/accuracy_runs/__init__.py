"""The parts of `benchmarks/accuracy.py`: images, training, scores, intervals, tables."""
