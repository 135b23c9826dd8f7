"""What must survive a restart: files, and the tables that say what is in them."""
