"""Tables and views on which statements are described."""

from __future__ import annotations

SCHEMA = """
create table team (id integer primary key, name varchar(40) not null unique, note text);
create table member (
    id integer primary key,
    team_id integer not null references team,
    nick text,
    born date,
    unique (team_id, nick)
);
create table tag (name text, member_id integer references member);
create unique index tag_where on tag (name) where member_id is null;
create unique index tag_lower on tag (lower(name));
create table slot (day date, hour integer, who text, unique (day, hour) deferrable);
create table part (id integer primary key, v integer) partition by range (id);
create table part_1 partition of part default;
create table parent (id integer primary key);
create table child () inherits (parent);
create sequence ticket;
create view team_member as
select team.id, team.name, member.nick from team left join member on team.id = member.team_id;
create view member_team as
select member.id, member.nick, team.name from member join team on member.team_id = team.id;
create view latest as
select distinct on (team_id) team_id, nick from member order by team_id, id desc;
create table ruled (id integer primary key, v integer);
create table journal (what text);
create rule noted as on insert to ruled do also insert into journal values ('insert');
create domain word as text;
create table code (
    id integer primary key,
    short varchar(9) not null unique,
    padded char(9) unique,
    plain name,
    number integer unique,
    word word unique
);
create table padded_code (id integer primary key, code char(9));
create table text_code (id integer primary key, long text);
insert into code (id, short) values (1, 'a'), (2, 'a ');
insert into padded_code values (1, 'a');
insert into team values (1, 'a', null), (2, 'b', null);
insert into member values (1, 1, 'x', null), (2, 1, 'y', null), (3, 2, null, null);
"""
