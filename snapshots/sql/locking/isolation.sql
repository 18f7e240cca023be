-- A reader keeps its snapshot while a writer commits, and sees the new one in its next transaction.
--@ wal
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ open reader main.db
BEGIN;
SELECT * FROM t;
--@ on main
INSERT INTO t VALUES (2);
SELECT * FROM t;
--@ on reader
SELECT * FROM t;
--@ on main
UPDATE t SET v = v * 10;
DELETE FROM t WHERE v = 10;
CREATE TABLE u(x);
--@ on reader
SELECT * FROM t;
SELECT count(*) FROM sqlite_schema;
COMMIT;
SELECT * FROM t;
SELECT count(*) FROM sqlite_schema;
