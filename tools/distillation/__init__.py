"""How the built-in network is trained and judged: see tools/distill.py."""
