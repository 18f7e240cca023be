-- A statement that fails in the middle undoes itself; the transaction and the others go on.
--@ wal
CREATE TABLE t(v INT CHECK (v < 50));
--@ open b main.db
--@ on main
BEGIN;
INSERT INTO t VALUES (1), (2);
INSERT INTO t VALUES (3), (99);
--@ on b
SELECT count(*) FROM t;
--@ on main
SELECT count(*) FROM t;
COMMIT;
--@ on b
SELECT count(*) FROM t;
BEGIN;
INSERT INTO t VALUES (4);
--@ close b
--@ on main
SELECT group_concat(v) FROM t;
INSERT INTO t VALUES (5);
