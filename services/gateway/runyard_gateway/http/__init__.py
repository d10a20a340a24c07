"""HTTP as this gateway speaks it: routes from one table, bodies checked, every error a problem document. Pure ASGI."""
