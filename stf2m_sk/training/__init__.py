"""Meta-training: episodes as index arrays, and the skorch net that learns from them."""
