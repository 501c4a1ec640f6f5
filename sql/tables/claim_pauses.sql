-- Claiming is paused for a part of the plan: an epic, a feature, an agent type, or, where a row
-- names none of them, the whole workspace. Pausing writes the tasks' rows (is_paused), so a claim
-- looks at no pause; work that is under way goes on.
create table claim_pauses (
    id uuid primary key default uuidv7(),
    epic_id uuid,
    feature_id uuid,
    agent_type shared.name_text,
    reason text,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    constraint claim_pauses_epic_exists
        foreign key (epic_id) references epics (id) on delete cascade,
    constraint claim_pauses_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint claim_pauses_one_scope check (num_nonnulls(epic_id, feature_id, agent_type) <= 1),
    constraint claim_pauses_once_per_scope
        unique nulls not distinct (epic_id, feature_id, agent_type)
);

-- Serves the deletion of features.
create index claim_pauses_by_feature on claim_pauses (feature_id);

comment on table claim_pauses is 'Parts of the plan of which no task can be claimed.';
comment on column claim_pauses.epic_id is 'The paused epic. All three null: the whole workspace.';
comment on column claim_pauses.feature_id is 'The paused feature.';
comment on column claim_pauses.agent_type is 'The paused agent type.';
comment on column claim_pauses.reason is 'The reason.';
comment on column claim_pauses.created_by is 'The author of the pause.';
