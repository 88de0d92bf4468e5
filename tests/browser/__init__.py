"""The tool's page, as a reader sees it: in a real browser, wide and narrow, light and dark."""
