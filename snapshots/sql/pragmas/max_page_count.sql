-- A limit of pages makes the database full; more room makes it go on.
CREATE TABLE t(v BLOB);
PRAGMA max_page_count = 10;
INSERT INTO t VALUES (zeroblob(20000));
INSERT INTO t VALUES (zeroblob(100000));
SELECT count(*), sum(length(v)) FROM t;
BEGIN;
INSERT INTO t VALUES (zeroblob(10));
INSERT INTO t VALUES (zeroblob(100000));
COMMIT;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA max_page_count = 1000;
INSERT INTO t VALUES (zeroblob(100000));
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
