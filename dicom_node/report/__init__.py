"""What goes back to the PACS: the structured report and the summary picture."""
