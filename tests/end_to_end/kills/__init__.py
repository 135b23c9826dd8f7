"""``kill -9`` at random moments: is what was acknowledged kept, and graded once?

The node's own verbs run as processes, with a stand-in for the network alone. Four
senders and a PACS surround them; a receiver or a worker dies again and again and is
started again, as systemd would; then everything is counted.
"""
