"""The audit trail after PS3.15 A.5: connected, received, graded, sent, removed."""
