"""Many runs: axes tried each with each, in processes that share the cores, kept in a folder."""
