-- VACUUM INTO a plain file; the copy opens under SQLite's own VFS.
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, printf('value %d', i) FROM c;
VACUUM INTO 'file:$DIR/copy.db?vfs=unix';
--@ size copy.db
--@ open copy copy.db?vfs=unix
SELECT count(*), max(v) FROM t;
PRAGMA integrity_check;
--@ on main
VACUUM INTO 'file:$DIR/copy.db?vfs=unix';
VACUUM INTO '$DIR/bare.db';
--@ open bare bare.db?vfs=unix
SELECT count(*), max(v) FROM t;
