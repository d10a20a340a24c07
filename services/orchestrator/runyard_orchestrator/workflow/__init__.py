"""What a workflow is: its language, its graph, its versions."""
