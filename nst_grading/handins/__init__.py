"""What students hand in: found in folders and archives, and read."""
