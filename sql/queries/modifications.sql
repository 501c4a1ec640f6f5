-- Modifications of projects: requested, decided, applied.

-- name: request
-- A new request, for the project's current version.
insert into modifications as modification (
    project_id,
    request,
    requested_by,
    affected_files,
    impact_analysis
)
values (
    :project_id,
    :request,
    :requested_by,
    :affected_files,
    :impact_analysis
)
returning
    modification.id,
    modification.project_id,
    modification.request,
    modification.requested_by,
    modification.requested_at,
    modification.impact_analysis,
    modification.affected_files,
    modification.status,
    modification.base_version,
    modification.approved_at,
    modification.applied_at,
    modification.ended_at,
    modification.modified_files,
    modification.test_results,
    modification.created_at,
    modification.updated_at;

-- name: get
--
-- plan: modifications_pkey
select modification.*
from modifications as modification
where modification.id = :id;

-- name: list_modifications
-- Modifications, the newest first; a page begins after the last of the one before.
--
-- plan: modifications_by_project, modifications_by_project_and_status,
-- plan: modifications_by_requester, modifications_by_status, modifications_by_request
select modification.*
from modifications as modification
where true
    and modification.project_id = :project_id                       -- if :project_id
    and modification.status = :status                               -- if :status
    and modification.requested_by = :requested_by                   -- if :requested_by
    and (modification.requested_at, modification.id)            -- if :after_requested_at :after_id
        < (:after_requested_at, :after_id)                      -- if :after_requested_at :after_id
order by modification.requested_at desc, modification.id desc
limit :limit;

-- name: find_by_impact
-- Modifications whose impact analysis contains this.
--
-- plan: modifications_by_impact
with found as materialized (
    select modification.*
    from modifications as modification
    where modification.impact_analysis @> :impact
)

select found.*
from found
order by found.id
limit :limit;

-- name: find_by_test_results
-- Modifications whose test results contain this.
--
-- plan: modifications_by_test_results
with found as materialized (
    select modification.*
    from modifications as modification
    where modification.test_results @> :results
)

select found.*
from found
order by found.id
limit :limit;

-- name: approve
-- Approves it, for the project's current version.
--
-- plan: modifications_pkey
update modifications as modification
set status = 'approved'
where modification.id = :id
returning modification.*;

-- name: reject
-- Rejects it.
--
-- plan: modifications_pkey
update modifications as modification
set status = 'rejected'
where modification.id = :id
returning modification.*;

-- name: fail
-- Records that it could not be applied.
--
-- plan: modifications_pkey
update modifications as modification
set
    status = 'failed',
    test_results = coalesce(:test_results, modification.test_results)
where modification.id = :id
returning modification.*;

-- name: apply
-- Applies it: the trigger changes the project's files with it, or refuses. The project's row is
-- locked first, as by every change of a project.
--
-- plan: modifications_pkey
with project as (
    select project.id
    from modifications as modification
    inner join project_contexts as project on project.id = modification.project_id
    where modification.id = :id
    for no key update of project
)

update modifications as modification
set
    status = 'applied',
    modified_files = :modified_files,
    test_results = :test_results
from project
where modification.id = :id and modification.project_id = project.id
returning modification.*;
