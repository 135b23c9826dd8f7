"""The canal's cross-section at a disc, drawn towards wanted grades."""
