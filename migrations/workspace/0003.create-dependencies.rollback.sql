-- 0003 back: the dependency graph and its guards.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop trigger task_dependencies_50_remove_edges on task_dependencies;
drop trigger task_dependencies_50_add_edges on task_dependencies;
drop trigger task_dependencies_10_refuse_truncation on task_dependencies;
drop trigger task_dependencies_10_refuse_itself on task_dependencies;
drop trigger task_dependencies_10_refuse_change on task_dependencies;
drop trigger tasks_90_open_gates on tasks;
drop function remove_edges();
drop function add_edges();
drop function refuse_truncated_edges();
drop function refuse_edge_to_itself();
drop function refuse_changed_edge();
drop function open_gates();
drop function task_graph_repair(uuid[], uuid[]);
drop function task_graph_edges(uuid[]);
drop function task_graph_region(uuid[], bigint);
drop table task_dependencies;
