-- Each reader has the snapshot of its own beginning.
--@ wal
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ open a main.db
BEGIN;
SELECT sum(v) FROM t;
--@ on main
INSERT INTO t VALUES (10);
--@ open b main.db
BEGIN;
SELECT sum(v) FROM t;
--@ on main
INSERT INTO t VALUES (100);
--@ open c main.db
BEGIN;
SELECT sum(v) FROM t;
--@ on main
UPDATE t SET v = v + 1;
--@ open d main.db
BEGIN;
SELECT sum(v) FROM t;
--@ on a
SELECT sum(v) FROM t;
--@ on b
SELECT sum(v) FROM t;
--@ on c
SELECT sum(v) FROM t;
COMMIT;
--@ on main
DELETE FROM t;
--@ on d
SELECT sum(v) FROM t;
--@ on a
SELECT sum(v) FROM t;
COMMIT;
SELECT sum(v) FROM t;
--@ on b
SELECT sum(v) FROM t;
