"""The web app: plain functions that read and write a workspace, and their layout in Gradio."""
