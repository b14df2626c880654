"""The life of one generation: looked up, claimed, sent once, waited for, kept, recorded. Needs no Prefect. Not API."""
