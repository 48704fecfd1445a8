"""The virtual Node: its record, its object in the API, and the signs of life that keep it Ready."""
