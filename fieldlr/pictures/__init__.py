"""Visual output from plain data: picture sheets, mesh renders, plots, HTML pages."""
