"""Points on slices: the networks that find them, and what they are taken for."""
