"""Rules with status 200 and an absolute URL: the request goes to another server, its answer comes back."""
