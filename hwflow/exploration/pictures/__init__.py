"""Pictures of explorations: a page, pictures for print, and a plot for terminals."""
