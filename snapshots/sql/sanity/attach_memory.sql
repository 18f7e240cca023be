-- In-memory and temporary databases beside the main one.
ATTACH ':memory:' AS mem;
ATTACH '' AS scratch;
CREATE TABLE t(v INT);
CREATE TABLE mem.t(v INT);
CREATE TABLE scratch.t(v INT);
BEGIN;
INSERT INTO main.t VALUES (1);
INSERT INTO mem.t VALUES (2);
INSERT INTO scratch.t VALUES (3);
COMMIT;
SELECT main.t.v, mem.t.v, scratch.t.v FROM main.t, mem.t, scratch.t;
PRAGMA mem.journal_mode;
SELECT name FROM pragma_database_list ORDER BY seq;
DETACH mem;
DETACH scratch;
DETACH main;
SELECT * FROM t;
