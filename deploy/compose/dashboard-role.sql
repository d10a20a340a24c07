-- The role of Grafana's data source: it reads the views for dashboards of every tenant, and nothing else. After ../grafana/role.sql;
-- may be run again.
\set ON_ERROR_STOP on
\getenv password RUNYARD_DASHBOARD_PASSWORD
select dashboards.add_role('grafana');
alter role grafana password :'password';
