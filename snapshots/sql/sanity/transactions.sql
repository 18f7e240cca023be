-- Commit keeps, rollback forgets; errors in between leave the transaction open.
CREATE TABLE t(v INT PRIMARY KEY);
BEGIN;
INSERT INTO t VALUES (1);
BEGIN;
INSERT INTO t VALUES (1);
INSERT INTO t VALUES (2);
COMMIT;
SELECT count(*) FROM t;
BEGIN;
DELETE FROM t;
CREATE TABLE other(x);
ROLLBACK;
SELECT count(*) FROM t;
SELECT * FROM other;
COMMIT;
ROLLBACK;
BEGIN EXCLUSIVE;
INSERT INTO t VALUES (3);
END;
--@ reopen
SELECT group_concat(v) FROM t;
