"""What a person configures under Prefect: settings, credentials, the library."""
