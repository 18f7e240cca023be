-- One writer at a time: the second is busy until the first is done.
--@ wal
CREATE TABLE t(v INT);
--@ open b main.db
--@ on main
BEGIN IMMEDIATE;
INSERT INTO t VALUES (1);
--@ on b
BEGIN IMMEDIATE;
INSERT INTO t VALUES (2);
SELECT count(*) FROM t;
BEGIN;
SELECT count(*) FROM t;
INSERT INTO t VALUES (2);
ROLLBACK;
--@ on main
COMMIT;
--@ on b
BEGIN IMMEDIATE;
INSERT INTO t VALUES (2);
--@ on main
INSERT INTO t VALUES (3);
--@ on b
ROLLBACK;
--@ on main
INSERT INTO t VALUES (3);
SELECT * FROM t;
