"""The body around the spine: skin, fat, muscles, organs, vessels and pelvis."""
