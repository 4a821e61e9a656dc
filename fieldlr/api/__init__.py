"""What `import fieldlr` offers beside the rooms' own: fits without a folder, curves from arrays."""
