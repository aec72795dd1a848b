"""The pages: one module each, a function `(datasette, request) -> Response` that gathers a context and shows it."""
