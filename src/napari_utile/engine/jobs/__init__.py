"""One piece of work over many blocks: in threads of this process, or on Dask Distributed."""
