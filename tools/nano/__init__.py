"""Makes what ships inside: the `mini` benchmarks' data and the `nano` model. See docs/nano.md."""
