"""Many requests at once: run, counted, written down in a manifest, planned beforehand. Needs no Prefect."""
