"""What the Prefect UI and ``gallery.html`` show. Never fails or delays what is paid for. Not API."""
