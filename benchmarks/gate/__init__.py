"""How often does the gate err: its bound on old examples, and its test of a delta's labels."""
