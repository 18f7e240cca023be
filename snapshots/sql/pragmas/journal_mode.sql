-- Every journal mode but WAL takes effect, and transactions work in each.
PRAGMA journal_mode;
CREATE TABLE t(mode TEXT);
PRAGMA journal_mode = TRUNCATE;
INSERT INTO t VALUES ('truncate');
BEGIN;
DELETE FROM t;
ROLLBACK;
PRAGMA journal_mode = PERSIST;
INSERT INTO t VALUES ('persist');
BEGIN;
DELETE FROM t;
ROLLBACK;
PRAGMA journal_mode = MEMORY;
INSERT INTO t VALUES ('memory');
BEGIN;
DELETE FROM t;
ROLLBACK;
PRAGMA journal_mode = OFF;
INSERT INTO t VALUES ('off');
PRAGMA journal_mode = DELETE;
INSERT INTO t VALUES ('delete');
PRAGMA journal_mode = NONSENSE;
SELECT group_concat(mode) FROM t;
--@ reopen
PRAGMA journal_mode;
SELECT group_concat(mode) FROM t;
PRAGMA integrity_check;
