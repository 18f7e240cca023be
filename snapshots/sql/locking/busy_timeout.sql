-- A busy timeout waits and then gives up; nothing is left locked.
--@ wal
CREATE TABLE t(v INT);
--@ open b main.db
PRAGMA busy_timeout = 60;
--@ on main
BEGIN IMMEDIATE;
--@ on b
INSERT INTO t VALUES (1);
--@ on main
ROLLBACK;
--@ on b
INSERT INTO t VALUES (2);
SELECT * FROM t;
