"""What every part may use: JSON, processes, the event loop, text. Not API."""
