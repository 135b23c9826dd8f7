"""A lumbar spine in three dimensions: which tissue lies where."""
