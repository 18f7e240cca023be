-- A transaction that read an older snapshot cannot write on top of it.
--@ wal
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ open b main.db
BEGIN;
SELECT * FROM t;
--@ on main
UPDATE t SET v = 2;
--@ on b
UPDATE t SET v = v + 10;
SELECT * FROM t;
COMMIT;
BEGIN;
SELECT * FROM t;
UPDATE t SET v = v + 10;
COMMIT;
SELECT * FROM t;
--@ on main
SELECT * FROM t;
