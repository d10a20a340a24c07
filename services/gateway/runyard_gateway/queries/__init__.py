"""All SQL of the gateway, one module for each resource. Reads nothing but the views of the schema `read`."""
