"""Rate-distortion studies: fits, their .flr files, and curves of the decoded files."""
