"""What asks: a request and its typed reply, the users' methods, a URL and what it stands for."""
