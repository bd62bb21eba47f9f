"""Keys, sealed columns, search hashes, passwords."""
