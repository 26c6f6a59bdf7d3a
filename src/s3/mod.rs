//! A small S3 client: list and measure.
