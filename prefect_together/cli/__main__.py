"""``python -m prefect_together.cli`` is ``prefect-together``."""

from prefect_together.cli.main import main

raise SystemExit(main())
