-- A copy of a directory, taken while it was open, is a database with every commit in it.
--@ vfs graft
CREATE TABLE t(v INT);
--@ repeat 30 INSERT INTO t VALUES ($I)
BEGIN;
INSERT INTO t VALUES (1000);
--@ copy main.db copy.db
COMMIT;
--@ open copy copy.db
SELECT count(*), max(v) FROM t;
PRAGMA integrity_check;
INSERT INTO t VALUES (31);
--@ on main
SELECT count(*), max(v) FROM t;
--@ reopen
SELECT count(*), max(v) FROM t;
