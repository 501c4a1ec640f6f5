-- A gap in the technology of a session, the options that were found for it, and the choice.
create table tech_research (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    technology_category shared.name_text not null,
    gap_description shared.note_text,
    researched_options shared.option_list,
    selected_technology shared.name_text,
    selection_reasoning shared.note_text,
    decided_at shared.moment,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tech_research_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_research_known_with_its_session unique (session_id, id),
    constraint tech_research_selected_is_an_option
        check (
            selected_technology is null
            or coalesce(
                jsonb_path_query_array(researched_options, '$[*].name') ? selected_technology,
                false
            )
        ),
    constraint tech_research_decided_at_exactly_with_selection
        check ((selected_technology is null) = (decided_at is null)),
    constraint tech_research_reasoning_only_with_selection
        check (selection_reasoning is null or selected_technology is not null)
);

-- Serve queries/research.sql: list_for_session, in order, of one category or of all.
create index tech_research_in_order on tech_research (session_id, created_at, id);
create index tech_research_by_session_and_category
    on tech_research (session_id, technology_category, created_at, id);
-- Serves queries/research.sql: list_by_category, newest first.
create index tech_research_by_category
    on tech_research (technology_category, created_at desc, id desc);

comment on table tech_research is 'Gaps in technology, the options found for them, the choices.';
comment on column tech_research.gap_description is 'The gap.';
comment on column tech_research.researched_options is
    'Objects, each with a name and whatever else was found out about it.';
comment on column tech_research.selected_technology is 'The name of one of the options.';
comment on column tech_research.decided_at is 'The moment of the choice.';
