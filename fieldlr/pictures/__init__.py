"""What a person looks at: sheets, drawings, curves, pages. Plain data in, pictures out."""
