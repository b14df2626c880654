"""The Prefect tasks, in pairs: ``generate_image`` for sync flows, ``agenerate_image`` for async ones. No logic here."""
