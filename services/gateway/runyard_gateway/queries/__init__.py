"""All SQL of the gateway, one module for each resource. Reads the views of the schema `read`, and the gateway's own tables."""
