-- Savepoints nest, release and roll back, inside a transaction and without one.
CREATE TABLE t(v INT);
BEGIN;
INSERT INTO t VALUES (1);
SAVEPOINT a;
INSERT INTO t VALUES (2);
SAVEPOINT b;
INSERT INTO t VALUES (3);
SELECT group_concat(v) FROM t;
ROLLBACK TO b;
SELECT group_concat(v) FROM t;
INSERT INTO t VALUES (4);
RELEASE b;
ROLLBACK TO a;
INSERT INTO t VALUES (5);
RELEASE a;
COMMIT;
SELECT group_concat(v) FROM t;
SAVEPOINT outer;
INSERT INTO t VALUES (6);
ROLLBACK TO outer;
INSERT INTO t VALUES (7);
RELEASE outer;
RELEASE nowhere;
--@ reopen
SELECT group_concat(v) FROM t;
