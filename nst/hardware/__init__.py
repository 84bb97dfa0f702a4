"""Large pictures and GPUs: an objective in tiles, memory foretold, steps recorded once."""
