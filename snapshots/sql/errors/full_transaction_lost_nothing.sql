-- Statements that fail for their size, a limit or an interrupt leave the database usable.
--@ vfs graft
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO t VALUES (1, x'01');
INSERT INTO t VALUES (2, zeroblob(1000000001));
INSERT INTO t VALUES (2, zeroblob(-1)), (3, NULL);
PRAGMA max_page_count = 20;
INSERT INTO t SELECT NULL, zeroblob(10000) FROM json_each('[1,2,3,4,5,6,7,8,9,10]');
SELECT id, length(v) FROM t;
PRAGMA integrity_check;
PRAGMA max_page_count = 1000000;
INSERT INTO t SELECT NULL, zeroblob(10000) FROM json_each('[1,2,3,4,5,6,7,8,9,10]');
SELECT count(*) FROM t;
SELECT local_lsn, pages = pages_held FROM graft_status;
