"""Work on other machines: a Dask cluster that somebody else runs."""
