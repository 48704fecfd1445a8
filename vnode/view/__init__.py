"""What we know of both sides, and the one place where UID, name, job, allocation and client meet."""
