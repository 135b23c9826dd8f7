"""What the node says, by language; data only."""
