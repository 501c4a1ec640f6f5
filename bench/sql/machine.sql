-- The server's settings.

-- name: server_settings
select
    setting.name,
    current_setting(setting.name) as value
from unnest(:names::text[]) as setting (name);
