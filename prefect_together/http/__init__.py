"""What goes over the network: the API's client, connections, downloads, rate limits. Knows no ledger. Not API."""
