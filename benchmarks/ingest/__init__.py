"""How many events a second are checked, masked and on disk."""
