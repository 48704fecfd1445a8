"""Pods and their jobs are brought together here: a queue of UIDs, pure decisions, and the hands that carry them out."""
