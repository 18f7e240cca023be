-- Export writes a plain SQLite file of the newest commit.
--@ vfs graft
--@ mask '[.][0-9a-f]{16}[.]new' .TEMPORARY.new
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, printf('value %d', i) FROM c;
PRAGMA graft_export = '$DIR/out.db';
--@ open plain out.db?vfs=unix
SELECT count(*), max(v) FROM t;
PRAGMA integrity_check;
PRAGMA journal_mode = WAL;
INSERT INTO t(v) VALUES ('only here');
--@ on main
SELECT count(*) FROM t;
PRAGMA graft_export = '$DIR/no/such/directory/out.db';
BEGIN;
INSERT INTO t(v) VALUES ('open');
PRAGMA graft_export = '$DIR/second.db';
ROLLBACK;
