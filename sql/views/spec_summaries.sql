-- Specifications without their content, which may be long.
create view spec_summaries as
select
    spec.id,
    spec.spec_number,
    spec.key,
    spec.title,
    spec.roadmap_item_id,
    spec.status,
    spec.spec_type,
    spec.file_path,
    spec.total_phases,
    spec.phase_files,
    spec.phase,
    spec.current_phase_status,
    spec.estimated_hours,
    spec.actual_hours,
    spec.created_by,
    spec.updated_by,
    spec.started_at,
    spec.created_at,
    spec.updated_at
from technical_specs as spec;

comment on view spec_summaries is 'Specifications without content and structure.';
