"""The prober: asks containers what their probes want to know, and keeps the verdicts in the view."""
