"""The endpoints of the API, one file each: what its request body must look like, and how it is answered."""
