"""Large pictures, cores and GPUs: tiles, memory foretold, fair shares, steps recorded once."""
