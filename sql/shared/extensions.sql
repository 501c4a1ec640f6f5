-- Trigram similarity, for finding titles that look alike.
create extension if not exists pg_trgm with schema shared;
