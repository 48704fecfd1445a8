"""Fuzzing of the streaming codecs: `scripts/fuzz`."""
