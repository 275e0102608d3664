"""What the API, the pages and the console share: identity, languages, problems, logs, metrics. It holds no rule."""
