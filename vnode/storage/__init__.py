"""Making and removing the volumes that claims of our Node ask for."""
