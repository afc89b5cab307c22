"""The HTTP interface: OpenAI's, that of edits, of trials, of operations, and the page."""
