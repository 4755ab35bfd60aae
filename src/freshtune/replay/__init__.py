"""How quality is proved: a recorded stream played through rival strategies, each in a process of its own."""
