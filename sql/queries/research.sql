-- Research of sessions: gaps, options, choices.

-- name: add
-- A gap, with the options known already.
insert into tech_research as research (
    session_id, technology_category, gap_description, researched_options
)
values (:session_id, :technology_category, :gap_description, :researched_options)
returning
    research.id,
    research.session_id,
    research.technology_category,
    research.gap_description,
    research.researched_options,
    research.selected_technology,
    research.selection_reasoning,
    research.decided_at,
    research.created_at,
    research.updated_at;

-- name: get
-- A research by its id.
--
-- plan: tech_research_pkey
select research.*
from tech_research as research
where research.id = :id;

-- name: set_options
-- The options found. One that is chosen already must be among them.
--
-- plan: tech_research_pkey
update tech_research as research
set researched_options = :researched_options
where research.id = :id
returning research.*;

-- name: choose
-- Chooses one of the options, with the reason.
--
-- plan: tech_research_pkey
update tech_research as research
set
    selected_technology = :technology,
    selection_reasoning = :reasoning,
    decided_at = now()
where research.id = :id
returning research.*;

-- name: list_for_session
-- The research of a session, in the order in which it was begun.
--
-- plan: tech_research_in_order, tech_research_by_session_and_category
select research.*
from tech_research as research
where
    research.session_id = :session_id
    and research.technology_category = :technology_category         -- if :technology_category
order by research.created_at, research.id;

-- name: list_by_category
-- The research of all sessions in a category, newest first.
--
-- plan: tech_research_by_category
select research.*
from tech_research as research
where
    research.technology_category = :technology_category
    and (research.created_at, research.id)                      -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by research.created_at desc, research.id desc
limit :limit;
