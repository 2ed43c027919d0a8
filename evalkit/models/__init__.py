"""Which model: its alias, where its files are, what is known of them, and the fingerprint of its weights."""
