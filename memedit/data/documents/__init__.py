"""Documents as people have them, read into passages: Markdown, text, HTML, PDF and DOCX."""
