"""What networks learn from: slices with grades and points, drawn or kept on disk."""
