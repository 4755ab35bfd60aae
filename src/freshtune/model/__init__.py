"""The model: a text network that can be cut in two, its tokens, what its logits mean, and how it is run for serving."""
