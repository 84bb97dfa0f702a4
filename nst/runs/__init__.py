"""Finished runs: what they give back, how they are kept, and read again."""
