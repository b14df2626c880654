"""Objects by key in a folder or an object store, behind one interface. Not API."""
