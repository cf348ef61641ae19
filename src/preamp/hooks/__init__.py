"""What comes in from outside the API and starts builds: incoming webhooks."""
