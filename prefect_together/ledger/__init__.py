"""What was asked, sent, paid and kept: attempts, leases, budgets. Sends nothing. Not API."""
