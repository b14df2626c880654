"""What may be asked and what comes back: one file for each generation type. Nothing here sends, or knows a price."""
