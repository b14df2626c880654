"""``gallery.html``: everything that a library keeps, as one static page beside it. Needs no server and no network."""

from prefect_together.page.writing import write_page

__all__ = ["write_page"]
