"""The web app: functions on a workspace, their layout in Gradio, its server."""
