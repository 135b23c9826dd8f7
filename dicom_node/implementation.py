"""Who encoded a file, as every File Meta Information says (PS3.10 7.1)."""

IMPLEMENTATION_CLASS_UID = "2.25.160116234728846198748860788119273136546"
"""Ours for ever, whatever the version."""
IMPLEMENTATION_VERSION_NAME = "LUMBAR_NODE_1"
"""Changes when what we write is encoded otherwise; at most 16 characters."""
