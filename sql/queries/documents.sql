-- Documents of sessions (TRD): versions, their quality, the newest one.

-- name: add
-- The next version; the trigger numbers it.
insert into generated_trd_documents as document (
    session_id,
    trd_content,
    api_specification,
    database_schema,
    architecture_diagram,
    tech_stack_document,
    quality_score,
    validation_report
)
values (
    :session_id,
    :trd_content,
    :api_specification,
    :database_schema,
    :architecture_diagram,
    :tech_stack_document,
    :quality_score,
    :validation_report
)
returning
    document.id,
    document.session_id,
    document.version,
    document.quality_score,
    document.created_at,
    document.updated_at;

-- name: set_validation
-- The result of a validation.
--
-- plan: generated_trd_documents_pkey
update generated_trd_documents as document
set
    quality_score = :quality_score,
    validation_report = :validation_report
where document.id = :id
returning
    document.id,
    document.session_id,
    document.version,
    document.quality_score,
    document.created_at,
    document.updated_at;

-- name: get
-- A document with all its texts.
--
-- plan: generated_trd_documents_pkey
select document.*
from generated_trd_documents as document
where document.id = :id;

-- name: get_version
-- A version of a session's document, with all its texts.
--
-- plan: generated_trd_documents_version_once_per_session
select document.*
from generated_trd_documents as document
where document.session_id = :session_id and document.version = :version;

-- name: newest
-- The newest version of a session's document, with all its texts.
--
-- plan: generated_trd_documents_version_once_per_session
select document.*
from generated_trd_documents as document
where document.session_id = :session_id
order by document.version desc
limit 1;

-- name: list_versions
-- The versions of a session's document, newest first, without their texts.
--
-- plan: generated_trd_documents_version_once_per_session
select
    document.id,
    document.session_id,
    document.version,
    document.quality_score,
    document.created_at,
    document.updated_at
from generated_trd_documents as document
where document.session_id = :session_id
order by document.version desc;

-- name: list_by_quality
-- Documents that were validated, the best first, without their texts.
--
-- plan: generated_trd_documents_by_quality
select
    document.id,
    document.session_id,
    document.version,
    document.quality_score,
    document.created_at,
    document.updated_at
from generated_trd_documents as document
where
    document.quality_score is not null
    and document.quality_score >= :at_least                         -- if :at_least
    and (document.quality_score, document.id)                  -- if :after_quality :after_id
        < (:after_quality, :after_id)                          -- if :after_quality :after_id
order by document.quality_score desc, document.id desc
limit :limit;
