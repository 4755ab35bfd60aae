"""The story played on a built-in stream of real reviews, with a report at its end."""
